"""Every fault of a file is reported at once, by the path of its key, and never with the value that was found."""

from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields

from steno.config import Audit, Config, Http, Log, SecretRef, Tls
from steno.config.fields import PUT_ELSEWHERE
from steno.config.sources import SOURCES
from steno.limits import Limits
from tests.config.helpers import faults_of, source

A_PATH = "must be a path, neither empty nor with control characters"
A_SIZE = "must be a whole number, from 65536 to 1099511627776"


def test_all_faults_are_reported_in_the_order_of_the_file() -> None:
    assert faults_of(
        """
        [http]
        listn = "127.0.0.1:1"
        ready = "some"
        [audit]
        flush_seconds = 0
        segment_bytes = 1.5
        [log]
        level = true
        [[sources]]
        name = "relay"
        kind = "connect"
        urll = "wss://relay.example"
        backoff_seconds = 70
        [[sources]]
        kind = "connect"
        [[sources]]
        name = "other"
        kind = "telex"
        """
    ) == [
        "http.listn: unknown key, did you mean `listen`?",
        "http.ready: must be one of: all, any, none",
        "audit.flush_seconds: must be a number, above 0 and 60 or less",
        "audit.segment_bytes: must be a whole number, from 65536 to 1099511627776",
        "log.level: must be one of: debug, info, warning, error",
        "sources.relay.urll: unknown key, did you mean `url`?",
        "sources.relay.backoff_max_seconds: must not be less than backoff_seconds",
        "sources[1].name: is missing",
        "sources[1].url: is missing",
        "sources.other.kind: must be one of: connect, proxy, listen, attach, follow",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("htp = {}", "htp: unknown key, did you mean `http`?"),
        ("[Http]", "Http: unknown key, did you mean `http`?"),
        ("[audit]\nretention = 2", "audit.retention: unknown key, did you mean `retention_days`?"),
        ("[audit]\nflush-seconds = 2", "audit.flush-seconds: unknown key, did you mean `flush_seconds`?"),
        ("[limits]\nconversation = 2", "limits.conversation: unknown key, did you mean `conversations`?"),
        ('listen = "[::1]:80"', "listen: unknown key, did you mean `http.listen`?"),
        ("[log]\nzzz = 1", "log.zzz: unknown key"),
        ('[log]\n"a\\nb" = 1', 'log."a\\nb": unknown key'),
        ('[log]\n"a.b" = 1', 'log."a.b": unknown key'),
        (f"[log]\n{'z' * 500} = 1", f"log.{'z' * 64}...: unknown key"),
        (source("heders = {}"), "sources.relay.heders: unknown key, did you mean `headers`?"),
        (
            source('headers.A = { env = "A", fil = "/a" }'),
            "sources.relay.headers.A.fil: unknown key, did you mean `file`?",
        ),
    ],
)
def test_an_unknown_key_is_reported_with_the_one_that_was_probably_meant(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_a_misspelt_required_key_is_one_fault() -> None:
    text = '[[sources]]\nname = "relay"\nkid = "connect"\nurl = "ws://relay.example"'

    assert faults_of(text) == ["sources.relay.kid: unknown key, did you mean `kind`?"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("http = 1", "http: must be a table"),
        ("[[http]]", "http: must be a table"),
        ("[sources.relay]", "sources: must be a list of tables, each under [[sources]]"),
        ("sources = [1]", "sources[0]: must be a table"),
        (source("headers = []"), "sources.relay.headers: must be a table"),
        (source("ca_file = 1"), f"sources.relay.ca_file: {A_PATH}"),
        (source('subprotocols = "a"'), "sources.relay.subprotocols: must be a list"),
        ("[http]\nlisten = 1", "http.listen: must be text in quotes"),
        ("[log]\nlevel = 2020-01-01", "log.level: must be one of: debug, info, warning, error"),
        ('[audit]\ncontent = "all"', "audit.content: must be one of: none, redacted, full"),
        ("[audit]\ncontent = 1", "audit.content: must be one of: none, redacted, full"),
        ("[audit.content]\ntext = 1", "audit.content.text: must be one of: none, redacted, full"),
        ('[audit.content]\nwords = "full"', "audit.content.words: unknown key"),
        ('[audit]\nkey = "hush"', f"audit.key: a secret must not be written here: {PUT_ELSEWHERE}"),
        (
            '[audit.patterns]\nid = "(C-"',
            "audit.patterns.id: must be a regular expression, as Python's re module has them",
        ),
        ('[audit.patterns]\nid = "C*"', "audit.patterns.id: must not match the empty text"),
        (
            '[audit]\nregions = ["de"]',
            'audit.regions[0]: must be a country by its two letters, such as "DE"',
        ),
        (
            '[audit]\ncontent_files = true\ndigest_key = { env = "K" }',
            "audit.digest_key: cannot stand beside content_files: a digest in the log would outlive an erasure",
        ),
        (
            "[audit]\nretention_bytes = 100000",
            "audit.retention_bytes: must be at least twice segment_bytes: the segment being written is never deleted",
        ),
        ("[audit]\nflush_seconds = nan", "audit.flush_seconds: must be a number, above 0 and 60 or less"),
        ("[limits]\nlabel_values = true", "limits.label_values: must be a whole number, from 1 to 10000000"),
        (f"[audit]\nqueue_bytes = {'9' * 400}", f"audit.queue_bytes: {A_SIZE}"),
    ],
)
def test_a_wrong_value_is_reported_with_what_would_be_right(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


@pytest.mark.parametrize("value", ['"Bearer MARKER"', "5", '["MARKER"]'])
def test_a_secret_in_the_configuration_is_refused_with_its_right_place(value: str) -> None:
    assert faults_of(source(f"headers.Authorization = {value}")) == [
        f"sources.relay.headers.Authorization: a secret must not be written here: {PUT_ELSEWHERE}"
    ]


def test_a_wrong_header_is_reported_by_its_number_since_it_may_be_a_secret() -> None:
    assert faults_of(source('headers = { Fine = { env = "A" }, "Bearer MARKER" = {} }')) == [
        "sources.relay.headers[1]: a header's name must be letters, digits and `-`, without spaces",
        f"sources.relay.headers[1]: must name exactly one place where the secret is: {PUT_ELSEWHERE}",
    ]


def test_a_source_whose_name_is_not_usable_is_reported_by_its_number() -> None:
    broken = "frame_bytes = 0"
    text = source(broken) + source(broken, name="Bad Name") + source(broken, name="b") + source(name="b")

    assert [line.split(":")[0] for line in faults_of(text)] == [
        "sources.relay.frame_bytes",
        "sources[1].name",
        "sources[1].frame_bytes",
        "sources[2].frame_bytes",
        "sources[3].name",
    ]


TABLES: dict[str, type[Struct]] = {"http": Http, "audit": Audit, "log": Log, "limits": Limits}
MARKER = "Bearer MARKER"
PLANTED = (f'"{MARKER}"', f'["{MARKER}"]', f'{{ value = "{MARKER}" }}', f'{{ file = "{MARKER}\\u0000" }}')


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize(
    "before",
    [
        *(f"[{table}]\n{field.name} = " for table, struct in TABLES.items() for field in fields(struct)),
        *(
            f'[[sources]]\nname = "relay"\nkind = "{kind}"\n{field.name} = '
            for kind, struct in SOURCES.items()
            for field in fields(struct)
            if field.name not in {"name", "kind"}
        ),
        '[[sources]]\nname = "relay"\nkind = ',
        *(source(f"headers.A.{field.name} = ") for field in fields(SecretRef)),
        *(f"{field.name} = " for field in fields(Config)),
        "[[sources]]\nname = ",
        source("headers.A = "),
        "unknown = ",
        "no TOML ",
    ],
)
def test_the_value_that_was_found_is_never_shown(before: str, planted: str) -> None:
    assert "MARKER" not in " ".join(faults_of(before.rstrip("\n") + planted))


@pytest.mark.parametrize(
    "line",
    [
        'url = "ws://user:MARKER@relay.example/"',
        'url = "ws://MARKER@relay.example/"',
        'url = "ws://relay.example:MARKER/"',
        'url = "ws://relay.example/?key=MARKER#x"',
        'url = "https://relay.example/?key=MARKER"',
        'subprotocols = ["openai-insecure-api-key.MARKER"]',
        'subprotocols = ["MARKER MARKER"]',
        'headers = { "MARKER:" = { env = "A" } }',
        'headers = { A = { env = "sk-MARKER" } }',
        'headers = { A = { file = "/a", env = "MARKER" } }',
        'headers = { A = { file = "Bearer MARKER" } }',
        'headers = { A = { file = "sk-proj-MARKER" } }',
        'headers = { ek_MARKER_MARKER = "a" }',
        "sk-proj-MARKER = 1",
        'subprotocols = ["ek_MARKER_MARKER"]',
        "headers = { A = MARKER }",
        'headers = { A = "MARKER',
        'headers = { A = "MARKER\\q" }',
    ],
)
def test_what_is_probably_a_secret_is_never_shown(line: str) -> None:
    text = '[[sources]]\nname = "relay"\nkind = "connect"\n' + line

    lines = faults_of(text)

    assert lines
    assert "MARKER" not in " ".join(lines)


STRUCTS: list[type[Struct]] = [Config, SecretRef, Tls, *SOURCES.values(), *TABLES.values()]
KEY_NAMES = sorted({field.name for struct in STRUCTS for field in fields(struct)})
SOURCE_KEYS = st.sampled_from(sorted({field.name for struct in SOURCES.values() for field in fields(struct)}))
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*SOURCES, "none", "auto", "info", "relay", "127.0.0.1:0", "ws://a", "ws://[", "/a"]),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
)
KEYS = st.sampled_from(KEY_NAMES) | st.text(max_size=8)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.dictionaries(KEYS, JUNK, max_size=4))
def test_any_tables_are_a_configuration_or_a_list_of_faults(junk: dict[str, Any]) -> None:
    lines = faults_of(tomli_w.dumps(junk))

    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize(
    ("key", "missing"),
    [
        ('listen = "127.0.0.1:7000"', ["kind"]),
        ('upstream = "https://api.provider.example"', ["kind"]),
        ("webhook_attach = true", ["kind"]),
        ('path = "-"', ["kind"]),
        ("frame_bytes = 4096", ["kind"]),
    ],
)
def test_a_table_without_a_kind_is_read_as_the_kind_whose_keys_it_has(key: str, missing: list[str]) -> None:
    assert faults_of(f'[[sources]]\nname = "a"\n{key}\n') == [f"sources.a.{each}: is missing" for each in missing]


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.dictionaries(SOURCE_KEYS, JUNK, max_size=4), max_size=3))
def test_any_sources_are_a_configuration_or_a_list_of_faults(junk: list[Any]) -> None:
    required = {"name": "relay", "kind": "connect", "url": "ws://relay.example"}
    lines = faults_of(tomli_w.dumps({"sources": [required | entry for entry in junk]}))

    assert len(set(lines)) == len(lines)
