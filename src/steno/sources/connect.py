"""`kind = "connect"`: a websocket that the daemon opens, reads, and opens again when it ends.

The loop is our own. The library's own reconnecting iterator starts its waits anew after each handshake, gives up
for good on some statuses, retries a bad certificate silently, keeps the headers of the first attempt and loses
the close code. Whether the other end is alive is judged here too: while steno itself reads nothing, a missing
pong says nothing about the other end.
"""

import asyncio
import math
import ssl
from collections import defaultdict
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
import msgspec
import structlog
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from steno import __version__
from steno.config import Connect, mask_url, read_secret
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.core.vocabulary import tells_expiry
from steno.errors import UnavailableError
from steno.pipeline import Pipeline
from steno.sources.backoff import HEALTHY_SECONDS, SHORT_SESSION_SECONDS, Backoff
from steno.sources.clock import Clock
from steno.sources.connect_errors import reason_of, retry_after
from steno.sources.recorder import Recorder, Recording
from steno.sources.recording import Close, Gap

CLEAN_CODES: Final = frozenset({1000, 1001})
GOING_AWAY: Final = 1001
TOO_BIG: Final = 1009
CLOSE_SECONDS: Final = 5.0
"""How long the other end may take to answer our close."""

BLAMED_SECONDS: Final = 5.0
"""A connection that breaks so soon after steno read nothing for a while broke because of that: the other end gave up,
and what is left of what it had sent is read first."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def conversation_name(url: str) -> str | None:
    """Return what `url` calls the conversation behind it: `?conversation=`, or the id of the call it listens to."""
    query = parse_qs(urlsplit(url).query)
    named = query.get("conversation") or query.get("call_id")
    return named[0] if named else None


class _Ended(Struct, frozen=True):
    """How an attempt ended."""

    good: bool
    """Whether the connection was of use, so that the next attempt need not wait for long."""
    failure: str | None = None
    """Why there was no connection, where there was none."""
    retry_after: float | None = None
    """Seconds that the server asked to be left alone for."""


class Counters:
    """What is counted of a source for as long as the daemon runs, by its name."""

    __slots__ = ("attempts", "gaps", "streams")

    def __init__(self) -> None:
        self.attempts: defaultdict[str, int] = defaultdict(int)
        """Attempts to connect: `connected`, or why not."""
        self.gaps: defaultdict[str, int] = defaultdict(int)
        """Streams that broke off, by reason."""
        self.streams = 0


class ConnectSource:
    """One configured connection, over all its streams."""

    def __init__(
        self, config: Connect, pipeline: Pipeline, clock: Clock, recorder: Recorder | None, counters: Counters
    ) -> None:
        """Feed what comes into `pipeline`, stamped by `clock`, and record it if there is a `recorder`."""
        self.name = config.name
        self.connected = False
        self.counters = counters
        self._config = config
        self._pipeline = pipeline
        self._clock = clock
        self._recorder = recorder
        self._url = mask_url(config.url)
        self._log = structlog.get_logger().bind(source=config.name)
        self._stopping = anyio.Event()
        self._connection: ClientConnection | None = None
        self._waiting_for_room = False
        self._waited_until = -math.inf
        """When the last wait for room ended, by the loop's clock."""
        self._unresponsive = False
        self._failed = False

    # The life of the source -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and read, again and again, until `stop`."""
        backoff = Backoff(self._config.backoff_seconds, self._config.backoff_max_seconds)
        while not self._stopping.is_set():
            ended = await self._attempt()
            if ended.good:
                backoff.succeeded()
            wait = backoff.wait(ended.retry_after)
            if ended.failure and not self._stopping.is_set():
                self._log.warning("cannot connect", reason=ended.failure, url=self._url, retry_seconds=round(wait, 2))
            await self._pause(wait)

    async def stop(self) -> None:
        """Close the connection as one who goes away, and connect no more."""
        self._stopping.set()
        if self._connection is not None:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._connection.close(GOING_AWAY, "steno is stopping")

    async def reconfigure(self, config: Connect) -> None:
        """Leave the connection, and make the next one as `config` says."""
        self._config = config
        self._url = mask_url(config.url)
        if self._connection is not None:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._connection.close(GOING_AWAY, "steno was configured anew")

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping.is_set()

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._stopping.wait()

    # One connection -------------------------------------------------------------------------------------

    async def _attempt(self) -> _Ended:
        try:
            connection = await self._connect()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told as a word and tried again
            reason = reason_of(error)
            self.counters.attempts[reason] += 1
            return _Ended(good=False, failure=reason, retry_after=retry_after(error))
        self.counters.attempts["connected"] += 1
        return await self._read(connection)

    async def _connect(self) -> ClientConnection:
        """Open a connection. All is made anew each time: a token may have changed, a redirect must not stick."""
        config = self._config
        url = urlsplit(config.url)
        return await connect(
            config.url,
            additional_headers={name: read_secret(ref) for name, ref in config.headers.items()},
            subprotocols=list(config.subprotocols) or None,  # type: ignore[arg-type]  # a NewType of str
            ssl=ssl.create_default_context(cafile=config.ca_file) if url.scheme == "wss" else None,
            max_size=config.frame_bytes,
            open_timeout=config.open_timeout_seconds,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,  # see _watch
            compression=None,  # costs more than it saves where both ends share a data centre, and memory anywhere
            proxy=None if url.hostname in LOOPBACK else True,
            user_agent_header=f"steno/{__version__}",
        )

    async def _read(self, connection: ClientConnection) -> _Ended:
        stream, recording = self._begin(connection)
        began = anyio.current_time()
        close: Close | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, connection, stream)
                close = await self._receive(connection, stream, recording)
                tasks.cancel_scope.cancel()
        finally:
            self.connected = False
            self._connection = None
            close = close or Close(self._clock.now(), None, "", local=True)  # cancelled: there is no time left
            self._end(stream, recording, close)
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await connection.close(GOING_AWAY)
        lasted = anyio.current_time() - began
        enough = SHORT_SESSION_SECONDS if close.code in CLEAN_CODES and stream.frames else HEALTHY_SECONDS
        return _Ended(good=lasted >= enough)

    def _begin(self, connection: ClientConnection) -> tuple[Stream, Recording | None]:
        self.counters.streams += 1
        self._connection = connection
        self._unresponsive = self._failed = False
        self._waited_until = -math.inf
        self.connected = True
        name = f"{self.name}/{self._clock.start}/{self.counters.streams}"
        conversation = conversation_name(self._config.url)
        recording = self._recording(name, conversation)
        self._log.info("connected", stream=name, url=self._url)
        return self._pipeline.stream_opened(name, self.name, self._clock.now(), conversation), recording

    def _recording(self, stream: str, conversation: str | None) -> Recording | None:
        try:
            return self._recorder.begin(stream, conversation) if self._recorder else None
        except UnavailableError as error:
            self._log.error("this stream is not recorded", stream=stream, reason=str(error))
            return None

    def _end(self, stream: Stream, recording: Recording | None, close: Close) -> None:
        gap = self._gap(close)
        if gap:
            self.counters.gaps[gap] += 1
        if recording:
            recording.close(msgspec.structs.replace(close, gap=gap))
        ending = self._pipeline.stream_closed(
            stream, close.at, close.code, shutdown=close.local, expired=tells_expiry(close.reason), gap=gap
        )
        level = self._log.warning if gap else self._log.info
        level("stream ended", stream=stream.name, reason=gap or ending, code=close.code, frames=stream.frames)

    def _gap(self, close: Close) -> Gap | None:
        """Return why events may have been missed, if so; a session that came to its end misses none."""
        if close.local or close.code in CLEAN_CODES:
            return None
        if self._failed:
            return "internal_error"
        if anyio.current_time() < self._waited_until + BLAMED_SECONDS:
            return "blocked"
        if self._unresponsive:
            return "unresponsive"
        if close.code == TOO_BIG:
            return "frame_too_big"
        return "broken_off" if close.code is None else "closed"

    async def _receive(self, connection: ClientConnection, stream: Stream, recording: Recording | None) -> Close:
        """Feed frames until the connection ends. This is the path of every event: nothing here waits but recv."""
        pipeline, now = self._pipeline, self._clock.now
        while True:
            if not pipeline.open:
                await self._wait_for_room()
            try:
                payload = await connection.recv(decode=False)
            except ConnectionClosed as closed:
                return self._close_of(closed)
            frame = Frame(payload, now())
            if recording:
                recording.frame(frame)
            try:
                pipeline.feed(stream, frame)
            except Exception:  # noqa: BLE001  # a mistake of ours must not end the other streams
                self._log.exception("internal error; this stream ends, the others go on", stream=stream.name)
                self._failed = True
                return Close(now(), None, "")

    async def _wait_for_room(self) -> None:
        self._waiting_for_room = True
        try:
            await self._pipeline.room()
        finally:
            self._waiting_for_room = False
            self._waited_until = anyio.current_time()

    def _close_of(self, closed: ConnectionClosed) -> Close:
        at = self._clock.now()
        if self._stopping.is_set():
            return Close(at, GOING_AWAY, "", local=True)
        if closed.rcvd is not None:
            return Close(at, closed.rcvd.code, closed.rcvd.reason)
        return Close(at, closed.sent.code if closed.sent and closed.sent.code == TOO_BIG else None, "")

    async def _watch(self, connection: ClientConnection, stream: Stream) -> None:
        """Break a connection off whose other end has gone without a word."""
        while True:
            await anyio.sleep(self._config.ping_interval_seconds)
            if self._waiting_for_room:
                continue
            frames = stream.frames
            try:
                pong = asyncio.ensure_future(await connection.ping())
            except ConnectionClosed:
                return
            await asyncio.wait([pong], timeout=self._config.ping_timeout_seconds)
            if not pong.done() and stream.frames == frames and not self._waiting_for_room:
                self._unresponsive = True
                connection.transport.abort()
                return
