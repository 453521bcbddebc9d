"""`/v1/conversations` and `/v1/sources`: what the page and `steno top` show, as JSON.

    GET /v1/conversations                   rows, filtered, sorted and paged
    GET /v1/conversations/{key}             one conversation as `--state` has it, under the content policy
    GET /v1/conversations/{key}/timeline    one conversation as spans, marks and a transcript
    GET /v1/sources                         the sources, and whether they are ready

A key is one segment of the path, percent-encoded: `/` is %2F, `#` is %23, and `%` is %25. Texts are for who is
authorized alone. All work is done in a few threads of its own, so that it holds neither the loop nor a scrape.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steno.admin.answers import JSON, error
from steno.admin.authorization import Authorization
from steno.timestamps import Micros
from steno.view.changes import Fingerprint
from steno.view.query import Query, QueryError, page_of, parse_query
from steno.view.rows import Row, unix
from steno.view.sources import SourceList

CONVERSATIONS: Final = "/v1/conversations"
SOURCES: Final = "/v1/sources"
WORKERS: Final = 2
"""Requests that are worked on at a time. Each reads thousands of rows, or redacts texts; the others wait."""
NO_CONVERSATION: Final = (
    "there is no such conversation here: it may have ended long ago, or its key is not percent-encoded as one segment"
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


class Workers:
    """Threads for requests that take long."""

    def __init__(self, most: int = WORKERS) -> None:
        """Work on `most` at a time."""
        self._limiter = anyio.CapacityLimiter(most)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns. Who is no longer waited for is left alone."""
        return await anyio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)


def view_routes(library: Library, authorization: Authorization, workers: Workers) -> list[Route]:
    """Return the routes that show what is in `library`, texts to whom `authorization` allows."""

    async def listed(request: Request) -> Response:
        try:
            query = parse_query(request.query_params.multi_items())
        except QueryError as wrong:
            return error(HTTPStatus.BAD_REQUEST, "bad_request", str(wrong))
        return _json(await workers.run(partial(_page, library, query)))

    async def sources(_request: Request) -> Response:
        return _json(await workers.run(lambda: msgspec.json.encode(library.sources())))

    async def one(request: Request) -> Response:
        asked = _asked(request)
        if asked is None:
            return error(HTTPStatus.NOT_FOUND, "not_found", NO_CONVERSATION)
        key, what = asked
        work = (library.timeline if what else library.document)(key, texts=authorization.allows(request))
        if work is None:
            return error(HTTPStatus.NOT_FOUND, "not_found", NO_CONVERSATION)
        return _json(await workers.run(work))

    return [
        Route(CONVERSATIONS, listed, methods=["GET"]),
        Route(SOURCES, sources, methods=["GET"]),
        Route(CONVERSATIONS + "/{rest:path}", one, methods=["GET"]),
    ]


def _page(library: Library, query: Query) -> bytes:
    at = unix(library.now()) or 0.0
    return msgspec.json.encode(page_of(library.rows(), query, at))


def _asked(request: Request) -> tuple[str, bool] | None:
    """Return the key that a path names, and whether its timeline is asked for; None where it names none.

    The path as it came is read: in the decoded one the `/` of a key could not be told from one between segments.
    """
    raw: bytes = request.scope["raw_path"]
    segments = raw.removeprefix(CONVERSATIONS.encode() + b"/").split(b"/")
    if len(segments) > 2 or not segments[0] or segments[1:] not in ([], [b"timeline"]):  # noqa: PLR2004  # key, timeline
        return None
    try:
        return unquote_to_bytes(segments[0]).decode(), len(segments) > 1
    except UnicodeDecodeError:
        return None


def _json(body: bytes) -> Response:
    return Response(body, HTTPStatus.OK, {"cache-control": "no-store"}, media_type=JSON)
