"""Why an attempt to connect failed, as a reason of a closed list."""

import socket
import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, ProxyError
from websockets.http11 import Response

from steno.errors import ConfigError, ConfigFault
from steno.sources.connect_errors import reason_of, retry_after


def refused(status: int, **headers: str) -> InvalidStatus:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InvalidStatus(Response(status, "", Headers(named), b""))


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
