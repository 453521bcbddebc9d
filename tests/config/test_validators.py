"""Conditions between the keys of one table are reported once, and only where the keys themselves are valid."""

import phonenumbers
import pytest

from steno.config import parse
from steno.config.fields import LABELS_MAX, REGIONS, RESERVED_LABELS, RESERVED_PATTERN_NAMES
from steno.metrics.definitions import METRICS
from steno.redaction import CLASSES
from tests.config.helpers import FILE, faults_of, source

TWO_PLACES = "must name exactly one place where the secret is: "


@pytest.mark.parametrize("ref", ["{}", '{ file = "/a", env = "A" }'])
def test_a_secret_is_in_exactly_one_place(ref: str) -> None:
    (line,) = faults_of(source(f"headers.A = {ref}"))

    assert line.startswith(f"sources.relay.headers.A: {TWO_PLACES}")


def test_the_longest_wait_is_not_shorter_than_the_first() -> None:
    fault = "sources.relay.backoff_max_seconds: must not be less than backoff_seconds"

    assert faults_of(source("backoff_seconds = 61")) == [fault]
    assert faults_of(source("backoff_max_seconds = 0.4")) == [fault]
    assert faults_of(source("backoff_seconds = 2", "backoff_max_seconds = 2")) == []


@pytest.mark.parametrize("name", ["call_id", "model"])
def test_the_address_of_calls_names_no_call_and_no_model(name: str) -> None:
    """The provider refuses both together, and a call that is named here would be followed in place of the others."""
    calls = '[[sources]]\nname = "calls"\nkind = "attach"\nurl = "wss://api.example/realtime{}"'

    assert faults_of(calls.format(f"?api-version=1&{name}=x")) == [
        f"sources.calls.url: must not hold {name}=: a call is named by who asks for it, and has a model already"
    ]
    assert faults_of(calls.format("?api-version=1&deployment=voice")) == []


def test_the_address_of_live_sessions_names_none() -> None:
    calls = '[[sources]]\nname = "calls"\nkind = "attach"\nurl = "wss://api.example/v1/live/sessions{}"'

    fault = "must not name a session: end it with /live/sessions, each session is named by who asks for it"
    assert faults_of(calls.format("/live_1/attach?graceful_close=true")) == [f"sources.calls.url: {fault}"]
    assert faults_of(calls.format("/")) == []


def test_a_header_is_set_once_whatever_the_case_of_its_letters() -> None:
    assert faults_of(source('headers = { Auth = { env = "A" }, auth = { env = "B" } }')) == [
        "sources.relay.headers: holds a header twice: the case of its letters does not count"
    ]


def test_a_subprotocol_is_listed_once() -> None:
    assert faults_of(source('subprotocols = ["a", "b", "a"]')) == [
        "sources.relay.subprotocols: holds a subprotocol twice"
    ]


def test_no_two_sources_share_a_name() -> None:
    text = source(name="a") + source(name="b") + source(name="a") + source(name="a")

    assert faults_of(text) == [
        "sources[2].name: is already the name of sources[0]",
        "sources[3].name: is already the name of sources[0]",
    ]


def listening(name: str, address: str, kind: str = "listen") -> str:
    """Return a source that listens; on an address that may face a network, by tokens."""
    further = 'tokens = "/tokens"' if kind == "listen" else 'upstream = "https://api.provider.example"'
    return f'[[sources]]\nname = "{name}"\nkind = "{kind}"\n{address}\n{further}\n'


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ('listen = "127.0.0.1:7000"', 'listen = "127.0.0.1:7000"', True),
        ('listen = "127.0.0.1:7000"', 'listen = "localhost:7000"', True),
        ('listen = "127.0.0.1:7000"', 'listen = "0.0.0.0:7000"', True),
        ('listen = "[::]:7000"', 'listen = "[::1]:7000"', True),
        ("", 'listen = "127.0.0.1:9465"', True),
        ('listen = "127.0.0.1:7000"', 'listen = "127.0.0.1:7001"', False),
        ('listen = "127.0.0.1:7000"', 'listen = "127.0.0.2:7000"', False),
        ('listen = "0.0.0.0:7000"', 'listen = "[::]:7000"', True),
        ('listen = "0.0.0.0:7000"', 'listen = "[::1]:7000"', False),
        ('listen = "127.0.0.1:0"', 'listen = "127.0.0.1:0"', False),
    ],
)
def test_no_two_sources_listen_at_one_address(first: str, second: str, shared: bool) -> None:
    """The kernel would let both of them, and give each some of the clients."""
    fault = "sources.b.listen: is the address of sources.a.listen: each needs a port of its own"

    assert faults_of(listening("a", first) + listening("b", second, "proxy")) == ([fault] if shared else [])


