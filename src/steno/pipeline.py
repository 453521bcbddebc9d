"""The one seam between what is received and what is told: frame, decode, route, reduce, sinks.

`Pipeline.feed` is synchronous. Between the socket and the state there is no queue, no task and no lock.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import anyio
from msgspec import Struct

from steno import wire
from steno.core.billing.prices import PriceTable
from steno.core.conversation import Conversation
from steno.core.facts import EventsMissed, Fact, FrameRejected, Origin
from steno.core.frame import Frame
from steno.core.registry import Ending, Registry
from steno.core.stream import Stream
from steno.limits import Limits
from steno.timestamps import LATEST_SECOND, SECOND, Micros
from steno.wire import NAMES, decode

ENVELOPE_TIME_SECONDS: Final = 300
"""How far the time that an envelope states may be from its receipt; past it the clock that set it is not believed."""

LATEST_TIME: Final = LATEST_SECOND * SECOND
"""Late in the year 9987. Where nothing tells when an envelope was received, its time must at least be writable."""
SENDERS: Final = 1_024
"""Senders of numbered envelopes remembered a source; past it the one that was silent longest is forgotten."""
SEQUENCE_DIGITS: Final = 18


class _Envelope(Struct, frozen=True, gc=False):
    """What an envelope says about the event in it."""

    subject: str | None = None
    """The name of the conversation."""
    identity: str | None = None
    """What tells the event from all others, in its conversation."""


_NO_ENVELOPE: Final = _Envelope()


class Sink(Protocol):
    """What a fact is told to."""

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Take note of `fact`. Does not wait."""


