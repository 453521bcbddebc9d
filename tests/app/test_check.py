"""What `steno check` warns of."""

import subprocess
import sys
from pathlib import Path

import pytest

from steno.app.check import Warned, warnings
from steno.config import parse

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


def test_files_of_a_side_that_listens(tmp_path: Path) -> None:
    missing, none = tmp_path / "missing", tmp_path / "none"
    none.write_text("none")

    assert warned(
        f'tokens = "{missing}"', f'tls = {{ certificate = "{none}", key = "{missing}" }}', url="", kind="listen"
    ) == [
        Warned("sources.relay.tokens", f"{missing}: does not exist"),
        Warned("sources.relay.tls.key", f"{missing}: does not exist"),
    ]
    (found,) = warned(f'tls = {{ certificate = "{none}", key = "{none}" }}', url="", kind="listen")
    assert found.key == "sources.relay.tls"
    assert found.message.startswith("the certificate and the key are none, or do not belong together: ")


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
