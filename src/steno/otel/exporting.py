"""The threads that send: one for metrics, one for spans, so that neither waits for the other.

Metrics are cumulative: a request that fails is not sent again, since the next one says all of it. Spans are sent again
where OTLP allows that, with a wait that doubles or that the collector asks for, and for five minutes at most. What
waits meanwhile is in the sink's queue, which is bounded. What is given up is counted. A span may come twice, where a
collector took it and its answer was lost: it has the same id then.

A failure is logged when it begins, when its reason changes, and when it is over.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Thread
from time import monotonic
from typing import Any, Final, Protocol

import structlog
from prometheus_client import Metric

from steno.otel.collector import ANSWER, INTERNAL, REASONS, Collector, ExportError
from steno.otel.sink import Item, SpanSink

METRICS: Final = "metrics"
SPANS: Final = "spans"
PATHS: Final = {METRICS: "/v1/metrics", SPANS: "/v1/traces"}
"""Kind of export to its path below the endpoint, as OTLP has it."""
SPANS_SECONDS: Final = 2.0
"""How long spans wait for others, so that they share a request."""
BATCH: Final = 512
"""Spans of a request."""
RETRY_SECONDS: Final = 1.0
RETRY_SECONDS_MAX: Final = 30.0
"""Wait before a request is sent again: it doubles from the first to the second."""
GIVE_UP_SECONDS: Final = 300.0
"""How long the spans of one request are tried, since a request that is never taken would hold all after it."""
LAST_SECONDS: Final = 2.0
"""How long the last request of each kind may take, when the daemon stops."""

Rejected = Callable[[bytes], int]
"""Returns how much of a request a collector did not take, by the body of its answer. Raises ValueError for nonsense."""


Collect = Callable[[], Iterable[Metric]]
"""Yields all metrics as they are now: the `collect` of a registry."""
ReadLabels = Callable[[], Mapping[str, Mapping[str, str]]]
"""Returns the labels that the operator gave each source."""


class ExportStats:
    """What became of the exports of one kind."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.exports = 0
        self.failures = dict.fromkeys(REASONS, 0)
        self.dropped = 0
        """Spans, or data points, that no collector has."""


class Delivery:
    """Posts the requests of one kind, and counts and logs what becomes of them."""

    def __init__(self, kind: str, collector: Collector, rejected: Rejected, seconds: float) -> None:
        """Post to `collector`, `seconds` a request at most."""
        self.stats = ExportStats()
        self._kind = kind
        self._collector = collector
        self._rejected = rejected
        self._seconds = seconds
        self._failing: str | None = None
        self._log = structlog.get_logger()

    @property
    def failing(self) -> bool:
        """Whether the last request was not taken."""
        return self._failing is not None

    def post(self, body: bytes, seconds: float | None = None) -> ExportError | None:
        """Post a request once; return why it was not taken."""
        try:
            answer = self._collector.post(PATHS[self._kind], body, min(self._seconds, seconds or self._seconds))
            rejected = self._understood(answer)
        except ExportError as error:
            self.stats.failures[error.reason] += 1
            if self._failing != error.reason:
                self._failing = error.reason
                self._log.warning("otel: not exported", kind=self._kind, reason=error.reason, detail=str(error))
            return error
        except Exception:  # noqa: BLE001  # a mistake of ours is a failure like any other: what was to be sent is there yet
            self.mistaken()
            return ExportError(INTERNAL, "internal error", again=True)
        self.stats.exports += 1
        self.stats.dropped += rejected
        if self._failing:
            self._failing = None
            self._log.warning("otel: exported again", kind=self._kind)
        return None

    def _understood(self, answer: bytes) -> int:
        try:
            return max(0, self._rejected(answer))
        except ValueError:
            raise ExportError(ANSWER, "it answers something else than a collector would", again=False) from None

    def mistaken(self) -> None:
        """Count and log a mistake of ours, from where it is caught."""
        self.stats.failures[INTERNAL] += 1
        if self._failing != INTERNAL:
            self._failing = INTERNAL
            self._log.exception("internal error: otel", kind=self._kind)


