"""One stream from its begin to its end, for every kind of source: its name, recording, feeding and gap.

A source calls `StreamSessions.begin` for each connection, `StreamSession.feed_from` to read it,
and `StreamSession.end` when the connection is over.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, get_args

import anyio
import msgspec
import structlog

from steno.core.envelope import plausible_time
from steno.core.frame import Frame
from steno.core.stream import Stream, StreamEnd
from steno.errors import UnavailableError
from steno.limits import Limits
from steno.sources.attach.register import Attachments
from steno.sources.clock import Clock
from steno.sources.protocols import Acknowledgements, Counters, Feed, Numbers
from steno.sources.read_ahead import ReadAhead
from steno.sources.recorder import Recorder, Recording
from steno.sources.recording import TOO_BIG, Close, Gap, Missed
from steno.sources.socket_budget import SocketBudget
from steno.sources.straight import Straight
from steno.sources.stream_end import end_stream
from steno.sources.turns import Turns
from steno.sources.work import Reader, Work
from steno.timestamps import Micros

CLEAN_CODES: Final = frozenset({1000, 1001})
"""Close codes of a session that came to its end: nothing is missing."""

BLAMED_SECONDS: Final = 5.0
"""A connection that breaks within this time after a wait for room broke because of the wait: the other end gave up. It
may last a moment, because what was received before is read first."""


class Receiver(Protocol):
    """What frames come from: a connection of `websockets`, or what receives like one."""

    async def recv(self, decode: Literal[False]) -> bytes:
        """Return the next message as bytes. Raises when the connection has ended."""


class StreamCounters:
    """What every kind of source counts of its streams."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.open = 0
        self.gaps = defaultdict[Gap, int](int)
        """Streams after whose end events may be missing, by reason."""

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the values by metric and labels; see `protocols.Counters`."""
        return {
            "steno_streams": {(): self.open},
            "steno_stream_gaps_total": {(reason,): self.gaps.get(reason, 0) for reason in get_args(Gap)},
        }


class StreamSessions:
    """Begins the streams of all sources of one daemon. It numbers them, so that no two have the same name."""

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        recorder: Recorder | None = None,
        limits: Limits | None = None,
        attachments: Attachments | None = None,
    ) -> None:
        """Feed streams into `feed`, stamp their frames by `clock`, and record them if there is a `recorder`.

        `limits` say how much all connections may read ahead; `attachments` has the calls that are followed.
        """
        self.attachments = attachments or Attachments(clock.now)
        self.acknowledgements: Acknowledgements | None = None
        """What says which messages are on the disk; None where no audit log is written."""
        self.turns = Turns()
        """Are taken to make a connection."""
        self.work = Work()
        """What is parsed and fed in a turn of the event loop."""
        self.read_ahead = ReadAhead((limits or Limits()).read_ahead_bytes, feed, self.work)
        self.sockets = SocketBudget()
        """How many connections of clients the sources that listen may hold."""
        self.connections = 0
        """Connections that were begun: of clients, and attempts to connect, whatever became of them."""
        self._clock = clock
        self._feed = feed
        self._recorder = recorder
        self._begun: Counter[str] = Counter()
        """Source to the number of its last stream. A source that is removed and configured again counts on."""
        self._open: set[StreamSession] = set()

    def now(self) -> Micros:
        """Return the present time, as frames have it."""
        return self._clock.now()

    def begin(
        self,
        source: str,
        counters: StreamCounters,
        conversation: str | None = None,
        former: StreamEnd | None = None,
        *,
        reply: bool = False,
    ) -> "StreamSession":
        """Begin a stream of `source`, whose `conversation` may have a name, and which may follow a `former` one.

        `reply` says that it is the reply to one request, and no connection.
        """
        self._begun[source] += 1
        name = f"{source}/{self._clock.start}/{self._begun[source]}"
        recording = self._recording(name, source, conversation, reply=reply)
        try:
            now = self._clock.now()
            stream = self._feed.stream_opened(name, source, now, conversation, reply=reply)
            if former:
                self._feed.stream_resumed(stream, now, former)
        except Exception:
            if recording:
                recording.close(Close(self._clock.now(), None, "", gap="internal_error"))
            raise
        session = StreamSession(self._feed, self._clock, stream, recording, counters, self.work)
        session.ended = self._open.discard
        self._open.add(session)
        return session

    def end_left(self, counters: Counters) -> None:
        """End the streams that a source which failed has left open: those that were begun with its `counters`.

        Raises ExceptionGroup where our own code fails at some; all are ended even so.
        """
        errors = []
        for session in [each for each in self._open if each.counters is counters]:
            session.failed = True
            try:
                session.end(Close(self._clock.now(), None, ""))
            except Exception as error:  # noqa: BLE001  # the others end all the same
                errors.append(error)
        if errors:
            raise ExceptionGroup("streams that were left open could not be ended in order", errors)

    def _recording(self, stream: str, source: str, conversation: str | None, *, reply: bool) -> Recording | None:
        try:
            return self._recorder.begin(stream, conversation, reply=reply) if self._recorder else None
        except UnavailableError as error:
            structlog.get_logger().error("stream is not recorded", source=source, stream=stream, reason=str(error))
            return None


class StreamSession:
    """One open stream. It ends by `end`, once."""

    __slots__ = (
        "_feed",
        "_recording",
        "_waited_until",
        "counters",
        "ended",
        "failed",
        "now",
        "stream",
        "stream_end",
        "unresponsive",
        "waiting",
        "work",
    )

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        stream: Stream,
        recording: Recording | None,
        counters: StreamCounters,
        work: Work,
    ) -> None:
        """Count the stream, which `StreamSessions.begin` opened, as open."""
        self.stream = stream
        self.waiting = False
        """Whether nothing is read now because there is no room. Silence of the other end means nothing then."""
        self.unresponsive = False
        """Set by the source that gives up a peer that is silent."""
        self.failed = False
        """Whether our own code raised while the stream was read or fed."""
        self.now = clock.now
        """The time of receipt."""
        self._feed = feed
        self._recording = recording
        self.counters = counters
        self.work = work
        """What all streams may feed in a turn of the event loop."""
        self.ended: Callable[[StreamSession], None] = lambda _: None
        """Is called when the stream ends."""
        self.stream_end: StreamEnd | None = None
        """How it ended, once it has."""
        self._waited_until = -math.inf
        """When the last wait for room ended, by the clock of the event loop."""
        counters.open += 1

    @property
    def frames(self) -> int:
        """How many frames were fed."""
        return self.stream.frames

    def call(self, conversation: str) -> None:
        """Give the stream's conversation a name, where it has none and nothing was fed yet."""
        if self.stream.conversation is None and not self.stream.frames:
            self.stream.conversation = conversation
            if self._recording:
                self._recording.conversation = conversation

    def answers(self) -> None:
        """Note that the stream is the reply to one request, where nothing was fed yet."""
        if not self.stream.frames:
            self.stream.reply = True
            if self._recording:
                self._recording.reply = True

    async def feed_from(self, connection: Receiver) -> None:
        """Feed each message of `connection` until `recv` raises; return only after an internal error.

        This is the path of every event. It waits in `recv` alone, and for room while the audit log cannot keep up.
        `recv` is called directly, because a `partial` around it costs 1 % of the whole. A message that comes while
        there is no room waits here, so that the queue exceeds its limit by the facts of one frame of one connection.
        """
        settle = getattr(connection, "settle", None)  # what counts what it reads ahead counts what waits here, too
        if isinstance(connection, Straight):
            connection.take = self.take_at_once
        pipeline, stream, recording, now = self._feed, self.stream, self._recording, self.now
        feed, receive, reader = pipeline.feed, connection.recv, Reader(self.work)
        while True:
            if not pipeline.open:
                await self._wait_for_room()
            payload = await receive(decode=False)
            if self.failed:
                return
            if not reader.goes_on():  # `recv` does not wait while it has messages: the others have their turn here
                await reader.wait()
            if not pipeline.open:
                await self._wait_for_room()
            if settle:  # there may have been no room when the message was taken, and be some now
                settle()
            frame = Frame(payload, now())
            if recording:
                recording.frame(frame)
            try:
                feed(stream, frame)
            except Exception:  # noqa: BLE001  # a mistake of ours must not end the other streams
                self._fail()
                return
            del payload, frame  # a long frame is not kept until the next one comes

    def take_at_once(self, payloads: Sequence[bytes]) -> int:
        """Feed messages that came with one read, while there is room, and so many that the others have their turn.

        Returns:
            How many were fed. One at which our own code raised is not among them: `feed_from` gets it, and returns.
        """
        pipeline, stream, recording = self._feed, self.stream, self._recording
        feed, at = pipeline.feed, self.now()
        granted = self.work.grant(len(payloads))
        for number in range(granted):
            if not pipeline.open:
                return number
            frame = Frame(payloads[number], at)
            if recording:
                recording.frame(frame)
            try:
                feed(stream, frame)
            except Exception:  # noqa: BLE001  # a mistake of ours must not end the other streams
                self._fail()
                return number
        return granted

    def take(self, frame: Frame) -> bool:
        """Feed one frame that the source has received by itself; return False after an internal error.

        It is fed whether there is room or not: a source that may wait awaits `room` before.
        """
        if self._recording:
            self._recording.frame(frame)
        try:
            self._feed.feed(self.stream, frame)
        except Exception:  # noqa: BLE001  # a mistake of ours must not end the other streams
            self._fail()
            return False
        return True

    def missed(self, reason: str = "frame_too_big", messages: int = 1) -> None:
        """Record that messages cannot be fed, for a reason of `core.facts.MISSING`."""
        self._feed.missed(self.stream, self.now(), messages, reason)

    def take_line(self, item: Frame | Missed) -> bool:
        """Take in what a line says, with its time where that is plausible; return False after an internal error."""
        at = plausible_time(item.at, self.now())
        if isinstance(item, Missed):
            return self.miss(msgspec.structs.replace(item, at=at))
        return self.take(Frame(item.payload, at, item.sent))

    def miss(self, missed: Missed) -> bool:
        """Take in where frames are missing, as the other end says; return False after an internal error."""
        if self._recording:
            self._recording.gap(missed)
        try:
            self._feed.missed(self.stream, missed.at, missed.frames, missed.reason)
        except Exception:  # noqa: BLE001  # as in `take`
            self._fail()
            return False
        return True

    def _fail(self) -> None:
        self.failed = True
        self._feed.failed(self.stream)
        self._log().exception("internal error: this stream ends, the others go on")

    def _log(self) -> Any:
        """Return the logger, made anew: a stream says something at its end."""
        return structlog.get_logger().bind(source=self.stream.source, stream=self.stream.name)

    @property
    def has_room(self) -> bool:
        """Whether frames may be fed."""
        return self._feed.open

    async def room(self) -> None:
        """Wait until there is room for another frame."""
        if not self._feed.open:
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        self.waiting = True
        try:
            await self._feed.room()
        finally:
            self.waiting = False
            self._waited_until = anyio.current_time()

    def end(self, close: Close, *, whole: bool = False) -> None:
        """End the stream as `close` says.

        Where `close` has no `gap`, it is decided here. `whole` says that nothing is missing, whatever the code.
        """
        self.ended(self)
        self.counters.open -= 1
        gap = None if whole else close.gap or self._gap(close)
        if gap:
            self.counters.gaps[gap] += 1
        close = msgspec.structs.replace(close, gap=gap)
        self.stream_end = StreamEnd(self.stream.name, close.at, gap)
        if self._recording:
            self._recording.close(close)
        ending = end_stream(self._feed, self.stream, close)
        level = self._log().bind(important=True).warning if gap else self._log().info
        level("stream ended", reason=gap or ending, code=close.code, frames=self.stream.frames)

    def _gap(self, close: Close) -> Gap | None:
        """Return why events may be missing; None where none are.

        Our own reasons go first: a close code says nothing of what the other end did when it was our fault.
        """
        if close.local or close.code in CLEAN_CODES:
            return None
        if self.failed:
            return "internal_error"
        if anyio.current_time() < self._waited_until + BLAMED_SECONDS:
            return "blocked"
        if self.unresponsive:
            return "unresponsive"
        if close.code == TOO_BIG:
            return "frame_too_big"
        return "broken_off" if close.code is None else "closed"
