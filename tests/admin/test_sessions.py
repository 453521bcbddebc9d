"""Sessions of browsers: how long they last, how many there are, and what their cookie is called."""

import pytest

from steno.admin import sessions as module
from steno.admin.sessions import SECONDS, Sessions, cookie_name


def test_a_session_lasts_twelve_hours() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    cookie = sessions.begin("token")

    now[0] = SECONDS - 1.0
    before = sessions.holds(cookie, "token")
    now[0] = SECONDS
    after = sessions.holds(cookie, "token")

    assert (before, after, sessions.holds("", "token"), sessions.holds("\udcff", "token")) == (
        True,
        False,
        False,
        False,
    )


def test_past_the_most_the_oldest_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    sessions = Sessions()
    cookies = [sessions.begin("token") for _ in range(3)]

    assert [sessions.holds(cookie, "token") for cookie in cookies] == [False, True, True]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:9464", "steno_9464"),
        ("[::1]:9464", "steno_9464"),
        ("steno.example", "steno"),
        ("[::1]", "steno"),
        ("", "steno"),
        ("h:9464; Domain=example", "steno"),
    ],
)
def test_the_cookie_is_named_by_the_port(host: str, name: str) -> None:
    assert cookie_name(host) == name
