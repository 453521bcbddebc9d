"""Why an attempt to connect failed, as a word of a closed list: a label that operators can alert on."""

import socket
import ssl
from email.utils import parsedate_to_datetime
from time import time
from typing import Final

from websockets.exceptions import InvalidHandshake, InvalidStatus

from steno.errors import ConfigError

STATUSES: Final = {401: "unauthorized", 403: "unauthorized", 404: "not_found", 429: "rate_limited"}
SERVER_ERRORS: Final = 500

KINDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ConfigError, "secret_missing"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "name_lookup"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (OSError, "network"),
    (InvalidHandshake, "handshake"),
)
"""Kinds of errors, the special before the general."""


def reason_of(error: BaseException) -> str:
    """Return the word for `error`. Every failure is tried again: what is wrong may be mended meanwhile."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return STATUSES.get(status, "server_error" if status >= SERVER_ERRORS else "http_status")
    return next((word for kind, word in KINDS if isinstance(error, kind)), "other")


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the server asks to be left alone for."""
    if not isinstance(error, InvalidStatus):
        return None
    value = error.response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (TypeError, ValueError):
        return None
