"""Why an attempt to connect failed, as a reason of a closed list."""

import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, ProxyError
from websockets.http11 import Response

from steno.errors import ConfigError, ConfigFault
from steno.sources.connect_errors import NAMES, fatal_close, reason_of, retry_after, sentence_of, shown_reason
from steno.sources.recording import Close


def refused(status: int, body: bytes = b"", **headers: str) -> InvalidStatus:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InvalidStatus(Response(status, "", Headers(named), body))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused(401), "unauthorized"),
        (refused(403), "unauthorized"),
        (refused(404), "not_found"),
        (refused(429), "rate_limited"),
        (refused(503), "server_error"),
        (refused(599), "server_error"),
        (refused(418), "http_status"),
        (ConfigError([ConfigFault("$TOKEN", "", "is not set")]), "secret_missing"),
        (ssl.SSLCertVerificationError(), "certificate"),
        (ssl.SSLError(), "tls"),
        (socket.gaierror(), "name_lookup"),
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "refused"),
        (OSError(), "network"),
        (InvalidHandshake(), "handshake"),
        (InvalidProxy("garbage", "no scheme"), "proxy"),
        (ProxyError(), "proxy"),
        (ImportError(), "proxy"),
        (KeyError("x"), "other"),
    ],
)
def test_reason(error: Exception, reason: str) -> None:
    """The special stands before the general: a refused connection is also an OSError."""
    assert reason_of(error) == reason
    assert reason in NAMES
    assert isinstance(sentence_of(error), str)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (refused(429, Retry_After="7"), 7),
        (refused(429), None),
        (refused(429, Retry_After="soon"), None),
        (refused(429, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"), 0),
        (TimeoutError(), None),
    ],
)
def test_retry_after(error: Exception, seconds: float | None) -> None:
    """Seconds or a date; anything else is None."""
    assert retry_after(error) == seconds


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (refused(503), "HTTP 503"),
        (
            refused(404, b'{"error":{"code":"call_id_not_found","message":"No such call."}}'),
            "HTTP 404, call_id_not_found",
        ),
        (refused(401, b'{"error":{"code":"sk-proj-abcdefghijklmnopqrstuvwx"}}'), "HTTP 401, ***"),
        (refused(401, b'{"error":{"code":"' + b"x" * 500 + b'"}}'), "HTTP 401, " + "x" * 120),
        (refused(401, b'{"error":{"code":"a\\nb"}}'), "HTTP 401, a b"),
        (refused(401, b'{"error":"no"}'), "HTTP 401"),
        (refused(401, b"\xff"), "HTTP 401"),
        (ConfigError([ConfigFault("$TOKEN", "headers.A", "is not set")]), "$TOKEN: headers.A: is not set"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), ""),
        (TimeoutError(), "no answer in open_timeout_seconds"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (KeyError("x"), ""),
    ],
)
def test_what_was_the_cause(error: Exception, sentence: str) -> None:
    assert sentence_of(error) == sentence


@pytest.mark.parametrize(
    ("code", "reason", "fatal"),
    [
        (4000, "invalid_request_error.beta_api_shape_disabled", "invalid_request"),
        (4000, "session over", None),
        (1008, "", "policy_violation"),
        (1001, "", None),
        (None, "", None),
    ],
)
def test_closes_that_come_again(code: int | None, reason: str, fatal: str | None) -> None:
    assert fatal_close(Close(0, code, reason)) == fatal


def test_the_reason_of_a_close_is_shown_without_keys() -> None:
    assert (
        shown_reason(Close(0, 1008, "key sk-proj-abcdefghijklmnopqrstuvwx\nis bad"))
        == "close code 1008, key *** is bad"
    )
    assert shown_reason(Close(0, None, "")) == "the connection broke off"
