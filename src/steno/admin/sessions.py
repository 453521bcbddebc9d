"""`/v1/session`: a browser exchanges the token for a cookie, since neither a link nor an EventSource sends a header.

The cookie is a random number, of which the daemon keeps the hash: nobody learns the token from it. It is worth nothing
after 12 hours, when it was ended, when `http.token` is another one, and after a restart. No script can read it
(HttpOnly), and no other site can have it sent (SameSite=Strict).

A browser sends a cookie to all ports of a host. So its name has the port: else two daemons on one machine would take
each other's. It also means that other servers on that host are sent it: who does not trust them gives the daemon a name
of its own.
"""

import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from msgspec import Struct

HOURS: Final = 12
SECONDS: Final = HOURS * 3600
MOST: Final = 1024
"""Sessions at a time. Past it the oldest ends. Only who has the token can begin one."""
NAME: Final = "steno"

_PORT: Final = re.compile(r"(?:\[[^\]]*\]|[^:]*):([0-9]{1,5})")


class _Session(Struct, frozen=True):
    expires: float
    token: bytes
    """The hash of the token that it was begun with."""


class Sessions:
    """The sessions of browsers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """There is none. `clock` has seconds, and never runs backwards."""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        """Hash of a cookie to its session, the oldest first. A look-up by a hash tells no time of use."""

    def begin(self, token: str) -> str:
        """Return the cookie of a new session for who has sent `token`, which was right."""
        while len(self._sessions) >= MOST:
            self._sessions.popitem(last=False)
        cookie = secrets.token_urlsafe(32)
        self._sessions[_hash(cookie)] = _Session(self._clock() + SECONDS, self._of(token))
        return cookie

    def holds(self, cookie: str, token: str) -> bool:
        """Return whether `cookie` is that of a session, begun with what is the `token` now."""
        session = self._sessions.get(_hash(cookie))
        if session is None:
            return False
        if session.expires <= self._clock() or not hmac.compare_digest(session.token, self._of(token)):
            self.end(cookie)
            return False
        return True

    def end(self, cookie: str) -> None:
        """End the session of `cookie`, where there is one."""
        self._sessions.pop(_hash(cookie), None)

    def _of(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(), "sha256")


def _hash(cookie: str) -> bytes:
    return sha256(cookie.encode("utf-8", "surrogateescape")).digest()


def cookie_name(host: str) -> str:
    """Return the name of the cookie for who asks by this header `Host`: `steno_9464` for port 9464."""
    match = _PORT.fullmatch(host)
    return f"{NAME}_{match[1]}" if match else NAME
