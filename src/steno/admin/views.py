"""`/v1/conversations` and `/v1/sources`: what the page and `steno top` show, as JSON.

    GET /v1/conversations                   rows, filtered, sorted and paged
    GET /v1/conversations/{key}             one conversation as `--state` has it, under the content policy
    GET /v1/conversations/{key}/timeline    one conversation as spans, marks and a transcript
    GET /v1/sources                         the sources, and whether they are ready

A key is one segment of the path, percent-encoded: `/` is %2F, `#` is %23, and `%` is %25. Texts are for who is
authorized alone. All work is done in a few threads of its own, so that it holds neither the loop nor a scrape; past a
number of requests that wait, the next one is answered 503.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steno.admin.answers import JSON, error
from steno.admin.authorization import Authorization
from steno.admin.operations import DescribedRoute, Operation, Parameter
from steno.attachments import ErrorAnswer
from steno.timestamps import Micros
from steno.view.changes import Fingerprint
from steno.view.query import SORTS, Page, Query, QueryError, page_of, parse_query
from steno.view.rows import Row, unix
from steno.view.sources import SourceList
from steno.view.timeline import Timeline

CONVERSATIONS: Final = "/v1/conversations"
SOURCES: Final = "/v1/sources"
WORKERS: Final = 2
"""Requests that are worked on at a time. Each reads thousands of rows, or redacts texts; the others wait."""
WAITING: Final = 64
"""Requests that wait for that. Some pages that follow a conversation each are far below it."""
FREED: Final = 500
"""Rows that are freed at once."""
BUSY: Final = f"{WAITING} requests wait already: ask again in a second"
NO_CONVERSATION: Final = (
    "there is no such conversation here: it may have ended long ago, or its key is not percent-encoded as one segment"
)

KEY: Final = Parameter("key", "The key of a conversation, percent-encoded as one segment.", place="path")
_WHOLE: Final = {"type": "integer", "minimum": 1, "maximum": 1000}
LIST: Final = Operation(
    summary="The conversations, filtered, sorted and paged.",
    parameters=(
        Parameter("open", "Whether they are open.", {"type": "boolean"}),
        Parameter("source", "The source that they are of."),
        Parameter("family", "Their family."),
        Parameter("model", "Their model."),
        Parameter("q", "A text in their key."),
        Parameter(
            "sort",
            "A member of a row, with - before it the greatest first.",
            {"type": "string", "enum": [sign + name for name in SORTS for sign in ("", "-")]},
        ),
        Parameter("limit", "The most rows of a page.", _WHOLE),
        Parameter("after", "The cursor of a page: `next` of the one before."),
    ),
    answers={200: Page, 400: ErrorAnswer, 503: ErrorAnswer},
)
DOCUMENT: Final = Operation(
    summary="A conversation as `--state` has it, under the content policy; texts for who is authorized.",
    parameters=(KEY,),
    answers={200: dict[str, Any], 404: ErrorAnswer, 503: ErrorAnswer},
)
TIMELINE: Final = Operation(
    summary="A conversation as spans, marks and a transcript; texts for who is authorized.",
    parameters=(KEY,),
    answers={200: Timeline, 404: ErrorAnswer, 503: ErrorAnswer},
)
LIST_SOURCES: Final = Operation(
    summary="The sources, and whether they are ready.", answers={200: SourceList, 503: ErrorAnswer}
)

T = TypeVar("T")


Work = Callable[[], bytes]
"""What is run in a thread, and returns JSON."""


class Library(Protocol):
    """What has conversations to show: a running daemon, or an audit log."""

    def now(self) -> Micros:
        """Return the time that rows are as of."""

    def rows(self) -> list[Row]:
        """Return the rows of all conversations. Called in a thread."""

    def fingerprints(self) -> Mapping[str, Fingerprint]:
        """Return what differs where a row does, by key. Called in a thread."""

    def rows_of(self, keys: Iterable[str]) -> list[Row]:
        """Return the rows of some conversations. Called in a thread."""

    def sources(self) -> SourceList:
        """Return the sources. Called in a thread."""

    def document(self, key: str, *, texts: bool) -> Work | None:
        """Return what makes the document of one conversation, with texts or without; None where there is none."""

    def timeline(self, key: str, *, texts: bool) -> Work | None:
        """Return what makes the timeline of one conversation, likewise."""


class BusyError(Exception):
    """Too many wait already."""


class Workers:
    """Threads for requests that take long. Who comes when too many wait is turned away: else a queue has no end."""

    def __init__(self, most: int = WORKERS, waiting: int = WAITING) -> None:
        """Work on `most` at a time, while up to `waiting` others wait."""
        self._turns = anyio.CapacityLimiter(most)
        self._threads = anyio.CapacityLimiter(most)
        self._most_waiting = waiting

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._turns.statistics().tasks_waiting

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns. Raises BusyError."""
        async with self._turn():
            return await self._thread(work)

    async def make(self, prepared: Callable[[], Work | None], left: Callable[[], Awaitable[bool]]) -> bytes | None:
        """Return what the work makes that `prepared` returns; None where that is none. Raises BusyError.

        Nothing is held for who waits: `prepared` is called in the loop when its turn has come. Nor is anything made for
        who has `left` meanwhile.
        """
        async with self._turn():
            if await left():
                return None
            work = prepared()
            return None if work is None else await self._thread(work)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self.waiting >= self._most_waiting:
            raise BusyError
        async with self._turns:
            yield

    async def _thread(self, work: Callable[[], T]) -> T:
        """Run `work`. Who is no longer waited for is left alone."""
        return await anyio.to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)


