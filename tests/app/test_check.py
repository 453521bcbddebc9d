"""What `steno check` warns of."""

from functools import partial
from pathlib import Path

import pytest

from steno.app.check import DRAINED_SECONDS, STOPPED_SECONDS, warnings
from steno.app.findings import Finding
from steno.config import parse
from tests.processes import steno
from tests.sources.certificates import Authority

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
URL = 'url = "wss://relay.example/v1/events"'
OWN_SESSION = (
    "opens a session of its own at the provider, which is billed and shows nobody's calls: name a running call by "
    'call_id=, or use a source of kind "proxy", "listen" or "attach"'
)
OWN_WEBSOCKET = (
    "opens a websocket of its own at the provider, which shows nobody's events: use a source of kind "
    '"proxy" or "listen", or for Live sessions "attach"'
)


def warned(*lines: str, url: str = URL, kind: str = "connect") -> list[Finding]:
    """Return the warnings about one source."""
    text = "\n".join(['[[sources]]\nname = "relay"', f'kind = "{kind}"', url, *lines])
    return list(warnings(parse(text, "steno.toml")))


def test_nothing_is_said_where_all_can_be_read(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("Bearer one")

    assert warned(f'headers = {{ Authorization = {{ file = "{token}" }} }}') == []


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"

    assert warned(f'headers = {{ A = {{ file = "{missing}" }} }}', f'ca_file = "{missing}"') == [
        Finding("sources.relay.headers.A", f"{missing}: cannot be read: no such file or directory"),
        Finding("sources.relay.ca_file", f"{missing}: cannot be read: no such file or directory"),
    ]


@pytest.mark.parametrize(
    ("url", "doubtful"),
    [
        ("wss://api.openai.com/v1/realtime?model=gpt-realtime", True),
        ("wss://desk.openai.azure.com/openai/realtime?model=x&api-version=1", True),
        ("wss://api.openai.com/v1/realtime?call_id=rtc_1", False),
        ("wss://api.openai.com.example/v1/realtime?model=gpt-realtime", False),
        ("wss://relay.example/v1/realtime?model=gpt-realtime", False),
    ],
)
def test_a_url_that_opens_a_session_is_doubtful(url: str, doubtful: bool) -> None:
    expected = [Finding("sources.relay.url", OWN_SESSION)] if doubtful else []

    assert warned(url=f'url = "{url}"') == expected


@pytest.mark.parametrize(
    ("url", "doubtful"),
    [
        ("wss://api.openai.com/v1/responses", True),
        ("wss://api.x.ai/v1/responses/", True),
        ("wss://desk.openai.azure.com/openai/v1/live/sessions", True),
        ("wss://api.openai.com/v1/live/sessions/live_1/attach?graceful_close=true", False),
        ("wss://relay.example/v1/responses", False),
    ],
)
def test_a_url_that_opens_a_websocket_of_its_own_is_doubtful(url: str, doubtful: bool) -> None:
    expected = [Finding("sources.relay.url", OWN_WEBSOCKET)] if doubtful else []
    assert warned(url=f'url = "{url}"') == expected


def test_the_file_of_tokens_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    listens = partial(warned, f'tokens = "{file}"', url="", kind="listen")

    assert listens() == [Finding("sources.relay.tokens", f"{file}: cannot be read: no such file or directory")]
    file.write_text("# nobody\n")
    assert listens() == [
        Finding("sources.relay.tokens", f"{file}: holds no token: a line is a name, a space and the token")
    ]
    file.write_text("desk short\nnone\n")
    assert listens() == [
        Finding("sources.relay.tokens", f"{file}: line 1: the token must have 16 characters at least, 4096 at most"),
        Finding("sources.relay.tokens", f"{file}: line 2: must be a name, a space and the token"),
    ]
    file.write_text("desk a-token-that-is-long-enough\n")
    assert listens() == []


def test_the_certificate_is_tried(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (good, key), (old, old_key) = authority.issue(), authority.issue(ends="20200102000000Z")

    def listens(certificate: Path, key: Path) -> list[str]:
        line = f'tls = {{ certificate = "{certificate}", key = "{key}" }}'
        return [each.message for each in warned(line, url="", kind="listen") if each.key == "sources.relay.tls"]

    assert listens(good, key) == []
    assert listens(good, old_key) == [f"{old_key}: is not the key of {good}"]
    assert listens(old, old_key) == [f"{old}: certificate has expired"]
    assert listens(good, tmp_path / "none") == [f"{tmp_path}/none: cannot be read: no such file or directory"]
    assert listens(tmp_path / "serial", key) == [f"{tmp_path}/serial: is not in PEM"]


CLEAR_LISTEN = "is not set, and {} is not loopback: tokens and frames can be read on the way"
CLEAR_PROXY = "is not set, and {} is not loopback: keys of applications and frames can be read on the way"
TWICE_V1 = (
    "ends in /v1, and the path of a request is appended to it: leave /v1 to the base URL of the application, or /v1/v1 "
    "is asked for"
)
UPSTREAM = 'upstream = "https://api.openai.com"'


def test_what_passes_in_clear_text_is_doubtful(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("desk a-token-that-is-long-enough\n")
    anywhere, here = 'listen = "0.0.0.0:7000"', 'listen = "[::1]:7000"'

    assert warned(f'tokens = "{tokens}"', url=anywhere, kind="listen") == [
        Finding("sources.relay.tls", CLEAR_LISTEN.format("0.0.0.0:7000"))
    ]
    assert warned(UPSTREAM, url=anywhere, kind="proxy") == [
        Finding("sources.relay.tls", CLEAR_PROXY.format("0.0.0.0:7000"))
    ]
    assert warned(f'tokens = "{tokens}"', url=here, kind="listen") == []
    assert warned(UPSTREAM, url=here, kind="proxy") == []


@pytest.mark.parametrize(
    ("upstream", "message"),
    [
        (
            "https://api.openai.com/v1/",
            TWICE_V1,
        ),
        ("http://gateway.example", "is http://: keys of applications and frames can be read on the way"),
        ("http://127.0.0.1:8765", None),
        ("https://gateway.example/openai", None),
    ],
)
def test_a_base_url_that_is_surely_not_meant(upstream: str, message: str | None) -> None:
    expected = [Finding("sources.relay.upstream", message)] if message else []

    assert warned(url=f'upstream = "{upstream}"', kind="proxy") == expected


@pytest.mark.parametrize(
    ("listen", "upstream", "loops"),
    [
        ("127.0.0.1:7000", "http://localhost:7000", True),
        ("[::]:7000", "http://127.0.0.1:7000/api", True),
        ("10.0.0.7:443", "https://10.0.0.7", True),
        ("127.0.0.1:7000", "http://localhost:7001", False),
        ("10.0.0.7:7000", "http://127.0.0.1:7000", False),
    ],
)
def test_a_proxy_that_is_its_own_upstream(listen: str, upstream: str, loops: bool) -> None:
    found = warned(f'upstream = "{upstream}"', url=f'listen = "{listen}"', kind="proxy")
    itself = "is the address of this source itself: each request would come back for ever"

    assert (Finding("sources.relay.upstream", itself) in found) == loops


def test_what_is_followed_is_a_file(tmp_path: Path) -> None:
    assert warned(url=f'path = "{tmp_path}"', kind="follow") == [
        Finding("sources.relay.path", f"{tmp_path}: is a folder")
    ]
    assert warned(url='path = "-"', kind="follow") == []


def test_heads_that_could_not_be_kept_are_warned_of(tmp_path: Path) -> None:
    """The daemon starts all the same, and counts the failures."""
    text = f"""
[audit.anchor]
webhook = "https://heads.example"
headers = {{ Authorization = {{ file = "{tmp_path}/missing" }} }}
"""
    assert list(warnings(parse(text + ONE_SOURCE, "steno.toml"))) == [
        Finding("audit.anchor.headers.Authorization", f"{tmp_path}/missing: cannot be read: no such file or directory")
    ]


def test_a_certificate_that_ends_soon_is_warned_of(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue(ends="20991231235959Z")
    text = f"""
[[sources]]
name = "relay"
kind = "listen"
tls = {{ certificate = "{certificate}", key = "{key}" }}
"""
    ends = 4_102_444_799.0

    def found(days: float) -> list[Finding]:
        return list(warnings(parse(text, "steno.toml"), now=ends - days * 86_400))

    soon = "expires in {}: put a new one in its place"
    assert found(14.5) == []
    assert [each.message for each in (*found(13.5), *found(1.5))] == [
        f"{certificate}: {soon.format(days)}" for days in ("13 days", "1 day")
    ]


NO_REDACTION = 'has no effect: audit.content redacts nothing; set it to "redacted"'
ONE_SOURCE = '[[sources]]\nname = "relay"\nkind = "connect"\nurl = "wss://relay.example/v1/events"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [Finding("sources", "there are none, so that nothing comes: name one under [[sources]]")]),
        (f'audit.content = "none"\naudit.regions = ["DE"]\n{ONE_SOURCE}', [Finding("audit.regions", NO_REDACTION)]),
        (f'audit.patterns = {{ contract = "C-[0-9]" }}\n{ONE_SOURCE}', [Finding("audit.patterns", NO_REDACTION)]),
        (
            f"audit.content_files = true\n{ONE_SOURCE}",
            [Finding("audit.content_files", 'has no effect: audit.content is "none", so that no content is kept')],
        ),
        (
            f"audit.retention_days = 0.5\n{ONE_SOURCE}",
            [
                Finding(
                    "audit.retention_days",
                    "is shorter than audit.segment_seconds (86400): a segment goes as a whole, and stays until it is "
                    "closed",
                )
            ],
        ),
        (f'otel.endpoint = "http://[::1]:4318"\n{ONE_SOURCE}', []),
        (
            f'otel.endpoint = "http://collector.example:4318"\n{ONE_SOURCE}',
            [
                Finding(
                    "otel.endpoint",
                    "is http://, and not loopback: headers, numbers and names of models and tools can be read on the "
                    "way",
                )
            ],
        ),
        (
            '[otel]\nendpoint = "https://collector.example"\nmetrics = false\nspans = false\n'
            'headers = { X-Key = { env = "NO_SUCH_VARIABLE" } }\nca_file = "/nowhere/ca.pem"\n' + ONE_SOURCE,
            [
                Finding("otel.headers.X-Key", "$NO_SUCH_VARIABLE: is not set"),
                Finding("otel.ca_file", "/nowhere/ca.pem: cannot be read: no such file or directory"),
                Finding("otel.endpoint", "has no effect: neither otel.metrics nor otel.spans is on"),
            ],
        ),
        (
            f"limits.drain_seconds = 60\n{ONE_SOURCE}",
            [
                Finding(
                    "limits.drain_seconds",
                    "comes to 60 seconds with drain_seconds of the sources: raise TimeoutStopSec= of the unit too, "
                    "which is 35 in the steno.service that steno comes with",
                )
            ],
        ),
        (
            'limits.conversations = 500\n[[sources]]\nname = "calls"\nkind = "attach"\nstart_seconds = 5\n',
            [
                Finding("sources.calls.calls", "is more than limits.conversations (500): open ones would be evicted"),
                Finding(
                    "sources.calls.start_seconds",
                    "is shorter than one attempt may take (open_timeout_seconds, 10)",
                ),
            ],
        ),
    ],
)
def test_what_is_legal_and_surely_not_meant(text: str, expected: list[Finding]) -> None:
    assert list(warnings(parse(text, "steno.toml"))) == expected


@pytest.mark.parametrize(
    ("kind", "more", "warned_of"),
    [
        ("proxy", 'upstream = "https://api.provider.example"', False),
        ("proxy", 'upstream = "https://api.provider.example"\ndrain_seconds = 7200', True),
        ("listen", "", False),
    ],
)
def test_the_drain_is_held_against_the_unit_that_is_for_it(kind: str, more: str, warned_of: bool) -> None:
    text = f'[[sources]]\nname = "way"\nkind = "{kind}"\n{more}\n'

    assert [each.key for each in warnings(parse(text, "steno.toml"))] == ["limits.drain_seconds"] * warned_of


def test_the_units_wait_for_as_long_as_is_said() -> None:
    """Who raises one raises the other."""
    said = {"steno.service": STOPPED_SECONDS, "steno@.service": DRAINED_SECONDS}

    for unit, seconds in said.items():
        assert f"TimeoutStopSec={seconds:g}s\n" in (DEPLOY / unit).read_text()


def test_the_command_warns_and_prints_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "steno.toml"
    file.write_text(f'http.listen = "127.0.0.1:0"\nhttp.token = {{ env = "STENO_TEST_ABSENT" }}\n{ONE_SOURCE}')

    done, strict = steno("check", "-c", file), steno("check", "-c", file, "--strict")

    said = f"warning: {file}: http.token: $STENO_TEST_ABSENT: is not set\n"
    assert (done.returncode, done.stderr.decode()) == (0, said)
    assert b'url = "wss://relay.example/v1/events"' in done.stdout
    assert (strict.returncode, strict.stdout) == (78, b"")
    assert strict.stderr.decode() == f"{said}{file}: a warning is an error with --strict\n"


def test_the_command_refuses_what_the_daemon_would(tmp_path: Path) -> None:
    """Warnings come first; nothing is printed that could be taken for a configuration that is right."""
    file = tmp_path / "steno.toml"
    file.write_text('http.listen = "127.0.0.1:0"\naudit.key = { env = "STENO_TEST_ABSENT" }\n')

    done = steno("check", "-c", file, "--state", tmp_path / "none/state")

    assert (done.returncode, done.stdout) == (78, b"")
    assert done.stderr.decode() == (
        f"warning: {file}: sources: there are none, so that nothing comes: name one under [[sources]]\n"
        f"{file}: audit.key: $STENO_TEST_ABSENT: is not set\n"
        f"{file}: --state: {tmp_path}/none: is no folder\n"
    )


@pytest.mark.parametrize(
    ("table", "warned"),
    [
        ("", []),
        ('listen = "[::1]:9464"', []),
        ('listen = "0.0.0.0:9464"', ["http.anonymous", "http.token"]),
        ('listen = "0.0.0.0:9464"\nanonymous = true', []),
        ('listen = "0.0.0.0:9464"\nanonymous = false', ["http.token"]),
    ],
)
def test_what_strangers_read_over_http(table: str, warned: list[str]) -> None:
    assert [each.key for each in warnings(parse(f"[http]\n{table}\n{ONE_SOURCE}", "steno.toml"))] == warned


def test_what_is_wrong_with_the_web_configuration(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue(ends="20210101000000Z")
    web, token = tmp_path / "web.yml", tmp_path / "token"
    token.write_text("one")
    told: list[Finding] = []
    for text in ("{}", f"tls_server_config:\n  cert_file: {certificate}\n  key_file: {key}\n", None):
        web.unlink(missing_ok=True)
        if text:
            web.write_text(text)
        table = f'[http]\nlisten = "[::]:1"\nweb_config = "{web}"\ntoken = {{ file = "{token}" }}\n'
        told += warnings(parse(table + ONE_SOURCE, "steno.toml"))
    clear = list(warnings(parse(table.replace(f'web_config = "{web}"', "anonymous = false") + ONE_SOURCE, "f")))

    assert told == [
        Finding(
            "http.web_config",
            f"{web}: tls_server_config: must be there, with cert_file and key_file: without TLS leave http.web_config "
            "out",
            fatal=True,
        ),
        Finding("http.web_config", f"{certificate}: certificate has expired"),
        Finding("http.web_config", f"{web}: cannot be read: no such file or directory", fatal=True),
    ]
    assert clear == [
        Finding("http.web_config", "is not set, and [::]:1 is not loopback: the token can be read on the way")
    ]
