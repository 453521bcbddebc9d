"""What `steno check` warns of."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from steno.app.check import Warned, warnings
from steno.config import parse
from tests.sources.certificates import Authority

URL = 'url = "wss://relay.example/v1/events"'
OWN_SESSION = (
    "opens a session of its own at the provider, which is billed and shows nobody's calls: name a running call by "
    'call_id=, or use a source of kind "proxy", "listen" or "attach"'
)


def warned(*lines: str, url: str = URL, kind: str = "connect") -> list[Warned]:
    """Return the warnings about one source."""
    text = "\n".join(['[[sources]]\nname = "relay"', f'kind = "{kind}"', url, *lines])
    return list(warnings(parse(text, "steno.toml"), {"LOGS_DIRECTORY": "/"}))


def test_nothing_is_said_where_all_can_be_read(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("Bearer one")

    assert warned(f'headers = {{ Authorization = {{ file = "{token}" }} }}') == []


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"

    assert warned(f'headers = {{ A = {{ file = "{missing}" }} }}', f'ca_file = "{missing}"') == [
        Warned("sources.relay.headers.A", f"{missing}: cannot be read: no such file or directory"),
        Warned("sources.relay.ca_file", f"{missing}: cannot be read: no such file or directory"),
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
    expected = [Warned("sources.relay.url", OWN_SESSION)] if doubtful else []

    assert warned(url=f'url = "{url}"') == expected


def test_the_file_of_tokens_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    listens = partial(warned, f'tokens = "{file}"', url="", kind="listen")

    assert listens() == [Warned("sources.relay.tokens", f"{file}: cannot be read: no such file or directory")]
    file.write_text("# nobody\n")
    assert listens() == [
        Warned("sources.relay.tokens", f"{file}: holds no token: a line is a name, a space and the token")
    ]
    file.write_text("desk short\nnone\n")
    assert listens() == [
        Warned("sources.relay.tokens", f"{file}: line 1: the token must have 16 characters at least, 4096 at most"),
        Warned("sources.relay.tokens", f"{file}: line 2: must be a name, a space and the token"),
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
        Warned("sources.relay.tls", CLEAR_LISTEN.format("0.0.0.0:7000"))
    ]
    assert warned(UPSTREAM, url=anywhere, kind="proxy") == [
        Warned("sources.relay.tls", CLEAR_PROXY.format("0.0.0.0:7000"))
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
    expected = [Warned("sources.relay.upstream", message)] if message else []

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

    assert (Warned("sources.relay.upstream", itself) in found) == loops


def test_what_is_followed_is_a_file(tmp_path: Path) -> None:
    assert warned(url=f'path = "{tmp_path}"', kind="follow") == [
        Warned("sources.relay.path", f"{tmp_path}: is a folder")
    ]
    assert warned(url='path = "-"', kind="follow") == []


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("", []), ("/tmp/steno", []), ("/dev/null/audit", [Warned("audit.directory", "/dev/null: is no folder")])],
)
def test_the_folder_of_the_audit_log(folder: str, expected: list[Warned]) -> None:
    text = f'[audit]\ndirectory = "{folder}"\n' if folder else ""

    assert list(warnings(parse(text, "steno.toml"), {})) == expected


def test_the_command_warns_and_prints_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "steno.toml"
    file.write_text('[audit]\ndirectory = "/tmp"\nkey = { env = "STENO_TEST_ABSENT" }\n')

    done = subprocess.run(
        [sys.executable, "-m", "steno", "check", "-c", file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stderr == f"warning: {file}: audit.key: $STENO_TEST_ABSENT: is not set\n"
    assert 'directory = "/tmp"' in done.stdout


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
    assert [each.key for each in warnings(parse(f"[http]\n{table}", "steno.toml"), {"LOGS_DIRECTORY": "/"})] == warned


def test_what_is_wrong_with_the_web_configuration(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue(ends="20210101000000Z")
    web, token = tmp_path / "web.yml", tmp_path / "token"
    token.write_text("one")
    told: list[Warned] = []
    for text in ("{}", f"tls_server_config:\n  cert_file: {certificate}\n  key_file: {key}\n", None):
        web.unlink(missing_ok=True)
        if text:
            web.write_text(text)
        table = f'[http]\nlisten = "[::]:1"\nweb_config = "{web}"\ntoken = {{ file = "{token}" }}'
        told += warnings(parse(table, "steno.toml"), {"LOGS_DIRECTORY": "/"})
    clear = list(
        warnings(parse(table.replace(f'web_config = "{web}"', "anonymous = false"), "f"), {"LOGS_DIRECTORY": "/"})
    )

    assert told == [
        Warned(
            "http.web_config",
            f"{web}: tls_server_config: must be there, with cert_file and key_file: without TLS leave http.web_config "
            "out",
        ),
        Warned("http.web_config", f"{certificate}: certificate has expired"),
        Warned("http.web_config", f"{web}: cannot be read: no such file or directory"),
    ]
    assert clear == [
        Warned("http.web_config", "is not set, and [::]:1 is not loopback: the token can be read on the way")
    ]