class SourceCounts:
    """What was seen of a source over all its streams."""

    __slots__ = ("_sequences", "drifted", "frames_rejected", "last_event_at", "received_bytes", "sent_bytes")

    def __init__(self) -> None:
        """Begin at zero."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self.drifted = 0
        self.last_event_at: Micros | None = None
        self.frames_rejected: dict[str, int] = {}
        self._sequences: OrderedDict[str, int] = OrderedDict()
        """Sender of envelopes to the highest number that it gave."""

    def missing_before(self, sender: str, sequence: str | int | None) -> int:
        """Return how many events of `sender` are missing before the one that bears `sequence`.

        Only a decimal number that counts up tells of gaps; one that comes late or again fills none.
        """
        digits = str(sequence)
        if not digits.isdecimal() or len(digits) > SEQUENCE_DIGITS:
            return 0
        number = int(digits)
        last = self._sequences.get(sender)
        if last is not None and number <= last:
            return 0
        self._sequences[sender] = number
        self._sequences.move_to_end(sender)
        if len(self._sequences) > SENDERS:
            self._sequences.popitem(last=False)
        return 0 if last is None else number - last - 1

    def reject(self, reason: str) -> None:
        """Count a frame that was no event, or an event that was out of place."""
        self.frames_rejected[reason] = self.frames_rejected.get(reason, 0) + 1


class Pipeline:
    """All conversations of one process, and the sinks that are told of them.

    `open` is false while what was told cannot be written down fast enough: a source then awaits `room` before
    it receives more.
    """

    def __init__(
        self,
        limits: Limits,
        sinks: Sequence[Sink],
        closed: Callable[[Conversation], None] = lambda _: None,
        ended: Callable[[Stream], None] = lambda _: None,
        prices: PriceTable | None = None,
    ) -> None:
        """Feed nothing yet.

        Args:
            limits: what may be held.
            sinks: who is told of each fact, in this order.
            closed: is given each conversation that ended.
            ended: is given each stream that ended.
            prices: what usage is priced by.
        """
        self.registry = Registry(limits, self._emit, closed, prices)
        self.open = True
        self.sources: dict[str, SourceCounts] = {}
        self.streams: dict[str, Stream] = {}
        self.events: dict[type[wire.Event], int] = {}
        self.others: dict[str, int] = {}
        """Family to events of unknown types."""
        self._sinks = tuple(sinks)
        self._ended = ended
        self._room = anyio.Event()
        self._next_second: Micros = 0

    def _emit(self, origin: Origin, fact: Fact) -> None:
        for sink in self._sinks:
            sink.emit(origin, fact)

    def source(self, name: str) -> SourceCounts:
        """Return the counts of the source `name`."""
        return self.sources.setdefault(name, SourceCounts())

    # Streams --------------------------------------------------------------------------------------------

    def stream_opened(self, name: str, source: str, at: Micros | None, conversation: str | None = None) -> Stream:
        """Begin the stream `name` of `source`."""
        self._advance(at)
        self.source(source)
        stream = self.streams[name] = Stream(name, source, conversation)
        self.registry.stream_opened(stream, at)
        return stream

    def stream_closed(
        self,
        stream: Stream,
        at: Micros | None,
        code: int | None,
        *,
        shutdown: bool = False,
        expired: bool = False,
        gap: str | None = None,
    ) -> Ending:
        """End `stream`; see `Registry.stream_closed`."""
        self._advance(at)
        ending = self.registry.stream_closed(stream, at, code, shutdown=shutdown, expired=expired, gap=gap)
        del self.streams[stream.name]
        self._ended(stream)
        return ending

    # Frames ---------------------------------------------------------------------------------------------

    def feed(self, stream: Stream, frame: Frame) -> None:
        """Take in one frame: whatever it is, it is counted once, and what follows from it is told."""
        stream.frames += 1
        counts = self.sources[stream.source]
        payload, at = frame.payload, frame.at
        if frame.sent:
            counts.sent_bytes += len(payload)
        else:
            counts.received_bytes += len(payload)
        if at is not None:
            counts.last_event_at = at
            if at >= self._next_second:
                self.tick(at)
        event = decode(payload)
        kind = type(event)
        if kind not in NAMES:
            self._other(stream, counts, event, frame, _NO_ENVELOPE)
            return
        rejected = self.registry.feed(stream, event, frame)  # type: ignore[arg-type]  # it is one of NAMES
        if rejected is None:
            self.events[kind] = self.events.get(kind, 0) + 1
        else:
            counts.reject(rejected)

    def _event(
        self, stream: Stream, counts: SourceCounts, event: wire.Event, frame: Frame, envelope: _Envelope
    ) -> None:
        rejected = self.registry.feed(stream, event, frame, envelope.subject, envelope.identity)
        if rejected is None:
            kind = type(event)
            self.events[kind] = self.events.get(kind, 0) + 1
        else:
            counts.reject(rejected)

    def _other(
        self, stream: Stream, counts: SourceCounts, told: wire.Decoded, frame: Frame, envelope: _Envelope
    ) -> None:
        """Take in what is no plain event: an envelope is opened, the rest is counted."""
        match told:
            case wire.Malformed(reason=reason):
                stream.count_malformed(reason)
                counts.reject(reason)
                origin = Origin(at=frame.at, source=stream.source, stream=stream.name)
                self._emit(origin, FrameRejected(reason=reason, bytes=len(frame.payload)))
            case wire.Unknown(type=kind, family=family):
                stream.count_unknown(kind)
                self.others[family] = self.others.get(family, 0) + 1
            case wire.Drifted(event=event, members=members):
                counts.drifted += members
                self._event(stream, counts, event, frame, envelope)
            case wire.Enveloped(event=inner):
                opened = Frame(told.payload, _envelope_time(told.time, frame.at), frame.sent)
                self._sequence(stream, counts, told, opened.at)
                inside = _Envelope(told.subject, f"{told.source}\0{told.id}")
                if isinstance(inner, wire.RealtimeEvent | wire.AssistantsEvent):
                    self._event(stream, counts, inner, opened, inside)
                else:
                    self._other(stream, counts, inner, opened, inside)
            case wire.RealtimeEvent() | wire.AssistantsEvent():
                self._event(stream, counts, told, frame, envelope)

    def _sequence(self, stream: Stream, counts: SourceCounts, told: wire.Enveloped, at: Micros | None) -> None:
        """Tell of events that are missing before this one, where its sender numbers them."""
        missing = counts.missing_before(told.source, told.sequence)
        if missing:
            origin = Origin(at=at, source=stream.source, stream=stream.name)
            self._emit(origin, EventsMissed(missing=missing))

    @property
    def now(self) -> Micros:
        """The last whole second that time went on to."""
        return max(0, self._next_second - SECOND)

    # Time -----------------------------------------------------------------------------------------------

    def tick(self, at: Micros) -> None:
        """Let time go on to the last whole second before `at`. Frames do it themselves; this fills silence."""
        if at >= self._next_second:
            second = at - at % SECOND
            self._next_second = second + SECOND
            self.registry.tick(second)

    def _advance(self, at: Micros | None) -> None:
        if at is not None:
            self.tick(at)

    # Back-pressure --------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Ask the sources to read no more, until `release`."""
        if self.open:
            self.open = False
            self._room = anyio.Event()

    def release(self) -> None:
        """Let the sources read again."""
        self.open = True
        self._room.set()

    async def room(self) -> None:
        """Wait until there is room again."""
        while not self.open:
            await self._room.wait()


def _envelope_time(stated: str | None, received: Micros | None) -> Micros | None:
    """Return the time that an envelope states, where it is plausible; else when it was received."""
    if stated is None:
        return received
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        return received
    if moment.tzinfo is None:
        return received
    at = round(moment.timestamp() * 1_000_000)
    if received is None:
        return at if 0 <= at < LATEST_TIME else None
    return at if abs(at - received) <= ENVELOPE_TIME_SECONDS * SECOND else received


__all__ = ["Pipeline", "Sink", "SourceCounts"]