def view_routes(library: Library, authorization: Authorization, workers: Workers) -> list[DescribedRoute]:
    """Return the routes that show what is in `library`, texts to whom `authorization` allows."""

    async def listed(request: Request) -> Response:
        try:
            query = parse_query(request.query_params.multi_items())
        except QueryError as wrong:
            return error(HTTPStatus.BAD_REQUEST, "bad_request", str(wrong))
        return await shown(request, lambda: partial(_page, library, query))

    async def sources(request: Request) -> Response:
        return await shown(request, lambda: lambda: msgspec.json.encode(library.sources()))

    async def shown(request: Request, prepared: Callable[[], Work | None]) -> Response:
        try:
            made = await workers.make(prepared, request.is_disconnected)
        except BusyError:
            return error(HTTPStatus.SERVICE_UNAVAILABLE, "busy", BUSY, {"retry-after": "1"})
        return error(HTTPStatus.NOT_FOUND, "not_found", NO_CONVERSATION) if made is None else _json(made)

    async def document(request: Request) -> Response:
        key, texts = request.path_params["key"], authorization.allows(request)
        return await shown(request, lambda: library.document(key, texts=texts))

    async def timeline(request: Request) -> Response:
        key, texts = request.path_params["key"], authorization.allows(request)
        return await shown(request, lambda: library.timeline(key, texts=texts))

    return [
        DescribedRoute(CONVERSATIONS, listed, LIST),
        DescribedRoute(CONVERSATIONS + "/{key:segment}", document, DOCUMENT),
        DescribedRoute(CONVERSATIONS + "/{key:segment}/timeline", timeline, TIMELINE),
        DescribedRoute(SOURCES, sources, LIST_SOURCES),
    ]


def _page(library: Library, query: Query) -> bytes:
    at = unix(library.now()) or 0.0
    rows = library.rows()
    body = msgspec.json.encode(page_of(rows, query, at))
    while rows:  # in slices: to free 10,000 at once is one call of 8 ms, and the loop waits for it
        del rows[-FREED:]
    return body


def _json(body: bytes) -> Response:
    return Response(body, HTTPStatus.OK, {"cache-control": "no-store"}, media_type=JSON)
