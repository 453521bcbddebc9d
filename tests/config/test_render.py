"""A configuration is shown without its secrets, reads back as itself, and has one digest."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from steno.config import Audit, Config, Connect, Http, Log, SecretRef, digest, parse, render
from steno.limits import Limits
from tests.config.helpers import FILE, source

FULL = """sources = []

[http]
listen = "127.0.0.1:0"
ready = "any"
hosts = []
exemplars = false

[audit]
directory = "/var/log/steno"
content = "none"
content_files = false
regions = []
flush = "grouped"
flush_seconds = 2.0
flush_bytes = 262144
record_bytes = 16384
segment_bytes = 65536
segment_seconds = 86400.0
checkpoint_records = 10000
checkpoint_seconds = 300.0
queue_bytes = 65536
when_full = "block"

[audit.patterns]

[log]
level = "debug"
format = "json"

[limits]
conversations = 10000
idle_seconds = 3600.0
"""


def test_defaults_are_shown_as_well_as_what_is_set() -> None:
    config = Config(
        http=Http(listen="127.0.0.1:0", ready="any"),
        audit=Audit(directory="/var/log/steno", flush_seconds=2.0, segment_bytes=65536, queue_bytes=65536),
        log=Log(level="debug", format="json"),
    )

    assert render(config).startswith(FULL)
    assert "directory" not in render(Config())


def test_a_header_shows_the_place_of_its_value_and_a_url_the_names_of_its_query() -> None:
    text = source(
        'headers = { B = { env = "TOKEN" }, A = { file = "/run/credentials/relay" } }',
        'ca_file = "/etc/ca.pem"',
        'subprotocols = ["a", "b"]',
    ).replace("/v1/events", "/v1/events?key=MARKER&MARKER")

    assert (
        render(parse(text, FILE)).partition("[[sources]]")[2]
        == """
name = "relay"
kind = "connect"
url = "wss://relay.example/v1/events?key=***&***"
subprotocols = [
    "a",
    "b",
]
ca_file = "/etc/ca.pem"
frame_bytes = 16777216
open_timeout_seconds = 10.0
ping_interval_seconds = 20.0
ping_timeout_seconds = 20.0
backoff_seconds = 0.5
backoff_max_seconds = 60.0

[sources.labels]

[sources.headers.A]
file = "/run/credentials/relay"

[sources.headers.B]
env = "TOKEN"
"""
    )


def test_the_digest_is_taken_of_what_is_shown() -> None:
    config = parse(source(), FILE)

    assert digest(config) == hashlib.sha256(render(config).encode()).hexdigest()


def test_the_digest_does_not_depend_on_the_order_in_the_file() -> None:
    one = parse('[log]\nlevel = "debug"\n[http]\nready = "any"\n' + source(headers("A", "B")), FILE)
    other = parse('[http]\nready = "any"\n[log]\nlevel = "debug"\n' + source(headers("B", "A")), FILE)

    assert digest(one) == digest(other)


def headers(*names: str) -> str:
    return "headers = { " + ", ".join(f'{name} = {{ env = "V" }}' for name in names) + " }"


def test_configurations_that_differ_have_different_digests() -> None:
    texts = [
        "",
        "[http]\nready = 'any'",
        source(),
        source(name="b"),
        source(headers("A")),
        source("frame_bytes = 1024"),
    ]

    assert len({digest(parse(text, FILE)) for text in texts}) == len(texts)


def test_configurations_that_differ_in_a_secret_have_one_digest() -> None:
    one, other = (source().replace("/v1/events", f"/?key={key}") for key in ("a", "b"))

    assert digest(parse(one, FILE)) == digest(parse(other, FILE))


PATHS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
REFS = st.builds(SecretRef, file=PATHS) | st.builds(SecretRef, env=st.from_regex(r"\A[A-Z_]{1,9}\Z"))
SECONDS = st.floats(0, 60, exclude_min=True)
SOURCES = st.builds(
    Connect,
    name=st.from_regex(r"\A[a-z0-9][a-z0-9_.-]{0,8}\Z"),
    kind=st.just("connect"),
    url=st.sampled_from(["ws://h", "wss://[::1]:1/a%20b", "ws://h/p?"]),
    headers=st.dictionaries(st.from_regex(r"\AX-[a-z0-9~.!]{1,9}\Z"), REFS, max_size=3),
    subprotocols=st.lists(st.from_regex(r"\A[a-z.]{1,9}\Z"), max_size=3, unique=True).map(tuple),
    ca_file=st.none() | PATHS,
    frame_bytes=st.integers(1024, 40_000_000),
    backoff_seconds=SECONDS,
    backoff_max_seconds=st.floats(60, 3600),
)
CONFIGS = st.builds(
    Config,
    http=st.builds(Http, listen=st.sampled_from(["localhost:0", "[::]:80"]), ready=st.sampled_from(["all", "none"])),
    audit=st.builds(Audit, directory=st.none() | PATHS, flush_seconds=SECONDS),
    limits=st.builds(Limits, conversations=st.integers(1, 9), drain_seconds=SECONDS),
    sources=st.lists(SOURCES, max_size=3, unique_by=lambda entry: entry.name).map(tuple),
)


@settings(deadline=None)  # a busy machine is no fault
@given(CONFIGS)
def test_what_is_shown_reads_back_as_itself(config: Config) -> None:
    again = parse(render(config), FILE)

    assert again == config
    assert render(again) == render(config)


def test_a_key_in_the_path_of_a_webhook_is_not_shown() -> None:
    key = "sk-proj-" + "a1B2" * 12
    config = parse(f'audit.anchor = {{ webhook = "https://heads.example/{key}" }}', FILE)

    assert key not in render(config)
    assert "https://heads.example/***" in render(config)
