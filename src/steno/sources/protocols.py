"""What the daemon knows of a source, and what a source knows of the pipeline.

The supervisor, readiness and metrics see `Source` alone, so that a new kind of source changes none of them. A source
sees `Feed` alone, so that it can be tested without a pipeline.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from steno.core.endings import Ending
from steno.core.frame import Frame
from steno.core.stream import Stream, StreamEnd
from steno.timestamps import Micros

Labels = tuple[str, ...]
Numbers = Mapping[Labels, float]


class SourceConfig(Protocol):
    """One entry of `[[sources]]` in the configuration. Two that are equal ask for the same source."""

    @property
    def name(self) -> str:
        """The name in metrics, records and conversation keys; no two sources share one."""

    @property
    def kind(self) -> str:
        """The kind of source, a key of `app.source_kinds.SOURCE_KINDS`."""


class Feed(Protocol):
    """What takes in the frames of all sources: the pipeline.

    A source looks at `open` before each receive and awaits `room` only where it is false. On the path of every event
    that costs one attribute.
    """

    @property
    def open(self) -> bool:
        """Whether frames may be fed. False while the audit log cannot keep up."""

    async def room(self) -> None:
        """Wait until `open` is true."""

    def follower(self, name: str) -> str | None:
        """Return the source that follows the session or call with the id `name` now; None where none does."""

    def stream_opened(
        self, name: str, source: str, at: Micros | None, conversation: str | None = None, *, reply: bool = False
    ) -> Stream:
        """Begin the stream `name` of the source `source`.

        `conversation` is its name, where it has one; `reply` says that it is the reply to one request.
        """

    def stream_resumed(self, stream: Stream, at: Micros | None, former: StreamEnd) -> None:
        """Say that `stream`, which has just begun, follows the one that `former` was the end of."""

    def feed(self, stream: Stream, frame: Frame) -> None:
        """Take in one frame. Raises only where our own code is wrong, never for what the frame holds."""

    def missed(self, stream: Stream, at: Micros | None, missing: int, reason: str) -> None:
        """Record that so many frames of `stream` are missing, and why, of `core.facts.MISSING`. Raises as `feed`."""

    def failed(self, stream: Stream) -> None:
        """Count the frame of `stream` that `feed` raised for as rejected."""

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
        """End `stream`, and return why its conversations ended.

        Args:
            stream: what `stream_opened` returned.
            at: when it ended, in microseconds since 1970 UTC.
            code: the websocket close code; None where the connection broke off.
            shutdown: whether steno closed it because it stops.
            expired: whether the session reached its longest duration.
            gap: why events may be missing, a `recording.Gap`; None where none are.
        """


class Followed(Protocol):
    """The messages of one connection that acknowledges them. For each: `begin`, feed it, `end`. It ends by `leave`."""

    acknowledge: Callable[[int], None]
    """Is called in the event loop when all that the first so many messages led to is on the disk."""

    replaced: Callable[[], None]
    """Is called when the sender goes on over another connection. No message is to be fed from then on."""

    @property
    def number(self) -> int:
        """The number of the last message; before the first one that of the one before it."""

    @property
    def flushed(self) -> int:
        """The last message of which all is on the disk; with an id, of all connections of the sender."""

    @property
    def missing(self) -> int:
        """How many messages of a sender that is known never came, before the first of this connection."""

    @property
    def duplicates(self) -> int:
        """Messages that were fed before and came again."""

    @property
    def idle(self) -> bool:
        """Whether what was fed so far may be acknowledged at once."""

    def attach(self, stream: str) -> None:
        """Feed messages to `stream`, which has begun: before the first message, or in the middle of one."""

    @property
    def full(self) -> bool:
        """Whether records of a message would be dropped. It is not to be fed: the next time it would be a duplicate."""

    def begin(self, at: Micros) -> bool:
        """Return whether the next message, of time `at`, is to be fed; False where it was fed before."""

    def end(self) -> bool:
        """Note that the message was fed. False where records of it were dropped: it is never acknowledged."""

    def leave(self) -> None:
        """End with the connection."""


class Acknowledgements(Protocol):
    """What acknowledges messages: the audit log."""

    def follow(self) -> Followed:
        """Return what acknowledges the messages of one connection that has no id."""

    def resume(self, source: str, name: str, first: int) -> Followed | None:
        """Return what acknowledges the messages of the sender `name` of `source`, the first of which is number `first`.

        Another connection of that sender is left behind. None where too many senders are connected.
        """


class Problem(Struct, frozen=True):
    """Why a source is not ready."""

    reason: str
    """Of a closed list of its kind, such as those of `connect_errors`: anyone may read it."""
    detail: str = ""
    """What the operator needs: the file, header, variable, certificate or status that was the cause. No secrets."""


class Counters(Protocol):
    """What one source counts. Each kind of source may have its own structure behind this."""

    def numbers(self) -> Mapping[str, Numbers]:
        """Return values by the metric's name, and by the values of its labels after `source`.

        Each metric stands in `metrics.definitions.PROCESS_METRICS`, with `source` as its first label. This is called
        from the thread of a scrape while the event loop counts.
        """


class Source(Protocol):
    """One configured source over all its streams. It is made, run once, and stopped once.

    Where `run` raises, the source is stopped, and another one is made in its place: see `supervised`.

    The class of a kind that never makes its senders wait has an attribute `sheds` that is true. It does not look at
    `Feed.open`, and its records are dropped where they would take more than half of the audit queue.
    """

    @property
    def name(self) -> str:
        """The name that is configured."""

    @property
    def ready(self) -> bool:
        """Whether it does what it is for: a connection is open, a listener listens. `/readyz` shows it."""

    @property
    def problem(self) -> Problem | None:
        """Why it is not ready; None while it is, and where nothing is known yet."""

    @property
    def counters(self) -> Counters:
        """What it counted since it was made. Counters never fall, also after `stop`."""

    async def run(self) -> None:
        """Feed frames until `stop`, and return when all its streams have ended. At once, if `stop` came first."""

    async def stop(self) -> None:
        """End all streams in order, and begin no more. Return when the other ends have answered, or took too long."""

    async def reconfigure(self, config: Any) -> None:
        """Go on as `config` says. It has the name and the kind of the one that this source was made from."""


@runtime_checkable
class Drains(Protocol):
    """What a source has besides, whose streams are calls that pass through steno: a restart lets them go to their end.

    The streams of all other sources are ended at once when steno stops: a successor reads them.
    """

    @property
    def drain_seconds(self) -> float:
        """How long calls may go on when the source is asked to stop."""

    @property
    def calls(self) -> int:
        """Calls that run now: connections of clients that are not idle."""

    async def drain(self) -> None:
        """Accept no more calls, and return when none runs. `stop` comes after it, or when `drain_seconds` are over."""


@runtime_checkable
class Reloads(Protocol):
    """What a source has besides that reads files of its own: at SIGHUP it reads them again.

    It is asked where its configuration stays the same; `reconfigure` reads them too.
    """

    def reload(self) -> None:
        """Read them again. Does not wait, and does not raise for what they hold."""
