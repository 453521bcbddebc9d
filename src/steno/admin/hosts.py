"""Whom a request asks for: a request for another host than this daemon is refused.

A web page can make a browser ask this daemon, by letting the name of its own site lead to the daemon's address (DNS
rebinding); the browser then takes the answer for one of that site, and hands it to the page. What gives it away is the
header `Host`: it has the name of that site. So what nobody can own as a site is answered, and every other name must be
configured:

- Addresses, and requests without the header, which no browser sends.
- `localhost`, and the name that is listened on.
- `http.hosts`.
- Where the daemon listens elsewhere than on loopback: names without a dot (containers and services are called so, and
  no public name is), and the name of the machine.
"""

import re
import socket
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Final

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from steno.addresses import is_loopback
from steno.admin.connections import ConnectionTable

ANY: Final = "*"
"""Stands in `http.hosts` for any name: nothing is refused."""
MISDIRECTED: Final = 421
REPEATED_SECONDS: Final = 60.0
"""How often a refusal is logged."""
REFUSAL: Final = (
    "This daemon does not answer to the name that was asked for, since a web page could misuse that (DNS rebinding).\n"
    "Ask for its address, or add the name to http.hosts in its configuration.\n"
)

_HOST: Final = re.compile(r"(?:\[(?P<address>[^\]]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]*)?")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?")


class HostPolicy:
    """The hosts that this daemon is. `names` may be set anew while it runs."""

    def __init__(self, listen: str, names: Iterable[str], machine: str | None = None) -> None:
        """Answer to `listen`, the address or name that is listened on, and to `names`.

        `machine` is the name of this machine, which the system is asked for where it is not given.
        """
        self.names = frozenset(names)
        self._private = is_loopback(listen)
        own = socket.gethostname() if machine is None else machine
        self._own = {"localhost", listen.lower()} | (set() if self._private else {own.lower()})

    def allows(self, header: str | None) -> bool:
        """Return whether a request with this `Host` is for us; None stands for a request without the header."""
        if header is None or ANY in self.names:
            return True
        match = _HOST.fullmatch(header)
        if match is None:
            return False
        if match["address"]:
            return _is_address(match["address"])
        name = match["name"].lower().removesuffix(".")
        return _is_address(name) or self._is_ours(name)

    def _is_ours(self, name: str) -> bool:
        if name in self._own or name in {each.lower() for each in self.names}:
            return True
        return not self._private and "." not in name and _NAME.fullmatch(name) is not None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class HostGuard:
    """An application that passes on the requests for our hosts, and answers 421 to all others."""

    def __init__(
        self,
        app: ASGIApp,
        policy: HostPolicy,
        table: ConnectionTable,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Pass on to `app`, and count refusals in `table`; `clock` has seconds."""
        self._app = app
        self._policy = policy
        self._table = table
        self._clock = clock
        self._logged: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), None)
        if self._policy.allows(host):
            await self._app(scope, receive, send)
            return
        self._table.rejected["host"] += 1
        self._log(host or "")
        await PlainTextResponse(REFUSAL, MISDIRECTED, {"connection": "close"})(scope, receive, send)

    def _log(self, host: str) -> None:
        """Say which name was asked for, once in a while, where it is a name at all."""
        now = self._clock()
        if self._logged is None or now - self._logged >= REPEATED_SECONDS:
            self._logged = now
            name = host.rpartition(":")[0].lower() or host.lower()
            shown = name if _NAME.fullmatch(name) else "?"
            structlog.get_logger().warning("a request for another host was refused: see http.hosts", host=shown)
