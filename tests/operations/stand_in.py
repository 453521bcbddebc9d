"""A stand-in for the live API of a daemon: it serves the page, and documents that a test decides."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from steno.admin.connections import ConnectionTable
from steno.admin.http import bind
from steno.admin.page import page_routes
from steno.admin.server import HttpServer
from tests.operations.documents import Document, sources

TOKEN = "the-right-token"


class StandIn:
    """What is served, for a test to change."""

    def __init__(self) -> None:
        self.rows: list[Document] = []
        self.timelines: dict[str, Document] = {}
        self.sources = sources(front_desk=None)
        self.verification: Document | None = None
        self.withheld: dict[str, Document] = {}
        """Timelines for who has no token, where they are others."""
        self.demands_token = False
        self.busy = False
        """Whether it has no time for rows and timelines."""
        self.queries: list[dict[str, str]] = []
        self.port = 0
        self._events: list[bytes] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def show(self, document: Document) -> str:
        """Serve a timeline, and return the address of its place in the page."""
        key = document["row"]["key"]
        self.timelines[key] = document
        return f"{self.address}/#/conversation/{quote(key, safe='')}"

    def say(self, event: str, data: Any) -> None:
        """Send an event to all clients that are there."""
        self._events.append(f"event: {event}\ndata: {msgspec.json.encode(data).decode()}\n\n".encode())

    # Routes ---------------------------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        return [
            *page_routes(),
            Route("/v1/conversations", self._listed),
            Route("/v1/conversations/{key:path}", self._timeline),
            Route("/v1/sources", self._sources),
            Route("/v1/verification", self._verification),
            Route("/v1/stream", self._stream),
            Route("/v1/session", self._session, methods=["GET", "POST", "DELETE"]),
        ]

    def _refused(self, request: Request) -> Response | None:
        if self.demands_token and request.cookies.get("steno") != TOKEN:
            return JSONResponse({"error": {"code": "unauthorized", "message": "no token"}}, 401)
        return None

    def _not_now(self, request: Request) -> Response | None:
        if self.busy:
            return JSONResponse({"error": {"code": "busy", "message": "too many wait already"}}, 503)
        return self._refused(request)

    async def _listed(self, request: Request) -> Response:
        if refused := self._not_now(request):
            return refused
        asked = dict(request.query_params)
        self.queries.append(asked)
        field = asked.get("sort", "key").removeprefix("-")
        rows = [
            each
            for each in self.rows
            if asked.get("q", "") in each["key"]
            and asked.get("source", each["source"]) == each["source"]
            and asked.get("open", str(each["open"]).lower()) == str(each["open"]).lower()
        ]
        rows.sort(key=lambda each: _sorted_by(each[field]), reverse=asked.get("sort", "").startswith("-"))
        begin, size = int(asked.get("after", 0)), int(asked.get("limit", 100))
        following = begin + size if begin + size < len(rows) else None
        page = rows[begin : begin + size]
        at = self.sources["at"]
        return JSONResponse({"at": at, "total": len(rows), "next": following and str(following), "conversations": page})

    async def _timeline(self, request: Request) -> Response:
        if refused := self._not_now(request):
            return refused
        key = request.path_params["key"].removesuffix("/timeline")
        known = request.cookies.get("steno") == TOKEN
        found = (None if known else self.withheld.get(key)) or self.timelines.get(key)
        if found is None:
            return JSONResponse({"error": {"code": "not_found", "message": "there is no such conversation"}}, 404)
        return JSONResponse(found)

    async def _sources(self, request: Request) -> Response:
        return self._refused(request) or JSONResponse(self.sources)

    async def _verification(self, _request: Request) -> Response:
        return JSONResponse(self.verification) if self.verification else Response(status_code=404)

    async def _session(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"authorized": request.cookies.get("steno") == TOKEN})
        if request.method == "POST" and (await request.json())["token"] != TOKEN:
            return JSONResponse({"error": {"code": "unauthorized", "message": "this is not the token"}}, 401)
        response = Response(status_code=204)
        if request.method == "POST":
            response.set_cookie("steno", TOKEN, httponly=True, samesite="strict")
        else:
            response.delete_cookie("steno")
        return response

    async def _stream(self, request: Request) -> Response:
        return self._refused(request) or StreamingResponse(
            self._told(len(self._events)), media_type="text/event-stream"
        )

    async def _told(self, sent: int) -> AsyncIterator[bytes]:
        yield b": here\n\n"
        while True:
            for event in self._events[sent:]:
                sent += 1
                yield event
            await anyio.sleep(0.02)


def _sorted_by(value: Any) -> tuple[bool, Any]:
    """Return what a value is sorted by: what is unknown first, and of what has parts their sum."""
    if isinstance(value, dict):
        value = sum(part or 0 for part in value.values())
    return value is not None, value if value is not None else 0


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve a stand-in in a thread of its own."""
    served = StandIn()
    with bind("127.0.0.1", 0) as sock:
        served.port = sock.getsockname()[1]
        server = HttpServer(Starlette(routes=served.routes()), sock, ConnectionTable(256, 10.0))
        thread = threading.Thread(target=anyio.run, args=(server.run,))
        thread.start()
        try:
            yield served
        finally:
            server.stop()
            thread.join()
