"""Asks a daemon for rows and sources, and follows what changes. Blocking: for a thread, or for one answer.

Each request has a connection of its own. What a daemon answers is bounded here too: it may be none.
"""

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from steno.admin.probe import unanswered
from steno.attachments import ErrorAnswer
from steno.errors import UnavailableError, UsageError
from steno.view.changes import Changes
from steno.view.query import PAGE_MAX, Page
from steno.view.rows import Row
from steno.view.sources import SourceList

CONVERSATIONS: Final = "/v1/conversations"
SOURCES: Final = "/v1/sources"
STREAM: Final = "/v1/stream"
ANSWER_SECONDS: Final = 15.0
SILENCE_SECONDS: Final = 40.0
"""A stream is silent for so long where its daemon is gone: a daemon that has nothing to tell says so every 15 s."""
ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Longest answer, and longest line of a stream: a full page has about 1 MB."""
PAGES_MOST: Final = 100
"""Pages that are asked for: 100,000 conversations."""
REFUSED: Final = (
    "the daemon wants a token, or another one than this: name the file that has its http.token by --token-file"
)

S = TypeVar("S")


class BusyError(UnavailableError):
    """As many follow the daemon as may. Rows are answered all the same."""


class Listing(Struct, frozen=True):
    """All there is at one moment."""

    at: float
    """Unix seconds, by the clock of the daemon."""
    rows: list[Row]
    sources: SourceList


class Client:
    """Asks the daemon whose HTTP face is at a URL."""

    def __init__(self, url: str, token: str | None, context: ssl.SSLContext | None) -> None:
        """Ask `url` with `token`, over TLS by `context` where it is an https URL.

        Raises UsageError where it is no URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError("the URL must begin with http:// or https:// and name a host: http://127.0.0.1:9464")
        if parts.query or parts.fragment:
            raise UsageError("the URL must end before ? and #: a token is read from a file, which --token-file names")
        self.address: Final = parts.netloc.rpartition("@")[2]
        self._parts = parts
        self._path = parts.path.rstrip("/").removesuffix("/readyz")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._context = context

    def listing(self) -> Listing:
        """Return all rows and sources. Raises UnavailableError, and UsageError where the token is not taken."""
        rows: dict[str, Row] = {}
        page = self._page("")
        at = page.at
        for _ in range(PAGES_MOST):
            rows.update((row.key, row) for row in page.conversations)
            if page.next is None:
                break
            page = self._page(f"&after={quote(page.next, safe='')}")
        return Listing(at, list(rows.values()), self._json(SOURCES, SourceList))

    def _page(self, after: str) -> Page:
        return self._json(f"{CONVERSATIONS}?sort=key&limit={PAGE_MAX}{after}", Page)

    @contextmanager
    def changes(self) -> Iterator[Iterator[Changes | SourceList]]:
        """Begin to follow what changes; yield what comes, until the daemon ends it.

        Raises as `listing`, and BusyError where too many follow it.
        """
        with self._asked(STREAM, SILENCE_SECONDS) as response:
            yield self._events(response)

    def _events(self, response: HTTPResponse) -> Iterator[Changes | SourceList]:
        name = b""
        while line := self._line(response):
            field, _, value = line.rstrip(b"\r\n").partition(b": ")
            if field == b"event":
                name = value
            elif field == b"data" and name == b"rows":
                yield _decoded(value, Changes)
            elif field == b"data" and name == b"sources":
                yield _decoded(value, SourceList)

    def _line(self, response: HTTPResponse) -> bytes:
        """Return the next line; none at the end."""
        with self._failures():
            line = response.readline(ANSWER_BYTES)
        if len(line) >= ANSWER_BYTES:
            raise _unknown()
        return line

    def _json(self, path: str, kind: type[S]) -> S:
        with self._asked(path, ANSWER_SECONDS) as response, self._failures():
            body = response.read(ANSWER_BYTES)
        return _decoded(body, kind)

    @contextmanager
    def _asked(self, path: str, seconds: float) -> Iterator[HTTPResponse]:
        """Yield the response to a request that was granted."""
        with closing(self._connection(seconds)) as connection:
            with self._failures():
                connection.request("GET", self._path + path, headers=self._headers)
                response = connection.getresponse()
                problem = b"" if response.status == HTTPStatus.OK else response.read(ANSWER_BYTES)
            if response.status != HTTPStatus.OK:
                raise _refusal(response.status, problem, self.address)
            yield response

    def _connection(self, seconds: float) -> HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return HTTPSConnection(host, port, timeout=seconds, context=self._context)
        return HTTPConnection(host, port, timeout=seconds)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (OSError, HTTPException) as error:
            raise UnavailableError(unanswered(self._parts, error)) from error


def _refusal(status: int, body: bytes, address: str) -> UnavailableError | UsageError:
    """Return what to say where a request was not granted."""
    if status == HTTPStatus.UNAUTHORIZED:
        return UsageError(REFUSED)
    if status == HTTPStatus.NOT_FOUND:
        return UnavailableError(
            f"{address} answers, and does not know {CONVERSATIONS}: it is a daemon of an older version of steno, which "
            "has to be updated, or no steno at all"
        )
    try:
        said = msgspec.json.decode(body, type=ErrorAnswer).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UnavailableError(f"{address} answers with status {status}: is it http.listen of a daemon of steno?")
    kind = BusyError if said.code == "too_many_streams" else UnavailableError
    return kind(f"{address} answers: {said.message}")


def _decoded(body: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _unknown() from None


def _unknown() -> UnavailableError:
    return UnavailableError(
        "the answer cannot be understood: the daemon is of another version of steno than this command, or no steno"
    )
