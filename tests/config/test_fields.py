"""Names, addresses and URLs: what is accepted, what is refused, and what is shown of them."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from websockets.uri import parse_uri

from steno.config import mask_url, parse
from steno.config.fields import header_fault, http_url_fault, listen_fault, split_listen, subprotocol_fault, url_fault
from tests.config.helpers import FILE, faults_of, source


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:0", ("localhost", 0)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),  # noqa: S104 - only split, never bound
        ("[::1]:80", ("::1", 80)),
        ("[0:0:0:0:0:0:0:1]:80", ("::1", 80)),
    ],
)
def test_an_address_has_a_host_and_a_port(listen: str, address: tuple[str, int]) -> None:
    assert split_listen(listen) == address
    assert listen_fault(listen) is None


@pytest.mark.parametrize(
    "listen",
    [
        *[
            "9464",
            ":9464",
            "127.0.0.1",
            "127.0.0.1:",
            "::1:80",
            "[::1]",
            "[a]:80",
            "a b:80",
            "h:65536",
            "h:٣",
            "h:80\n",
        ],
        "",
    ],
)
def test_any_other_address_is_refused(listen: str) -> None:
    assert split_listen(listen) is None
    assert listen_fault(listen) == 'must be an address and a port, such as "127.0.0.1:9464" or "[::1]:9464"'


@pytest.mark.parametrize(
    "url",
    ["ws://h", "WSS://h/", "ws://127.0.0.1:8765/v1?model=a&line=1", "wss://[::1]:443/a%20b", "ws://a.b.c./"],
)
def test_a_websocket_url_is_accepted(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "must be printable ASCII"),
        ("ws://h/a b", "must be printable ASCII"),
        ("ws://h/\n", "must be printable ASCII"),
        ("ws://münchen.example", "must be printable ASCII"),
        ("ws://", "must be a URL with a host"),
        ("ws:///path", "must be a URL with a host"),
        ("relay.example", "must be a URL with a host"),
        ("ws://h:0/", "must be a URL with a host"),
        ("ws://h:65536/", "must be a URL with a host"),
        ("ws://h:port/", "must be a URL with a host"),
        ("ws://[::1/", "must be a URL with a host"),
        ("ws://a..b/", "must be a URL with a host"),
        (f"ws://{'a' * 64}/", "must be a URL with a host"),
        ("https://h/", "must begin with ws:// or wss://"),
        ("ws://user@h/", "must not hold a user or a password"),
        ("ws://user:password@h/", "must not hold a user or a password"),
        ("ws://h/#", "must not hold a fragment"),
        ("ws://h/?a=b#c", "must not hold a fragment"),
    ],
)
def test_any_other_url_is_refused_with_the_reason(url: str, fault: str) -> None:
    assert (url_fault(url) or "").startswith(fault)


@settings(deadline=None)  # a busy machine is no fault
@given(st.text("ws:/[]@.?#%=&0123456789abé \n", max_size=30).map("ws://".__add__))
@example("ws://[::1]:1/")
def test_the_websocket_library_accepts_every_accepted_url(url: str) -> None:
    assume(url_fault(url) is None)

    parsed = parse_uri(url)

    assert parsed.user_info is None
    assert 0 < parsed.port < 65536


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://h/p", "ws://h/p"),
        ("ws://h/p?", "ws://h/p?"),
        ("ws://h/?model=a&line=1", "ws://h/?model=***&line=***"),
        ("ws://h/?a=b=c&&d=", "ws://h/?a=***&&d=***"),
        ("ws://h/?token", "ws://h/?***"),
        ("ws://h/?a=1;b=2?c", "ws://h/?a=***"),
        ("ws://h/sk-proj-abc_DEF-123/v1?a", "ws://h/***/v1?***"),
        ("ws://desk-management.example/task-oriented", "ws://desk-management.example/task-oriented"),
    ],
)
def test_the_values_of_a_query_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown
    assert mask_url(shown) == shown


@pytest.mark.parametrize("name", ["Host", "upgrade", "Sec-WebSocket-Key", "CONNECTION"])
def test_a_header_of_the_handshake_cannot_be_set(name: str) -> None:
    assert "is written by the handshake" in (header_fault(name) or "")


def test_the_header_of_subprotocols_has_a_key_of_its_own() -> None:
    assert header_fault("sec-websocket-protocol") == (
        "Sec-WebSocket-Protocol is written by the handshake: use subprotocols"
    )
    assert header_fault("Authorization") is None


def test_an_api_key_is_refused_as_a_subprotocol() -> None:
    assert (subprotocol_fault("openai-insecure-api-key.sk-1") or "").startswith("must not hold an API key")
    assert (subprotocol_fault("sk-proj-abcdefgh") or "").startswith("must not hold an API key")
    assert subprotocol_fault("realtime") is None


@pytest.mark.parametrize("name", ["a", "0", "front-desk", "a.b_c-d", "a" * 63])
def test_a_source_name_may_be_a_metric_label(name: str) -> None:
    assert parse(source(name=name), FILE).sources[0].name == name


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "a b", "a\\n", "a" * 64, "ä"])
def test_any_other_source_name_is_refused(name: str) -> None:
    (line,) = faults_of(source(name=name))

    assert line.startswith("sources[0].name: must be 1 to 63 of a-z, 0-9, `_`, `.` and `-`, the first ")


@pytest.mark.parametrize("value", ["", "a\\u0000b", "a\\n"])
def test_a_path_holds_no_control_character(value: str) -> None:
    fault = "must be a path, neither empty nor with control characters"
    assert faults_of(f'[audit]\ndirectory = "{value}"') == [f"audit.directory: {fault}"]


def test_the_address_of_a_provider_has_no_query() -> None:
    assert http_url_fault("https://api.example/v1?key=a") == "must not hold a query (?...): a client's own is appended"
    assert http_url_fault("wss://api.example") == "must begin with http:// or https://"
    assert http_url_fault("https://api.example/base") is None
