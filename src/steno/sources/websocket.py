"""What all sources on websockets share: reading a connection, judging its other end, and how it ended.

The library's own pings are switched off. They break a connection off when a pong is late, but while steno reads nothing
the pong is not read either, and a late pong says nothing about the other end.
"""

import asyncio
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

import anyio
from msgspec import Struct
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from steno.sources.read_ahead import Measured
from steno.sources.recording import TOO_BIG, Close
from steno.timestamps import Micros

GOING_AWAY: Final = 1001
CLOSE_SECONDS: Final = 5.0
"""How long the other end may take to answer our close."""

READ_BYTES: Final = 64 * 1024
"""How much is read of a socket before the event loop goes on. asyncio takes four times as much, and the library parses
all that came at once: 87,000 frames of 3 bytes, for half a second."""

UNSENT_BYTES: Final = 1024 * 1024
"""Pongs that wait for the other end to take them: 8,000 of the longest. The library writes each without waiting."""


def conversation_name(url: str) -> str | None:
    """Return the name that `url` gives the conversation: `?conversation=`, or the id of the call it listens to."""
    query = parse_qs(urlsplit(url).query)
    named = query.get("conversation") or query.get("call_id")
    return named[0] if named else None


class Reading(Protocol):
    """What reads a connection: a stream's session, or what makes several streams of a connection."""

    unresponsive: bool
    """Is set where the other end is given up, since it is silent."""

    @property
    def waiting(self) -> bool:
        """Whether nothing is read now because there is no room."""

    @property
    def frames(self) -> int:
        """Messages that were fed: it grows while the other end says something."""

    def now(self) -> Micros:
        """Return the time of receipt."""

    async def feed_from(self, connection: Connection) -> None:
        """Feed each message until `recv` raises; return only after an internal error."""


class Pings(Struct, frozen=True):
    """When the other end is asked whether it is alive."""

    interval_seconds: float
    timeout_seconds: float
    """How long it may be silent after a ping."""


async def read_websocket(connection: Connection, session: Reading, pings: Pings) -> Close:
    """Feed the messages of `connection` until it ends, and return how; after an internal error it is still open."""
    watching = asyncio.ensure_future(_abort_when_silent(connection, session, pings))
    watching.add_done_callback(lambda ended: _watched(ended, connection))
    try:
        await session.feed_from(connection)
    except ConnectionClosed as closed:
        return close_of(closed, session.now())
    finally:
        watching.cancel()
        if watching.done() and not watching.cancelled():
            watching.result()  # a mistake of ours is raised
    return Close(session.now(), None, "")


def _watched(watching: asyncio.Future[None], connection: Connection) -> None:
    """Break off a connection that nobody watches any more, by a mistake of ours."""
    if not watching.cancelled() and watching.exception():
        connection.transport.abort()


def read_in_parts(connection: Connection) -> None:
    """Let `connection` read `READ_BYTES` at a time, where its transport can be asked for that."""
    with suppress(AttributeError):  # of uvloop
        connection.transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # of asyncio's own; see there


async def close_websocket(connection: Connection, reason: str = "", code: int = GOING_AWAY) -> None:
    """Close `connection` with `code`. Where the other end does not answer in time, it is broken off.

    It is broken off at once where the task is cancelled, since then the time for the drain has passed.
    """
    try:
        with anyio.move_on_after(CLOSE_SECONDS):
            await connection.close(code, reason)
    finally:
        connection.transport.abort()  # does nothing to what is closed


async def _abort_when_silent(connection: Connection, session: Reading, pings: Pings) -> None:
    """Break off a connection whose other end answers no ping and sends nothing else.

    Frames that came since the ping count as an answer, and parts of a long one: on a line that is full of them the pong
    comes behind. Nothing is concluded while the session waits for room.
    """
    while True:
        await anyio.sleep(pings.interval_seconds)
        if _unread(connection, session):
            continue
        heard = _heard(connection, session)
        try:
            pong = asyncio.ensure_future(await connection.ping())
        except ConnectionClosed:
            return
        await asyncio.wait([pong], timeout=pings.timeout_seconds)
        if not pong.done() and _heard(connection, session) == heard and not _unread(connection, session):
            session.unresponsive = True
            connection.transport.abort()
            return


def _heard(connection: Connection, session: Reading) -> tuple[int, int]:
    """Return what grows while the other end says something."""
    return session.frames, connection.reads if isinstance(connection, Measured) else 0


def _unread(connection: Connection, session: Reading) -> bool:
    """Return whether steno does not read `connection` now, so that silence says nothing."""
    return session.waiting or (isinstance(connection, Measured) and (connection.waits is not None or connection.slowed))


def close_of(closed: ConnectionClosed, at: Micros) -> Close:
    """Return how a connection ended at `at`: the close frame that came, or no code where none came.

    A message over the limit is the exception. Then steno sent the close frame, and its code says why.
    """
    if closed.rcvd is not None:
        return Close(at, closed.rcvd.code, closed.rcvd.reason)
    return Close(at, TOO_BIG if closed.sent and closed.sent.code == TOO_BIG else None, "")