class _Threaded:
    """A thread that works until it is told to end, whatever its work raises."""

    kind = ""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._ended = Event()
        self._deadline = 0.0
        self._thread = Thread(target=self._run, name=f"otel {self.kind}", daemon=True)

    def start(self) -> None:
        """Begin. Where the process may have no more threads, nothing is sent, and that is said."""
        try:
            self._thread.start()
        except RuntimeError:
            self._delivery.mistaken()

    def end(self, until: float) -> None:
        """Have the thread send what is left, until a time of the monotonic clock. Does not wait."""
        self._deadline = until
        self._ended.set()

    def join(self, until: float) -> None:
        """Wait for its end, until that time at most."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, until - monotonic()))

    @property
    def lost(self) -> int:
        """Spans that were not sent at the end."""
        return 0

    def _run(self) -> None:
        wait = self._first_wait()
        while not self._ended.wait(wait):
            wait = self._guarded(self._work)
        self._guarded(self._last)

    def _guarded(self, act: Callable[[], float]) -> float:
        try:
            return act()
        except Exception:  # noqa: BLE001  # nothing may end this thread, or nothing would be sent any more
            self._delivery.mistaken()
            return RETRY_SECONDS_MAX

    def _left(self) -> float:
        """Return how many seconds there are before the end, where that was said."""
        return max(0.001, self._deadline - monotonic())

    def _first_wait(self) -> float:
        raise NotImplementedError

    def _work(self) -> float:
        """Send what there is; return after how many seconds to do so again."""
        raise NotImplementedError

    def _last(self) -> float:
        """Send what is left."""
        raise NotImplementedError


class MetricsExport(_Threaded):
    """Sends all metrics once in an interval."""

    kind = METRICS

    def __init__(self, delivery: Delivery, request: Callable[[], bytes], interval: float) -> None:
        """Send what `request` returns every `interval` seconds. The first time is drawn, so that daemons differ."""
        super().__init__(delivery)
        self._request = request
        self._interval = interval

    def _first_wait(self) -> float:
        return random.uniform(0, self._interval)

    def _work(self) -> float:
        error = self._delivery.post(self._request())
        return max(self._interval, (error.wait if error else None) or 0.0)

    def _last(self) -> float:
        """Send the last counts, unless nobody has taken any of late."""
        if not self._delivery.failing:
            self._delivery.post(self._request(), self._left())
        return 0.0


class Builds(Protocol):
    """Makes spans of items: a `spans.SpanBuilder`, whose module needs the packages of the extra."""

    def add(self, item: Item) -> Any:
        """Return the span of an item, or None."""


class SpansExport(_Threaded):
    """Sends what is in a sink's queue."""

    kind = SPANS

    def __init__(
        self, delivery: Delivery, sink: SpanSink, builder: Builds, request: Callable[[list[Any]], bytes]
    ) -> None:
        """Send the items of `sink`, as `builder` and `request` encode them."""
        super().__init__(delivery)
        self._sink = sink
        self._builder = builder
        self._request = request
        self._under_way = 0
        self._given_up = 0

    @property
    def lost(self) -> int:
        """Spans that were not sent at the end."""
        return self._given_up + self._under_way + len(self._sink.queue)

    def _first_wait(self) -> float:
        return SPANS_SECONDS

    def _work(self) -> float:
        while spans := self._spans():
            self._delivered(spans)
            if self._ended.is_set():
                break
        return SPANS_SECONDS

    def _spans(self) -> list[Any]:
        """Take up to `BATCH` spans out of the queue."""
        spans: list[Any] = []
        queue = self._sink.queue
        while queue and len(spans) < BATCH:
            item = queue.popleft()
            try:
                span = self._builder.add(item)
            except Exception:  # noqa: BLE001  # one item that cannot be encoded takes no other with it
                self._delivery.mistaken()
                self._delivery.stats.dropped += 1
                continue
            if span is not None:
                spans.append(span)
        return spans

    def _deliver(self, spans: list[Any]) -> None:
        """Send `spans`, again and again where that may help, until they are taken or given up."""
        self._under_way = len(spans)
        body, began, wait = self._request(spans), monotonic(), RETRY_SECONDS
        while (error := self._delivery.post(body, self._left() if self._ended.is_set() else None)) is not None:
            late = monotonic() - began > GIVE_UP_SECONDS
            if not error.again or late or self._ended.wait(max(wait * random.uniform(0.5, 1.0), error.wait or 0.0)):
                self._give_up(spans)
                break
            wait = min(wait * 2, RETRY_SECONDS_MAX)
        self._under_way = 0

    def _give_up(self, spans: list[Any]) -> None:
        self._delivery.stats.dropped += len(spans)
        self._given_up += len(spans) if self._ended.is_set() else 0

    def _last(self) -> float:
        """Send what is left, each once; none of it where nobody took the last, or the time is over."""
        while spans := self._spans():
            if self._delivery.failing or monotonic() >= self._deadline:
                self._give_up(spans)
            else:
                self._delivered(spans)
        return 0.0

    def _delivered(self, spans: list[Any]) -> None:
        """Send `spans`; those of a request that cannot be made are given up."""
        try:
            self._deliver(spans)
        except Exception:  # noqa: BLE001  # none of ours may take others with it
            self._delivery.mistaken()
            self._give_up(spans)


MakeExports = Callable[[Collect, ReadLabels], list[MetricsExport | SpansExport]]


class Exports:
    """All that is sent by OTLP, and what is counted of it."""

    def __init__(self, deliveries: Mapping[str, Delivery], sink: SpanSink | None, make: MakeExports) -> None:
        """Send nothing before `start`.

        Args:
            deliveries: kind of export to what posts it.
            sink: what facts are emitted to, where spans are sent.
            make: makes the exports once it is known what they read.
        """
        self.sinks = [sink] if sink else []
        self._deliveries = deliveries
        self._make = make
        self._exports: list[MetricsExport | SpansExport] = []
        self._log = structlog.get_logger()

    def start(self, collect: Collect, labels: ReadLabels) -> None:
        """Begin to send what `collect` yields, and spans with the labels of their sources."""
        self._exports = self._make(collect, labels)
        for each in self._exports:
            each.start()

    def finish(self, seconds: float) -> None:
        """Send what is left within `seconds`, and within `LAST_SECONDS`; log what was not sent. Waits so long."""
        until = monotonic() + min(seconds, LAST_SECONDS)
        for each in self._exports:
            each.end(until)
        for each in self._exports:
            each.join(until)
        if lost := sum(each.lost for each in self._exports):
            self._log.warning("otel: spans were not exported before the end", spans=lost)

    def numbers(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the process metrics: name to labels to value."""
        stats = {kind: delivery.stats for kind, delivery in self._deliveries.items()}
        lost = {SPANS: sum(sink.dropped for sink in self.sinks)}
        mistakes = {(SPANS, INTERNAL): sum(sink.mistakes for sink in self.sinks)}
        return {
            "steno_otel_exports_total": {(kind,): each.exports for kind, each in stats.items()},
            "steno_otel_export_failures_total": {
                (kind, reason): number + mistakes.get((kind, reason), 0)
                for kind, each in stats.items()
                for reason, number in each.failures.items()
            },
            "steno_otel_dropped_total": {(kind,): each.dropped + lost.get(kind, 0) for kind, each in stats.items()},
        }
