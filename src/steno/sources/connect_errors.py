"""Why an attempt to connect failed, as a reason of a closed list: a label that operators can alert on."""

import socket
import ssl
from time import time
from typing import Final

import msgspec
from msgspec import Struct
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, ProxyError

from steno.errors import ConfigError
from steno.sources import retry_after as header
from steno.sources.redirects import RedirectRefusedError

STATUSES: Final = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 429: "rate_limited"}
SERVER_ERRORS: Final = 500
NOT_FOUND: Final = 404
UNKNOWN_CALL: Final = "call_id_not_found"
"""The code in the body of a 404 by which the provider says that a call is not there, or is over."""

REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ConfigError, "secret_missing"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "name_lookup"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (OSError, "network"),
    (InvalidProxy, "proxy"),
    (ProxyError, "proxy"),
    (ImportError, "proxy"),
    (InvalidHandshake, "handshake"),
)
"""Types of errors and their reasons, the special before the general. A proxy of a kind that needs a package which is
not installed is an ImportError."""

PROXY_ADVICE: Final = (
    "the environment names a proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) that cannot be used or refuses: "
    "mend it, or name the host in NO_PROXY; SOCKS needs the package python-socks"
)

NAMES: Final = tuple(
    dict.fromkeys(
        (
            *STATUSES.values(),
            *(reason for _, reason in REASONS),
            *("server_error", "http_status", "redirect_refused", "redirect_loop", "other"),
        )
    )
)
"""All reasons: a closed list."""


def reason_of(error: BaseException) -> str:
    """Return the reason for `error`, one of `NAMES`.

    No reason is final. Every failure is tried again, since what is wrong may be repaired meanwhile.
    """
    if isinstance(error, RedirectRefusedError):
        return error.reason
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return STATUSES.get(status, "server_error" if status >= SERVER_ERRORS else "http_status")
    return next((reason for kind, reason in REASONS if isinstance(error, kind)), "other")


def retry_after(error: BaseException) -> float | None:
    """Return the seconds, bounded, that a refusal asks to be left alone for; None where it asks nothing."""
    if not isinstance(error, InvalidStatus):
        return None
    return header.wait_of(error.response.headers.get_all("Retry-After"), time())


def detail_of(error: BaseException) -> dict[str, str]:
    """Return what the log says besides the reason: where a redirect leads that is not followed, and what to do."""
    if reason_of(error) == "proxy":
        return {"advice": PROXY_ADVICE}
    if not isinstance(error, RedirectRefusedError):
        return {}
    return {"redirected_to": error.target, "advice": error.advice}


class _Error(Struct):
    code: str | None = None


class _Refusal(Struct):
    error: _Error


def call_is_unknown(error: BaseException) -> bool:
    """Return whether `error` is the refusal of a server that knows no such call, in its own words."""
    if not isinstance(error, InvalidStatus) or error.response.status_code != NOT_FOUND:
        return False
    try:
        return msgspec.json.decode(error.response.body or b"", type=_Refusal).error.code == UNKNOWN_CALL
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