@pytest.mark.parametrize("http", ['[http]\nlisten = "127.0.0.1:7000"\n', ""])
def test_no_source_listens_where_the_http_server_does(http: str) -> None:
    port = 7000 if http else 9464

    assert faults_of(http + listening("a", f'listen = "127.0.0.1:{port}"')) == [
        "sources.a.listen: is the address of http.listen: each needs a port of its own"
    ]


@pytest.mark.parametrize("path", ["-", "/var/log/relay/frames.jsonl"])
def test_no_two_sources_follow_one_file(path: str) -> None:
    table = '[[sources]]\nname = "{}"\nkind = "follow"\npath = "{}"\n'

    assert faults_of(table.format("a", path) + table.format("b", path) + table.format("c", "/other")) == [
        "sources.b.path: is followed by sources.a: every line would count twice"
    ]


PROXY = '[[sources]]\nname = "front"\nkind = "proxy"\nupstream = "https://api.provider.example"\nattach = "calls"\n'
CALLS = '[[sources]]\nname = "calls"\nkind = "attach"\n'


def test_the_calls_of_a_proxy_are_followed_by_a_source_that_is_there() -> None:
    fault = 'sources.front.attach: must be the name of a source of kind = "attach"'

    assert faults_of(PROXY) == [fault]
    assert faults_of(PROXY + source(name="calls")) == [fault]
    assert faults_of(PROXY + CALLS) == []
    assert fault not in faults_of('sources = [1, { kind = "proxy", attach = 2 }]')


REDACTS = [
    'content = "redacted"',
    'content = { text = "redacted" }',
    'content = { default = "redacted", text = "full" }',
]


@pytest.mark.parametrize("content", REDACTS)
def test_a_pattern_does_not_have_the_name_of_a_built_in_class(content: str) -> None:
    text = f"[audit]\n{content}\n[audit.patterns]\nmail = 'x'\nemail = 'x'\nerror = 'x'"

    assert faults_of(text) == [
        "audit.patterns.email: has the name of a built-in class: choose another",
        "audit.patterns.error: has the name of a built-in class: choose another",
    ]


@pytest.mark.parametrize("content", REDACTS)
def test_a_region_has_telephone_numbers(content: str) -> None:
    assert faults_of(f'[audit]\n{content}\nregions = ["DE", "XX"]') == [
        'audit.regions[1]: is no country with telephone numbers, such as "DE" or "US"'
    ]


def test_what_only_redaction_uses_is_not_validated_without_it() -> None:
    text = "[audit]\ncontent = 'full'\nregions = ['XX']\n[audit.patterns]\nemail = 'x'"

    assert parse(text, FILE).audit.regions == ("XX",)


def test_the_names_and_regions_are_those_of_redaction() -> None:
    assert {*CLASSES, "error", "over_budget"} == RESERVED_PATTERN_NAMES
    assert phonenumbers.SUPPORTED_REGIONS == REGIONS


def test_a_validator_does_not_run_where_one_of_its_keys_has_a_fault() -> None:
    lines = faults_of(source("backoff_seconds = 100", "backoff_max_second = 200", 'headers.A = { env = "" }'))

    assert lines == [
        "sources.relay.backoff_max_second: unknown key, did you mean `backoff_max_seconds`?",
        "sources.relay.headers.A.env: must be the name of an environment variable: letters, digits and `_`",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "[audit]\nqueue_bytes = 50_331_649",
            ["audit.queue_bytes: must be at most 1/4 of limits.memory_bytes: 50331648"],
        ),
        (
            "[limits]\nmemory_bytes = 33_554_432",
            [
                "audit.queue_bytes: must be at most 1/4 of limits.memory_bytes: 8388608",
                "sources.relay.frame_bytes: must be at most 1/4 of limits.memory_bytes: 8388608",
            ],
        ),
        (
            "[limits]\nobject_bytes = 25_165_825\ntranscript_bytes = 12_582_913",
            [
                "limits.object_bytes: must be at most 1/8 of limits.memory_bytes: 25165824",
                "limits.transcript_bytes: must be at most 1/16 of limits.memory_bytes: 12582912",
            ],
        ),
        ("[limits]\nmemory_bytes = 67_108_864", []),
    ],
)
def test_each_size_fits_into_its_share_of_the_memory(lines: str, expected: list[str]) -> None:
    """What does not fit could never be read, or would evict the conversation that holds it. The default suffices."""
    assert faults_of(f"{source()}\n{lines}") == expected


def test_a_frame_fits_into_what_may_be_read_ahead() -> None:
    lines = source("frame_bytes = 50_331_649")

    assert faults_of(lines) == ["sources.relay.frame_bytes: must be at most 1/4 of limits.memory_bytes: 50331648"]
    assert faults_of(f"{lines}\n[limits]\nmemory_bytes = 201_326_600") == []


PUSH = '[[sources]]\nname = "push"\nkind = "listen"\n'
ANYBODY = "sources.push.tokens: must be set, or tls.client_ca, where listen is not on loopback: anybody could push"
TLS = 'tls = { certificate = "/a.pem", key = "/a.key"'


