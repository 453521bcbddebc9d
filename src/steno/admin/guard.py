"""The guard of the HTTP face: it stands before all routes, so that none can forget to ask who is there.

    probes                           are answered to anybody
    open routes                      to anybody, unless all clients must show a certificate
    what reads                       to anybody on loopback or where `http.anonymous` says so, else to who is authorized
    what acts, or is not described   to who is authorized
    whatever has no route            as what reads: a stranger does not learn what there is

What changes something is refused to the web pages of others, whatever the browser sends along: it says whose page it
asks for, by `Sec-Fetch-Site` and `Origin`.
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from steno.admin.answers import error
from steno.admin.attempts import SECONDS_EACH
from steno.admin.authorization import Authorization, Verdict
from steno.admin.connections import ConnectionTable, Rejection
from steno.admin.operations import Access, DescribedRoute

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
OWN_SITES: Final = frozenset({"same-origin", "none"})
"""Values of `Sec-Fetch-Site` of a page of this address, and of who typed it."""

UNCONFIGURED: Final = (
    "no http.token is configured, so nobody may do this over HTTP: configure one; for calls, `steno attach` on this "
    "machine asks by the control socket in the folder of the audit log"
)
UNAUTHORIZED: Final = "this needs the header `Authorization: Bearer TOKEN` with the token of http.token"
THROTTLED: Final = "too many wrong tokens came from this address: wait a minute"
UNCERTIFIED: Final = "this needs a certificate that client_ca_file and client_allowed_sans of http.web_config allow"
FOREIGN: Final = "a web page of another origin may not ask for this"


class Refusal(Struct, frozen=True):
    """Why a request is refused."""

    status: HTTPStatus
    code: str
    message: str
    reason: Rejection


class Guard:
    """An application that passes on what may be asked, and refuses the rest."""

    def __init__(
        self, app: ASGIApp, routes: list[BaseRoute], authorization: Authorization, table: ConnectionTable
    ) -> None:
        """Pass on to `app`, which has `routes`; count refusals in `table`."""
        self._app = app
        self._routes = routes
        self._authorization = authorization
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request, route = Request(scope), self._route(scope)
        verdict = self._authorization.verdict(request)
        refusal = self._refusal(request, _access(route), verdict)
        if refusal is None:
            if verdict == "wrong":
                self._table.rejected["wrong_token"] += 1
            await self._app(scope, receive, send)
            return
        self._table.rejected[refusal.reason] += 1
        if isinstance(route, DescribedRoute) and route.turned_away:
            route.turned_away(refusal.code)
        await error(refusal.status, refusal.code, refusal.message, _headers(refusal))(scope, receive, send)

    def _route(self, scope: Scope) -> BaseRoute | None:
        """Return the route that will answer; None where none does."""
        return next((route for route in self._routes if route.matches(scope)[0] == Match.FULL), None)

    def _refusal(self, request: Request, access: Access, verdict: Verdict) -> Refusal | None:
        if request.method not in SAFE and is_foreign(request):
            return Refusal(HTTPStatus.FORBIDDEN, "foreign_origin", FOREIGN, "foreign_origin")
        if access == "probe":
            return None
        if self._authorization.clients.required and not self._authorization.certified(request):
            return Refusal(HTTPStatus.FORBIDDEN, "certificate_needed", UNCERTIFIED, "unauthorized")
        if access == "open" or verdict == "allowed":
            return None
        if access == "read" and self._authorization.policy.readable(request.scope["path"]):
            return None
        return self._unauthorized(verdict)

    def _unauthorized(self, verdict: Verdict) -> Refusal:
        if verdict == "throttled":
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_many_attempts", THROTTLED, "throttled")
        message = UNCONFIGURED if self._authorization.token is None else UNAUTHORIZED
        reason: Rejection = "wrong_token" if verdict == "wrong" else "unauthorized"
        return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", message, reason)


def _access(route: BaseRoute | None) -> Access:
    """Return who may ask for `route`. One that is not described could do anything; no route does nothing."""
    if isinstance(route, DescribedRoute):
        return route.operation.access
    return "read" if route is None else "act"


def _headers(refusal: Refusal) -> dict[str, str]:
    """Return the headers of a refusal. The body is not read, so the connection ends."""
    headers = {"connection": "close"}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["retry-after"] = f"{SECONDS_EACH:.0f}"
    return headers


def is_foreign(request: Request) -> bool:
    """Return whether a web page of another origin sends this. Programs send neither header.

    Hosts and ports are compared, and not schemes: a reverse proxy may end TLS.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in OWN_SITES:
        return True
    if origin is None:
        return False
    place = _place(origin)
    return place is None or place != _place(f"//{request.headers.get('host', '')}", origin)


def _place(url: str, like: str = "") -> tuple[str, int] | None:
    """Return host and port of `url`, which without one has that of the scheme of `like`; None where it has no host."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(urlsplit(like or url).scheme, 0)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname else None
