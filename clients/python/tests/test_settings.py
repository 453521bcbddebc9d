from pathlib import Path

import pytest

from steno_tap import Tap
from steno_tap.settings import Settings, TokenError


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("ws://127.0.0.1:9465", "/v1/push"),
        ("ws://127.0.0.1:9465/", "/v1/push"),
        ("wss://steno.example/v1/push", "/v1/push"),
        ("wss://steno.example/behind/a/proxy/", "/behind/a/proxy/v1/push"),
        ("wss://steno.example/a b", "/a%20b/v1/push"),
    ],
)
def test_the_path_is_added_where_it_is_missing(url: str, target: str) -> None:
    assert Settings(url).target(None, "id", 1) == target


def test_the_query_says_what_the_server_has_to_know() -> None:
    assert Settings("ws://h").target("a/b&c", "id", 7) == "/v1/push?conversation=a%2Fb%26c"
    assert Settings("ws://h", ack=True).target(None, "id", 7) == "/v1/push?ack=1&resume=id&from=7"


@pytest.mark.parametrize(
    ("url", "address", "host"),
    [
        ("ws://127.0.0.1:9465", ("127.0.0.1", 9465), "127.0.0.1:9465"),
        ("ws://[::1]:9465", ("::1", 9465), "[::1]:9465"),
        ("wss://steno.example", ("steno.example", 443), "steno.example"),
        ("ws://steno.example", ("steno.example", 80), "steno.example"),
    ],
)
def test_addresses(url: str, address: tuple[str, int], host: str) -> None:
    assert (Settings(url).address, Settings(url).host_header) == (address, host)


@pytest.mark.parametrize(
    "url", ["http://h", "h:1", "", "ws://", "ws://user:secret@h", "ws://h?token=secret", "ws://h:x", "ws://h:70000"]
)
def test_an_address_that_can_never_do_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ValueError, match="the URL of steno") as refused:
        Settings(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "two words", "line\r\nX-Header: 1", "ü"])
def test_a_token_that_would_break_the_header_is_refused(token: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the token in token= is empty or has other characters") as refused:
        Settings("ws://h", token)
    assert not token or token not in str(refused.value)
    (tmp_path / "token").write_text(token + "\n")
    with pytest.raises(TokenError):
        Settings("ws://h", token_file=str(tmp_path / "token")).read_token()


def test_the_environment_says_what_is_not_said_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STENO_TAP_URL", "ws://steno.example:1")
    monkeypatch.setenv("STENO_TAP_TOKEN", "from-the-environment")
    assert Tap()._pusher.settings.url == "ws://steno.example:1"
    assert Tap()._pusher.settings.read_token() == "from-the-environment"
    assert Tap(token="given")._pusher.settings.read_token() == "given"

    (tmp_path / "token").write_text("first\n")
    monkeypatch.setenv("STENO_TAP_TOKEN_FILE", str(tmp_path / "token"))
    settings = Tap()._pusher.settings
    assert settings.read_token() == "first"
    (tmp_path / "token").write_text("second")
    assert settings.read_token() == "second"
    (tmp_path / "token").unlink()
    with pytest.raises(TokenError, match="No such file"):
        settings.read_token()


def test_a_token_does_not_show_in_a_representation() -> None:
    assert "t0ken" not in repr(Settings("ws://h", "t0ken"))


def test_a_token_in_the_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Tap("ws://127.0.0.1:1", "t0ken")
    assert not caplog.records
    Tap("ws://steno.example:1", "t0ken")
    assert caplog.messages == ["the token crosses the network unencrypted; use wss:// for ws://steno.example:1"]