@pytest.mark.parametrize("listen", ["0.0.0.0:9465", "[::]:9465", "192.0.2.1:1", "push.example:9465"])
def test_who_listens_to_the_network_knows_its_clients(listen: str) -> None:
    text = f'{PUSH}listen = "{listen}"\n'

    assert faults_of(text) == [ANYBODY]
    assert faults_of(f"{text}{TLS} }}") == [ANYBODY]
    assert faults_of(f'{text}{TLS}, client_ca = "/ca.pem" }}') == []
    assert faults_of(f'{text}tokens = "/tokens"') == []


@pytest.mark.parametrize("listen", ["127.0.0.1:9465", "127.9.9.9:1", "[::1]:9465", "localhost:0"])
def test_on_loopback_nobody_needs_a_token(listen: str) -> None:
    assert faults_of(f'{PUSH}listen = "{listen}"') == []


def test_all_sources_have_labels_of_the_same_names() -> None:
    """A sum over a label that one of them lacks would leave it out without a word."""
    team, site = 'labels = { team = "sales" }', 'labels = { site = "Oslo", team = "" }'
    fault = 'sources.b.labels: must have the same names as sources.a.labels; a value may be ""'

    assert faults_of(source(team, name="a") + source(name="b")) == [fault]
    assert faults_of(source(name="a") + source(team, name="b")) == [fault]
    assert faults_of(source(team, name="a") + source(site, name="b")) == [fault]
    assert faults_of(source(team, name="a") + source('labels = { team = "" }', name="b")) == []


def test_labels_are_few() -> None:
    labels = ", ".join(f'label_{number} = "x"' for number in range(LABELS_MAX + 1))

    assert faults_of(source(f"labels = {{ {labels} }}")) == ["sources.relay.labels: must be at most 8 labels"]


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ('{ source = "x" }', "[0]: is the name of a label that steno or Prometheus sets itself: choose another"),
        ('{ le = "x" }', "[0]: is the name of a label that steno or Prometheus sets itself: choose another"),
        ('{ __team = "x" }', "[0]: the name of a label must not begin with `__`: Prometheus keeps these for itself"),
        ('{ "a-b" = "x" }', "[0]: the name of a label must be 1 to 63 letters, digits and `_`, the first no digit"),
        ('{ "" = "x" }', "[0]: the name of a label must be 1 to 63 letters, digits and `_`, the first no digit"),
        ('{ team = "a\\nb" }', ".team: must be at most 64 characters, none a control character"),
        (f'{{ team = "{"x" * 65}" }}', ".team: must be at most 64 characters, none a control character"),
        ("{ team = 1 }", ".team: must be at most 64 characters, none a control character"),
        (
            f'{{ team = "sk-proj-{"a1B2" * 10}" }}',
            ".team: must not hold a key or a token: who reads the metrics sees it",
        ),
    ],
)
def test_labels_are_what_prometheus_takes(labels: str, fault: str) -> None:
    assert faults_of(source(f"labels = {labels}")) == [f"sources.relay.labels{fault}"]


def test_no_label_has_the_name_of_one_that_a_metric_has() -> None:
    assert {label for row in METRICS.values() for label in row.labels} <= RESERVED_LABELS


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (['endpoint = "http://127.0.0.1:4318"'], []),
        (['endpoint = "https://collector.example/base/"', 'headers = { X-Key = { env = "KEY" } }'], []),
        (
            ['endpoint = "http://127.0.0.1:4318/v1/traces/"'],
            ["otel.endpoint: must be the base URL: /v1/metrics and /v1/traces are appended to it"],
        ),
        (['endpoint = "grpc://127.0.0.1:4317"'], ["otel.endpoint: must begin with http:// or https://"]),
        (["ca_file = '/ca.pem'"], ["otel.endpoint: is missing: ca_file is for the collector"]),
        (
            ['endpoint = "http://h"', 'headers = { content-TYPE = { env = "A" } }'],
            ["otel.headers: must not hold content-TYPE: OTLP says what it is"],
        ),
        (
            ['endpoint = "http://h"', 'headers = { A = { env = "A" }, a = { env = "A" } }'],
            ["otel.headers: holds a header twice: the case of its letters does not count"],
        ),
        (
            ['endpoint = "http://h"', "[otel.resource]", *(f'a{number} = "x"' for number in range(33))],
            ["otel.resource: must be at most 32 attributes"],
        ),
        (
            ['endpoint = "http://h"', 'resource = { zone = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789" }'],
            ["otel.resource.zone: must not hold a key or a token: who reads the metrics sees it"],
        ),
        (
            ['endpoint = "http://h"', 'resource = { zone = "" }'],
            ["otel.resource.zone: must be 1 to 256 characters, none a control character"],
        ),
    ],
)
def test_what_is_sent_by_otlp_has_one_place_to_go(lines: list[str], faults: list[str]) -> None:
    assert faults_of("\n".join(["[otel]", *lines, ""])) == faults
