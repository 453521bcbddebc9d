"""Why an attempt to connect failed, as a reason of a closed list: a label that operators can alert on."""

import socket
import ssl
from collections.abc import Mapping
from time import time
from typing import Final

import msgspec
from msgspec import Struct
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, ProxyError

from steno.errors import ConfigError
from steno.sources import retry_after as header
from steno.sources.recording import Close
from steno.sources.redirects import RedirectRefusedError
from steno.sources.trust import CaFileError
from steno.wire.secrets import mask_text

STATUSES: Final = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 429: "rate_limited"}
SERVER_ERRORS: Final = 500
SHOWN_CHARACTERS: Final = 120
"""How much is shown of a text that a server sent."""
NOT_FOUND: Final = 404
UNKNOWN_CALL: Final = frozenset({"call_id_not_found", "session_id_not_found"})
"""Codes in the body of a 404 by which the provider says that a call, or a Live session, is not there, or is over."""

REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (CaFileError, "ca_file"),
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

    No reason is final. Every failure is tried again, since what is wrong may be repaired meanwhile; those of `FATAL`
    slowly.
    """
    if isinstance(error, RedirectRefusedError):
        return error.reason
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return STATUSES.get(status, "server_error" if status >= SERVER_ERRORS else "http_status")
    return next((reason for kind, reason in REASONS if isinstance(error, kind)), "other")


FATAL: Final[Mapping[str, str]] = {
    "certificate": "the server's certificate is not trusted: mend it, or name the authority that signed it as ca_file",
    "unauthorized": "the server refuses who asks: look at the headers, whose values are read again at each attempt",
    "not_found": "the server has nothing at this path, or knows no such call: look at the URL",
    "policy_violation": "the server closed the connection as against its rules: look at its reason",
    "invalid_request": "the server closed the connection since it takes no such request: look at its reason",
}
"""Reasons that seldom go away by themselves, and what the operator can do. They are tried again slowly, and said each
time: what is wrong may be mended at the other end, or a header's file may be exchanged."""

POLICY_VIOLATION: Final = 1008
REFUSED_BY_PROVIDER: Final = 4000
"""How OpenAI closes a session that it does not serve, with `invalid_request_error.<code>` as the reason."""


def fatal_close(close: Close) -> str | None:
    """Return why a connection that ended by `close` will end so again: a key of `FATAL`. None where it need not."""
    if close.code == POLICY_VIOLATION:
        return "policy_violation"
    refused = close.code == REFUSED_BY_PROVIDER and close.reason.startswith("invalid_request_error")
    return "invalid_request" if refused else None


def sentence_of(error: BaseException) -> str:
    """Return what the operator should know of `error`: the file, header, certificate or status that is the cause.

    What a server sent stands in it cut, and with secrets masked.
    """
    if isinstance(error, InvalidStatus):
        code = _refusal_code(error)
        return f"HTTP {error.response.status_code}" + (f", {code}" if code else "")
    if isinstance(error, ConfigError):
        return "; ".join(map(str, error.faults))
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(getattr(error, "verify_message", ""))  # errors of other libraries have none
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or "").lower().replace("_", " ")
    if isinstance(error, TimeoutError):
        return "no answer in open_timeout_seconds"
    if isinstance(error, OSError):
        return (error.strerror or "").lower()
    return ""


def shown_reason(close: Close) -> str:
    """Return how a server closed a connection, for the operator."""
    if close.code is None:
        return "the connection broke off"
    return f"close code {close.code}" + (f", {_shown(close.reason)}" if close.reason else "")


def _shown(text: str) -> str:
    return mask_text("".join(each if each.isprintable() else " " for each in text[:SHOWN_CHARACTERS]))


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


def _refusal_code(error: InvalidStatus) -> str | None:
    """Return the code of an error in the body of a refusal, where it has the provider's form."""
    try:
        code = msgspec.json.decode(error.response.body or b"", type=_Refusal).error.code
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return _shown(code) if code else None


def call_is_unknown(error: BaseException) -> bool:
    """Return whether `error` is the refusal of a server that knows no such call, in its own words."""
    if not isinstance(error, InvalidStatus) or error.response.status_code != NOT_FOUND:
        return False
    return _refusal_code(error) in UNKNOWN_CALL
