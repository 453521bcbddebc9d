"""A whole HTTP face for tests: the routes of a daemon, the guard before them, and a client."""

import http.client
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry, Gauge
from starlette.routing import BaseRoute

from steno.admin.attachments import attachment_routes
from steno.admin.authorization import Authorization
from steno.admin.connections import ConnectionTable
from steno.admin.hosts import HostPolicy
from steno.admin.http import CheckResult, application, bind, face
from steno.admin.server import HttpServer
from steno.admin.tls_face import TlsFace
from steno.admin.webhooks import WebhookReceiver
from steno.attachments import Attachment, AttachmentList, AttachRequest, RefusedError, Requester

TOKEN = "open-sesame-of-a-test"
BEARER = {"authorization": f"Bearer {TOKEN}"}
JSON = {"content-type": "application/json"}


class NoCalls:
    """A desk at which no call is followed."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.counted: list[tuple[Requester, str]] = []

    async def attach(
        self, request: AttachRequest, by: Requester, delivery: str | None = None
    ) -> tuple[Attachment, bool]:
        self.asked.append(request.call_id)
        raise RefusedError("no_attach_source", "there is none")

    async def release(self, call_id: str, by: Requester) -> Attachment:
        self.asked.append(call_id)
        raise RefusedError("not_followed", "nobody follows it")

    def listed(self) -> AttachmentList:
        return AttachmentList(())

    def delivered(self, delivery: str) -> bool:
        return False

    def turned_away(self, by: Requester, code: str) -> None:
        self.counted.append((by, code))


class Answered(NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def body(self) -> Any:
        """What its JSON holds."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.body["error"]["code"])


class Face:
    """A face that runs."""

    def __init__(self, port: int, table: ConnectionTable, desk: NoCalls, context: ssl.SSLContext | None) -> None:
        self.routes: list[BaseRoute] = []
        self.port = port
        self.table = table
        self.desk = desk
        self.context = context

    async def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET", body: str | None = None
    ) -> Answered:
        """Return the response to a request on a connection of its own."""
        return await anyio.to_thread.run_sync(partial(self.asked, path, headers or {}, method, body))

    def asked(self, path: str, headers: Mapping[str, str], method: str, body: str | None) -> Answered:
        """Return the response, in a thread."""
        if self.context:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=20, context=self.context
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answered(response.status, response.headers, response.read().decode())
        finally:
            connection.close()

    def counted(self) -> dict[str, int]:
        """Return what was rejected, by reason, without what did not happen."""
        return {reason: count for reason, count in self.table.rejected.items() if count}


def routes_of(desk: NoCalls) -> list[BaseRoute]:
    """Return the routes that a daemon adds to those of each face."""
    return [*attachment_routes(desk, "http"), WebhookReceiver(desk, ()).route()]


@asynccontextmanager
async def served(
    authorization: Authorization,
    further: list[BaseRoute] | None = None,
    tls: TlsFace | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Face]:
    """Serve a face; `context` is that of its clients."""
    registry = CollectorRegistry()
    Gauge("steno_build_info", "The version.", registry=registry).set(1)
    desk, table = NoCalls(), ConnectionTable(64, 10.0)
    healthy = CheckResult(True, {})
    with bind("127.0.0.1", 0) as sock:
        routes = [*routes_of(desk), *(further or [])]
        app = application(registry, lambda: healthy, lambda **_: healthy, authorization, routes, table)
        server = HttpServer(face(app, HostPolicy("127.0.0.1", ()), table), sock, table, tls=tls)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run)
            found = Face(sock.getsockname()[1], table, desk, context)
            found.routes = app._app._routes  # type: ignore[attr-defined]  # what the guard knows
            yield found
            server.stop()
