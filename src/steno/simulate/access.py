"""Who may use the provider: the holder of its key, where it has one, and holders of keys for one session.

Keys are compared, and never shown: they are in no log, no error and no answer.
"""

import hmac
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.steps import Ids

EPHEMERAL: Final = "ek_"
"""What a key for one session begins with."""
GRANTS_MAX: Final = 1_000
"""Keys for sessions that are remembered, the newest."""
_IN_SUBPROTOCOL: Final = "openai-insecure-api-key."

Configuration = dict[str, Any]


class Grant(msgspec.Struct, frozen=True):
    """A key for a session."""

    value: str
    expires_at: int
    """A Unix second."""
    configuration: Configuration
    """Of the sessions that it opens."""


def shown_key(headers: Iterable[tuple[str, str]]) -> str | None:
    """Return the key of a request: a bearer token, an `api-key`, or the one that a browser has in a subprotocol."""
    found = None
    for name, value in headers:
        match name.lower():
            case "authorization" if value[:7].lower() == "bearer ":
                found = value[7:].strip()
            case "api-key":
                found = value.strip()
            case "sec-websocket-protocol":
                found = next(filter(None, map(_key_in, value.split(","))), found)
    return found or None


def _key_in(subprotocol: str) -> str | None:
    before, marker, key = subprotocol.strip().partition(_IN_SUBPROTOCOL)
    return key if marker and not before else None


class Access:
    """The keys of one provider."""

    def __init__(self, key: str | None, rng: Random, now: Callable[[], int]) -> None:
        """Admit everyone where `key` is None. `now` returns the Unix second, `rng` makes the keys of sessions."""
        self._key = key
        self._ids = Ids(rng)
        self._now = now
        self._grants: dict[str, Grant] = {}

    def grant(self, configuration: Configuration, seconds: int) -> Grant:
        """Make a key for sessions of `configuration`, valid for `seconds`."""
        made = Grant(self._ids.plain("ek"), self._now() + seconds, configuration)
        self._grants[made.value] = made
        if len(self._grants) > GRANTS_MAX:
            del self._grants[next(iter(self._grants))]
        return made

    def admits(self, shown: str | None) -> bool:
        """Return whether a request may go on. The key of a session has to be known and valid, whoever else may."""
        if shown is not None and shown.startswith(EPHEMERAL):
            return self.granted(shown) is not None
        if self._key is None:
            return True
        return hmac.compare_digest((shown or "").encode(), self._key.encode())

    def granted(self, shown: str | None) -> Grant | None:
        """Return what the key of a session was made for, or None where it is another key or is not valid any more."""
        found = self._grants.get(shown or "")
        return found if found and self._now() < found.expires_at else None


def refusal(shown: str | None) -> dict[str, Any]:
    """Return the body of the response to who is not admitted."""
    if shown is None:
        return error_body("There is no API key. Send it in the header 'Authorization: Bearer KEY'.", None)
    return error_body("The API key is not valid.", "invalid_api_key")


def error_body(message: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """Return the body of a response that says what is wrong, as upstream has it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
