"""Addresses of sidebands, by the id of the call."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.sources.attach.sidebands import address_of, ends_with_its_connection, mistaken_for_a_call

LIVE = "live/sessions/live_1/attach?graceful_close=true"
AZURE = "wss://res.openai.azure.com/openai/v1"


@pytest.mark.parametrize(
    ("url", "call", "session"),
    [
        (
            "wss://api.example/v1/realtime",
            "wss://api.example/v1/realtime?call_id=rtc_1",
            f"wss://api.example/v1/{LIVE}",
        ),
        (
            "wss://api.example/v1/live/sessions",
            "wss://api.example/v1/realtime?call_id=rtc_1",
            f"wss://api.example/v1/{LIVE}",
        ),
        (f"{AZURE}/realtime", f"{AZURE}/realtime?call_id=rtc_1", f"{AZURE}/{LIVE}"),
        (f"{AZURE}/live/sessions/", f"{AZURE}/realtime?call_id=rtc_1", f"{AZURE}/{LIVE}"),
        (
            "wss://gateway.example/realtime?team=a",
            "wss://gateway.example/realtime?team=a&call_id=rtc_1",
            "wss://gateway.example/live/sessions/live_1/attach?team=a&graceful_close=true",
        ),
        ("ws://[::1]:8080", "ws://[::1]:8080?call_id=rtc_1", f"ws://[::1]:8080/{LIVE}"),
        ("wss://relay.example/calls", "wss://relay.example/calls?call_id=rtc_1", f"wss://relay.example/calls/{LIVE}"),
    ],
)
def test_the_id_tells_the_address(url: str, call: str, session: str) -> None:
    """Whichever of a provider's two addresses the source has."""
    assert (address_of(url, "rtc_1"), address_of(url, "live_1")) == (call, session)


def test_what_the_operator_says_of_the_close_stays() -> None:
    url = "wss://api.example/v1/live/sessions?graceful_close=false"
    assert address_of(url, "live_1") == "wss://api.example/v1/live/sessions/live_1/attach?graceful_close=false"


@given(st.text(min_size=1))
def test_no_id_changes_the_address_otherwise(text: str) -> None:
    """The register refuses such ids; this holds even so."""
    call = urlsplit(address_of("wss://api.example/v1/realtime", f"rtc_{text}"))
    session = urlsplit(address_of("wss://api.example/v1/realtime", f"live_{text}"))

    assert (call.netloc, call.path, call.query.count("&"), call.fragment) == ("api.example", "/v1/realtime", 0, "")
    assert (session.netloc, session.path.count("/"), session.query) == ("api.example", 5, "graceful_close=true")


@pytest.mark.parametrize(
    ("call_id", "ends", "mistaken"),
    [
        ("rtc_1", True, None),
        ("anything", True, None),
        ("live_1", False, None),
        ("resp_1", True, "a response"),
        ("conv_1", True, "a conversation of the Responses API"),
    ],
)
def test_what_an_id_says(call_id: str, ends: bool, mistaken: str | None) -> None:
    assert (ends_with_its_connection(call_id), mistaken_for_a_call(call_id)) == (ends, mistaken)
