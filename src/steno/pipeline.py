"""The one seam between what is received and what is emitted: frame, decode, route, reduce, sinks.

`Pipeline.feed` is synchronous. Between the socket and the state there is no queue, no task and no lock.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from steno import wire
from steno.core.billing.prices import PriceTable
from steno.core.conversation import Conversation
from steno.core.endings import Ending
from steno.core.envelope import NO_ENVELOPE, Envelope, envelope_of, event_time
from steno.core.facts import EventsMissed, Fact, FrameRejected, Origin, StreamResumed
from steno.core.families import FAMILIES, Families
from steno.core.frame import Frame
from steno.core.registry import Registry
from steno.core.sequence import Sequences
from steno.core.stream import Stream, StreamEnd
from steno.limits import Limits
from steno.timestamps import SECOND, Micros, seconds

if TYPE_CHECKING:
    import anyio

INTERNAL_ERROR: Final = "internal_error"
"""Why a frame was rejected at which our own code raised. Its stream ends."""


class Sink(Protocol):
    """What facts are emitted to."""

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Take `fact` in. Does not wait."""


class SourceCounts:
    """What was seen of a source over all its streams."""

    __slots__ = (
        "drifted",
        "events",
        "frames_rejected",
        "last_event_at",
        "others",
        "received_bytes",
        "sent_bytes",
        "sequences",
    )

    def __init__(self) -> None:
        """Begin at zero."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self.drifted = 0
        self.last_event_at: Micros | None = None
        self.events: dict[type[wire.Event], int] = {}
        self.others: dict[str, int] = {}
        """Family to events of unknown types."""
        self.frames_rejected: dict[str, int] = {}
        self.sequences = Sequences()

    def reject(self, reason: str) -> None:
        """Count a frame that was no event, or an event that was out of place."""
        self.frames_rejected[reason] = self.frames_rejected.get(reason, 0) + 1


def _to_all(sinks: Sequence[Sink]) -> Callable[[Origin, Fact], None]:
    """Return what emits a fact to each of `sinks`, in their order."""
    if len(sinks) == 1:
        return sinks[0].emit
    emits = tuple(sink.emit for sink in sinks)

    def emit(origin: Origin, fact: Fact) -> None:
        for each in emits:
            each(origin, fact)

    return emit


class Pipeline:
    """All conversations of one process, and the sinks that facts about them are emitted to.

    `open` is false while facts cannot be written fast enough: a source then awaits `room` before it receives more.
    """

    def __init__(
        self,
        limits: Limits,
        sinks: Sequence[Sink],
        closed: Callable[[Conversation], None] = lambda _: None,
        ended: Callable[[Stream], None] = lambda _: None,
        prices: PriceTable | None = None,
        families: Families = FAMILIES,
        mixed: Callable[[Stream], None] = lambda _: None,
    ) -> None:
        """Feed nothing yet.

        Args:
            limits: what may be held.
            sinks: what each fact is emitted to, in this order.
            closed: receives each conversation that ended.
            ended: receives each stream that ended.
            prices: what usage is priced by.
            families: whose events are known.
            mixed: receives each stream once that carries several sessions, when an event of it is of none for certain.
        """
        self.families = families
        self._emit = _to_all(sinks)
        self.registry = Registry(limits, families.members, self._emit, closed, prices, mixed)
        self.open = True
        self.sources: dict[str, SourceCounts] = {}
        self.streams: dict[str, Stream] = {}
        self._routes = self.registry.routes
        self._feed = self.registry.feed
        self._ended = ended
        self._room: anyio.Event | None = None
        """What is set when there is room again; None while there is."""
        self._next_second: Micros = 0

    def source(self, name: str) -> SourceCounts:
        """Return the counts of the source `name`."""
        return self.sources.setdefault(name, SourceCounts())

    @property
    def events(self) -> Counter[type[wire.Event]]:
        """How many events of each kind all sources together had."""
        return sum((Counter(counts.events) for counts in self.sources.values()), Counter())

    @property
    def others(self) -> Counter[str]:
        """Family to how many events of unknown types all sources together had."""
        return sum((Counter(counts.others) for counts in self.sources.values()), Counter())

    def follower(self, name: str) -> str | None:
        """Return the source that follows the session or call with the id `name` now; None where none does."""
        return self.registry.claims.follower(name)

    # Streams --------------------------------------------------------------------------------------------

    def stream_opened(
        self, name: str, source: str, at: Micros | None, conversation: str | None = None, *, reply: bool = False
    ) -> Stream:
        """Begin the stream `name` of `source`."""
        self._advance(at)
        self.source(source)
        stream = Stream(name, source, conversation, reply=reply)
        stream.decode_by(self.families.decoder)
        self.registry.stream_opened(stream, at)
        self.streams[name] = stream
        return stream

    def stream_resumed(self, stream: Stream, at: Micros | None, former: StreamEnd) -> None:
        """Emit that `stream` follows another one, and how long nothing was received in between."""
        origin = Origin(at=at, source=stream.source, stream=stream.name)
        lasted = seconds(former.at, at)
        self._emit(origin, StreamResumed(source=stream.source, former=former.stream, seconds=lasted, gap=former.gap))

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
        try:
            return self.registry.stream_closed(stream, at, code, shutdown=shutdown, expired=expired, gap=gap)
        finally:  # also where our own code raises: a stream ends once
            del self.streams[stream.name]
            self._ended(stream)

    # Frames ---------------------------------------------------------------------------------------------

    def feed(self, stream: Stream, frame: Frame) -> None:
        """Take in one frame of `stream`: whatever it is, it is counted once, and the facts of it are emitted."""
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
        event = stream.first_look(payload)
        if event is None:
            self._other(stream, counts, stream.decoder.second_look(payload), frame, NO_ENVELOPE)
            return
        kind = type(event)
        rejected = self._feed(self._routes[kind], stream, event, frame)
        if rejected is None:
            events = counts.events
            events[kind] = events.get(kind, 0) + 1
        else:
            counts.reject(rejected)

    def feed_events(self, stream: Stream, frames: Iterable[tuple[Frame, wire.Event]]) -> None:
        """Take in many frames of `stream`, each with the event that it is at the first look, as `feed` does with one.

        Frames and bytes are counted once all of them are taken in: nobody looks meanwhile.
        """
        counts = self.sources[stream.source]
        events, routes, feed = counts.events, self._routes, self._feed
        number = received = sent = 0
        last_at = counts.last_event_at
        try:
            for frame, event in frames:
                number += 1
                if frame.sent:
                    sent += len(frame.payload)
                else:
                    received += len(frame.payload)
                at = frame.at
                if at is not None:
                    last_at = at
                    if at >= self._next_second:
                        self.tick(at)
                kind = type(event)
                rejected = feed(routes[kind], stream, event, frame)
                if rejected is not None:
                    counts.reject(rejected)
                elif kind in events:
                    events[kind] += 1
                else:
                    events[kind] = 1
        finally:
            stream.frames += number
            counts.received_bytes += received
            counts.sent_bytes += sent
            counts.last_event_at = last_at

    def _event(self, stream: Stream, counts: SourceCounts, event: wire.Event, frame: Frame, envelope: Envelope) -> None:
        kind = type(event)
        route = self._routes[kind]
        decoder = self.families.decoder.of(route.family)
        if decoder is not None and decoder is not stream.decoder:
            stream.decode_by(decoder)  # the event is of that family for certain, or it would be of the one so far
        rejected = self._feed(route, stream, event, frame, envelope.subject, envelope.identity)
        if rejected is None:
            counts.events[kind] = counts.events.get(kind, 0) + 1
        else:
            counts.reject(rejected)

    def _other(
        self, stream: Stream, counts: SourceCounts, decoded: wire.Decoded, frame: Frame, envelope: Envelope
    ) -> None:
        """Take in what is no plain event: an envelope is opened, the rest is counted."""
        match decoded:
            case wire.Malformed(reason=reason):
                stream.count_malformed(reason)
                counts.reject(reason)
                origin = Origin(at=frame.at, source=stream.source, stream=stream.name)
                self._emit(origin, FrameRejected(reason=reason, bytes=len(frame.payload)))
            case wire.Unknown(type=kind, family=family):
                stream.count_unknown(kind)
                counts.others[family] = counts.others.get(family, 0) + 1
            case wire.Drifted(event=event, members=members):
                counts.drifted += members
                self._event(stream, counts, event, frame, envelope)
            case wire.Enveloped(event=inner):
                opened = Frame(decoded.payload, event_time(decoded.time, frame.at), frame.sent)
                self._sequence(stream, counts, decoded, opened.at)
                self._other(stream, counts, inner, opened, envelope_of(decoded))
            case wire.Embedded(event=inner, payload=text):
                self._other(stream, counts, inner, Frame(text, frame.at, frame.sent), envelope)
            case wire.Event():
                self._event(stream, counts, decoded, frame, envelope)

    def _sequence(self, stream: Stream, counts: SourceCounts, enveloped: wire.Enveloped, at: Micros | None) -> None:
        """Emit how many events are missing before this one, where its sender numbers them."""
        missing = counts.sequences.missing_before(enveloped.source, enveloped.sequence)
        if missing:
            origin = Origin(at=at, source=stream.source, stream=stream.name)
            self._emit(origin, EventsMissed(missing=missing))

    def missed(self, stream: Stream, at: Micros | None, missing: int, reason: str) -> None:
        """Emit how many events of `stream` are missing here, and why, of `facts.MISSING`."""
        self._advance(at)
        origin = Origin(at=at, source=stream.source, stream=stream.name)
        self._emit(origin, EventsMissed(missing=missing, reason=reason))

    def failed(self, stream: Stream) -> None:
        """Count the frame that `feed` raised for, a mistake of ours, as rejected."""
        self.sources[stream.source].reject(INTERNAL_ERROR)

    @property
    def now(self) -> Micros:
        """The last whole second that time has reached."""
        return max(0, self._next_second - SECOND)

    # Time -----------------------------------------------------------------------------------------------

    def tick(self, at: Micros) -> None:
        """Advance time to the last whole second before `at`. Frames do it themselves; a ticker does it in silence."""
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
        import anyio  # noqa: PLC0415  # with asyncio a tenth of the start of a replay, which never waits

        if self._room is None:
            self._room = anyio.Event()
            self.open = False

    def release(self) -> None:
        """Let the sources read again."""
        self.open = True
        if self._room is not None:
            self._room.set()
            self._room = None

    async def room(self) -> None:
        """Wait until there is room again."""
        while self._room is not None:
            await self._room.wait()


__all__ = ["Pipeline", "Sink", "SourceCounts"]
