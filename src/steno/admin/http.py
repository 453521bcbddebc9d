"""The application of the HTTP face, and the socket that it is served on: see `server`."""

import errno
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol

from msgspec import Struct
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp

from steno.admin.answers import error
from steno.admin.authorization import Authorization
from steno.admin.connections import ConnectionTable
from steno.admin.guard import Guard
from steno.admin.headers import SecurityHeaders
from steno.admin.hosts import HostGuard, HostPolicy
from steno.admin.metrics_page import MetricsPage
from steno.admin.openapi import document_route
from steno.admin.operations import TEXT, DescribedRoute, Operation
from steno.admin.segments import SentPaths
from steno.admin.session_routes import session_routes
from steno.errors import UnavailableError
from steno.metrics.formats import render

HEAD_SECONDS: Final = 10.0
"""How long a client may take to send the head of a request, and to take a response."""

PROGRAMS: Final = "/v1/"
"""What programs ask for: errors are JSON there."""

BACKLOG: Final = 128
"""Connections that wait to be accepted."""


class CheckResult(Struct, frozen=True):
    """What a health check found: the verdict, and what it is made of."""

    ok: bool
    detail: Mapping[str, Any]
    """Members of the JSON response beside `ok`."""


HealthCheck = Callable[[], CheckResult]


class ReadyCheck(Protocol):
    """Says whether the daemon is ready."""

    def __call__(self, *, detailed: bool) -> CheckResult:
        """Return that; `detailed` as who has the token may see it."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host`, an IPv6 address without brackets or any other, and `port` (0: any free).

    Raises UnavailableError, which names the address, where that is not possible.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        taken = "; each steno needs an http.listen of its own" if error.errno == errno.EADDRINUSE else ""
        raise UnavailableError(f"cannot listen on {host}:{port}: {error.strerror}{taken}") from error
    return sock


METRICS: Final = Operation(
    summary="The metrics, in the format of Prometheus that the client accepts.", answers={200: TEXT}
)
HEALTHZ: Final = Operation(
    access="probe",
    summary="Says whether the daemon makes progress.",
    answers={200: dict[str, Any], 503: dict[str, Any]},
)
READYZ: Final = Operation(
    access="probe",
    summary="Says whether the daemon is ready, and of each source why it is not; who is authorized is told details.",
    answers={200: dict[str, Any], 503: dict[str, Any]},
)


def application(
    registry: Collector,
    healthy: HealthCheck,
    ready: ReadyCheck,
    authorization: Authorization,
    further: Sequence[BaseRoute] = (),
    table: ConnectionTable | None = None,
) -> ASGIApp:
    """Return the application that answers `/metrics`, `/healthz`, `/readyz` and `further` routes, for any host.

    Args:
        registry: the metrics.
        healthy: what `/healthz` answers.
        ready: what `/readyz` answers; who is authorized is shown details.
        authorization: who may ask for what: see `guard`.
        further: routes, a `DescribedRoute` each; any other is for who is authorized alone.
        table: counts the requests that are refused.
    """
    metrics = MetricsPage(partial(render, registry)).respond

    async def healthz(_request: Request) -> Response:
        return _response(healthy())

    async def readyz(request: Request) -> Response:
        return _response(ready(detailed=authorization.allows(request)))

    table = ConnectionTable(0, HEAD_SECONDS) if table is None else table
    own = [
        DescribedRoute("/metrics", metrics, METRICS),
        DescribedRoute("/healthz", healthz, HEALTHZ),
        DescribedRoute("/readyz", readyz, READYZ),
    ]
    return guarded([*own, *further], authorization, table)


def guarded(routes: Sequence[BaseRoute], authorization: Authorization, table: ConnectionTable) -> ASGIApp:
    """Return the application that answers `routes`, sessions and the OpenAPI document, behind the guard."""
    every = [*routes, *session_routes(authorization, table)]
    every.append(document_route(every))
    app = Starlette(routes=every, exception_handlers={HTTPException: partial(_refused, routes=every)})
    app.router.redirect_slashes = False  # of a key that is left out it would make another request
    return SentPaths(Guard(app, every, authorization, table))


def face(app: ASGIApp, hosts: HostPolicy, table: ConnectionTable) -> ASGIApp:
    """Return `app` for the hosts of this daemon alone, with what every response has."""
    return SecurityHeaders(HostGuard(app, hosts, table))


async def _refused(request: Request, refused: Exception, routes: Sequence[BaseRoute]) -> Response:
    """Answer what has no route: in JSON where programs ask."""
    status = HTTPStatus(refused.status_code) if isinstance(refused, HTTPException) else HTTPStatus.BAD_REQUEST
    given = refused.headers or {} if isinstance(refused, HTTPException) else {}
    headers = {name.lower(): value for name, value in given.items()}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:  # starlette names the methods of the first route of a path alone
        headers["allow"] = ", ".join(sorted(_methods(request, routes)))
    if request.url.path.startswith(PROGRAMS):
        return error(status, status.phrase.lower().replace(" ", "_"), "there is no such request", headers)
    return PlainTextResponse(status.phrase, status, headers)


def _methods(request: Request, routes: Sequence[BaseRoute]) -> set[str]:
    """Return the methods by which there is something at the path of `request`."""
    there = (route for route in routes if route.matches(request.scope)[0] != Match.NONE)
    return {method for route in there if isinstance(route, Route) for method in route.methods or ()}


def _response(result: CheckResult) -> Response:
    return JSONResponse({"ok": result.ok, **result.detail}, status_code=200 if result.ok else 503)
