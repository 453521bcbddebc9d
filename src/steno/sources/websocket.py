"""What all sources on websockets share: reading a connection, judging its other end, and how it ended.

The library's own pings are switched off. They break a connection off when a pong is late, but while steno reads nothing
the pong is not read either, and a late pong says nothing about the other end.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final, Protocol
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
"""How much is read of a socket before the event loop goes on. asyncio takes four times as much."""

TLS_BYTES: Final = 32 * 1024
"""How much TLS reads of a socket at a time: a record, and the begin of the next one."""

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
    watch = Watch(connection, session, pings)
    try:
        await session.feed_from(connection)
    except ConnectionClosed as closed:
        return close_of(closed, session.now())
    finally:
        watch.stop()
    return Close(session.now(), None, "")


def read_in_parts(connection: Connection) -> None:
    """Let `connection` read `READ_BYTES` at a time, where its transport can be asked for that.

    Its TLS gets a buffer of `TLS_BYTES`: asyncio gives it one of 256 KiB, for as long as the connection stands.
    """
    tls: Any = getattr(connection.transport, "_ssl_protocol", None)
    if tls is not None and hasattr(tls, "_ssl_buffer_view"):
        tls.max_size = TLS_BYTES
        tls._ssl_buffer = bytearray(TLS_BYTES)  # noqa: SLF001  # of asyncio, which has no option for it
        tls._ssl_buffer_view = memoryview(tls._ssl_buffer)  # noqa: SLF001
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


class Watch:
    """Breaks off a connection whose other end answers no ping and sends nothing else.

    Frames that came since the ping count as an answer, and parts of a long one: on a line that is full of them the pong
    comes behind. Nothing is concluded while the session waits for room. Between two pings there is no task, only a
    timer: most connections are silent for most of their time.
    """

    __slots__ = ("_asking", "_connection", "_failure", "_pings", "_session", "_timer")

    def __init__(self, connection: Connection, session: Reading, pings: Pings) -> None:
        """Ask the other end of `connection` as `pings` say, until `stop`."""
        self._connection = connection
        self._session = session
        self._pings = pings
        self._asking: asyncio.Task[bool] | None = None
        """A ping that is under way."""
        self._failure: BaseException | None = None
        """A mistake of ours."""
        self._wait()

    def stop(self) -> None:
        """Ask no more. Raises what went wrong by a mistake of ours."""
        self._timer.cancel()
        if self._asking:
            self._asking.cancel()
        if self._failure:
            raise self._failure

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pings.interval_seconds, self._begin)

    def _begin(self) -> None:
        self._asking = asyncio.get_running_loop().create_task(self._ask())
        self._asking.add_done_callback(self._asked)

    def _asked(self, asking: asyncio.Task[bool]) -> None:
        """Wait for the next ping. After a mistake of ours break off: nobody would notice that the other end is gone."""
        self._asking = None
        if asking.cancelled():
            return
        self._failure = asking.exception()
        if self._failure:
            self._connection.transport.abort()
        elif asking.result():
            self._wait()

    async def _ask(self) -> bool:
        """Ask once, and judge the answer; return whether the other end is to be asked again."""
        connection, session = self._connection, self._session
        if _unread(connection, session):
            return True
        heard = _heard(connection, session)
        try:
            pong = asyncio.ensure_future(await connection.ping())
        except ConnectionClosed:
            return False
        await asyncio.wait([pong], timeout=self._pings.timeout_seconds)
        if pong.done() or _heard(connection, session) != heard or _unread(connection, session):
            return True
        session.unresponsive = True
        connection.transport.abort()
        return False


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
