"""The threads that send: what they do about a failure, what they count, and how they end."""

import random
from collections.abc import Callable, Iterator
from queue import Queue
from threading import Event
from typing import Any

import pytest
from structlog.testing import capture_logs

from steno.core import facts
from steno.core.facts import Origin
from steno.otel import exporting
from steno.otel.collector import REASONS, ExportError
from steno.otel.exporting import Delivery, Exports, MetricsExport, SpansExport
from steno.otel.sink import Item, SpanSink
from tests.processes import PATIENCE_SECONDS

ORIGIN = Origin(at=1, source="desk", stream="desk/1", conversation="desk/1", family="assistants")
UNAVAILABLE = ExportError("unavailable", "it answers 503", again=True)
THROTTLED = ExportError("throttled", "it answers 429", again=True, wait=120.0)
REFUSED = ExportError("refused", "it answers 400", again=False)


class Scripted:
    """A collector that answers as told, and takes all after that. Each post is noted: path, body, seconds."""

    def __init__(self, *answers: ExportError | bytes) -> None:
        self.posts: Queue[tuple[str, bytes, float]] = Queue()
        self._answers: Iterator[ExportError | bytes] = iter(answers)

    def post(self, path: str, body: bytes, seconds: float) -> bytes:
        self.posts.put((path, body, seconds))
        answer = next(self._answers, b"")
        if isinstance(answer, ExportError):
            raise answer
        return answer

    def bodies(self) -> list[bytes]:
        return [body for _, body, _ in self.posts.queue]


class Pauses(Event):
    """Notes how long is waited, instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return self.is_set()


class Names:
    """Makes a span of an item: its id. One of them cannot be made."""

    def add(self, item: Item) -> str | None:
        name = getattr(item, "id", None)
        if name == "broken":
            raise ValueError(name)
        return name


def delivery(kind: str, collector: Any, rejected: Callable[[bytes], int] = len) -> Delivery:
    return Delivery(kind, collector, rejected, 10.0)


def joined(spans: list[str]) -> bytes:
    return " ".join(spans).encode()


def filled(*names: str, most: int = 1000) -> SpanSink:
    sink = SpanSink(most)
    for name in names:
        sink.emit(ORIGIN, facts.RunAbandoned(run_id=name))
    return sink


def spans_of(collector: Any, sink: SpanSink) -> SpansExport:
    export = SpansExport(delivery("spans", collector), sink, Names(), joined)
    export._ended = Pauses()
    return export


def failures(export: MetricsExport | SpansExport) -> dict[str, int]:
    return {reason: count for reason, count in export._delivery.stats.failures.items() if count}


def counted(export: MetricsExport | SpansExport) -> tuple[int, dict[str, int], int]:
    """What was taken, what failed and why, and what was dropped."""
    return export._delivery.stats.exports, failures(export), export._delivery.stats.dropped


# Spans ------------------------------------------------------------------------------------------------------


def test_spans_share_requests_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "BATCH", 2)
    collector = Scripted()
    export = spans_of(collector, filled("a", "b", "c"))
    export._work()
    assert [(path, body, seconds) for path, body, seconds in collector.posts.queue] == [
        ("/v1/traces", b"a b", 10.0),
        ("/v1/traces", b"c", 10.0),
    ]
    assert counted(export) == (2, {}, 0)


def test_spans_are_sent_again_while_that_may_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait doubles, but for a part that is drawn, and is what the collector asks for where that is longer."""
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    collector = Scripted(UNAVAILABLE, UNAVAILABLE, THROTTLED, UNAVAILABLE)
    export = spans_of(collector, filled("a"))
    export._work()
    assert collector.bodies() == [b"a"] * 5
    assert isinstance(export._ended, Pauses)
    assert export._ended.seconds == [1.0, 2.0, 120.0, 8.0]
    assert counted(export) == (1, {"unavailable": 3, "throttled": 1}, 0)


def test_spans_that_are_refused_are_dropped_and_hold_no_others() -> None:
    collector = Scripted(REFUSED)
    sink = filled("a", "b")
    export = spans_of(collector, sink)
    export._work()
    sink.emit(ORIGIN, facts.RunAbandoned(run_id="c"))
    export._work()
    assert collector.bodies() == [b"a b", b"c"]
    assert counted(export) == (1, {"refused": 1}, 2)


def test_spans_that_are_never_taken_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "GIVE_UP_SECONDS", -1.0)
    export = spans_of(Scripted(UNAVAILABLE), filled("a", "b"))
    export._work()
    assert counted(export) == (0, {"unavailable": 1}, 2)


def test_what_a_collector_takes_in_part_is_counted_and_nonsense_is_a_failure() -> None:
    def rejected(answer: bytes) -> int:
        if answer == b"nonsense":
            raise ValueError
        return int(answer or 0)

    export = SpansExport(
        delivery("spans", Scripted(b"2", b"nonsense", b"-5"), rejected), filled("a", "b", "c"), Names(), joined
    )
    export._ended = Pauses()
    for _ in range(3):
        export._sink.emit(ORIGIN, facts.RunAbandoned(run_id="d"))
        export._work()
    assert counted(export) == (2, {"answer": 1}, 2 + 1)


def test_a_span_that_cannot_be_made_takes_no_other_with_it() -> None:
    collector = Scripted()
    export = spans_of(collector, filled("a", "broken", "b"))
    with capture_logs() as logged:
        export._work()
    assert collector.bodies() == [b"a b"]
    assert counted(export) == (1, {"internal": 1}, 1)
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["internal error: otel"]


def test_a_mistake_of_ours_in_a_request_is_a_failure_like_any_other() -> None:
    """Spans are sent again where it was in the sending, and given up where they cannot be encoded."""

    class Broken(Scripted):
        def post(self, path: str, body: bytes, seconds: float) -> bytes:
            super().post(path, body, seconds)
            if self.posts.qsize() == 1:
                raise RuntimeError("can't start new thread")
            return b""

    sending = spans_of(Broken(), filled("a", "b"))
    encoding = SpansExport(delivery("spans", Scripted()), filled("a", "b"), Names(), lambda _: bytes(-1))
    encoding._ended = Pauses()
    with capture_logs():
        sending._work()
        encoding._work()
    assert counted(sending) == (1, {"internal": 1}, 0)
    assert counted(encoding) == (0, {"internal": 1}, 2)


# Metrics ----------------------------------------------------------------------------------------------------


def metrics_of(collector: Any, request: Callable[[], bytes] = lambda: b"all") -> MetricsExport:
    return MetricsExport(delivery("metrics", collector), request, 60.0)


def test_metrics_that_were_not_taken_wait_for_the_next_time() -> None:
    """They are cumulative: the next ones say all of it. A collector that asks for more time has it."""
    collector = Scripted(UNAVAILABLE, THROTTLED, REFUSED)
    export = metrics_of(collector)
    assert [export._work() for _ in range(4)] == [60.0, 120.0, 60.0, 60.0]
    assert counted(export) == (1, {"unavailable": 1, "throttled": 1, "refused": 1}, 0)


def test_daemons_that_start_together_do_not_send_together() -> None:
    assert len({metrics_of(Scripted())._first_wait() for _ in range(20)}) > 10
    assert all(0 <= metrics_of(Scripted())._first_wait() <= 60.0 for _ in range(20))


def test_a_mistake_of_ours_does_not_end_the_thread() -> None:
    tried: Queue[None] = Queue()

    def request() -> bytes:
        tried.put(None)
        if tried.qsize() == 1:
            raise ZeroDivisionError
        return b"all"

    collector = Scripted()
    export = metrics_of(collector, request)
    with pytest.MonkeyPatch.context() as patched, capture_logs() as logged:
        patched.setattr(exporting, "RETRY_SECONDS_MAX", 0.0)
        patched.setattr(export, "_first_wait", lambda: 0.0)
        export.start()
        assert collector.posts.get(timeout=PATIENCE_SECONDS)[:2] == ("/v1/metrics", b"all")
        export.end(PATIENCE_SECONDS)
        export._thread.join(PATIENCE_SECONDS)
    assert failures(export) == {"internal": 1}
    assert [line["event"] for line in logged] == ["internal error: otel", "otel: exported again"]


# What is said -----------------------------------------------------------------------------------------------


def test_a_failure_is_said_when_it_begins_when_it_changes_and_when_it_is_over() -> None:
    export = metrics_of(Scripted(UNAVAILABLE, UNAVAILABLE, REFUSED))
    with capture_logs() as logged:
        for _ in range(5):
            export._work()
    assert [(line["event"], line.get("reason"), line.get("detail")) for line in logged] == [
        ("otel: not exported", "unavailable", "it answers 503"),
        ("otel: not exported", "refused", "it answers 400"),
        ("otel: exported again", None, None),
    ]


def exports_of(collector: Any, sink: SpanSink | None) -> Exports:
    deliveries = {"metrics": delivery("metrics", collector)} | ({"spans": delivery("spans", collector)} if sink else {})

    def make(collect: Any, labels: Any) -> list[MetricsExport | SpansExport]:
        made: list[MetricsExport | SpansExport] = [MetricsExport(deliveries["metrics"], collect, 60.0)]
        return [*made, SpansExport(deliveries["spans"], sink, Names(), joined)] if sink else made

    return Exports(deliveries, sink, make)


def test_counters_stand_at_0_from_the_start() -> None:
    numbers = exports_of(Scripted(), SpanSink(1)).numbers()
    kinds = ("metrics", "spans")
    assert numbers == {
        "steno_otel_exports_total": {(kind,): 0 for kind in kinds},
        "steno_otel_export_failures_total": {(kind, reason): 0 for kind in kinds for reason in REASONS},
        "steno_otel_dropped_total": {(kind,): 0 for kind in kinds},
    }
    assert set(exports_of(Scripted(), None).numbers()["steno_otel_dropped_total"]) == {("metrics",)}


def test_what_found_no_room_and_mistakes_of_the_sink_are_counted() -> None:
    sink = filled("a", "b", "c", most=1)
    sink.mistakes = 4
    numbers = exports_of(Scripted(), sink).numbers()
    assert numbers["steno_otel_dropped_total"]["spans",] == 2
    assert numbers["steno_otel_export_failures_total"]["spans", "internal"] == 4


# The end ----------------------------------------------------------------------------------------------------


def test_what_is_left_is_sent_at_the_end() -> None:
    collector = Scripted()
    sink = filled()
    exports = exports_of(collector, sink)
    exports.start(lambda: b"all", dict)  # type: ignore[arg-type, return-value]  # the collector of a test takes any body
    sink.emit(ORIGIN, facts.RunAbandoned(run_id="a"))
    with capture_logs() as logged:
        exports.finish(PATIENCE_SECONDS)
    assert sorted(collector.bodies()) == [b"a", b"all"]
    assert all(0 < seconds <= exporting.LAST_SECONDS for _, _, seconds in collector.posts.queue)
    assert logged == []


def test_a_collector_that_hangs_holds_the_end_no_longer_than_allowed() -> None:
    """What it had not taken is said."""
    hangs, asked = Event(), Event()

    class Hanging:
        def post(self, path: str, body: bytes, seconds: float) -> bytes:
            asked.set()
            hangs.wait(PATIENCE_SECONDS)
            return b""

    sink = filled("a", "b")
    exports = exports_of(Hanging(), sink)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exporting, "SPANS_SECONDS", 0.0)
        exports.start(lambda: b"all", dict)  # type: ignore[arg-type, return-value]  # as above
        assert asked.wait(PATIENCE_SECONDS)
        sink.emit(ORIGIN, facts.RunAbandoned(run_id="c"))
        with capture_logs() as logged:
            exports.finish(0.1)
    assert [(line["event"], line["spans"]) for line in logged] == [("otel: spans were not exported before the end", 3)]
    hangs.set()


def test_a_collector_that_is_down_is_asked_once_more_at_the_end_and_no_more() -> None:
    collector = Scripted(*[UNAVAILABLE] * 10)
    sink = filled("a")
    exports = exports_of(collector, sink)
    with pytest.MonkeyPatch.context() as patched, capture_logs() as logged:
        patched.setattr(exporting, "BATCH", 1)
        patched.setattr(exporting, "SPANS_SECONDS", 3600.0)
        exports.start(lambda: b"all", dict)  # type: ignore[arg-type, return-value]  # as above
        for name in "bcd":
            sink.emit(ORIGIN, facts.RunAbandoned(run_id=name))
        exports.finish(PATIENCE_SECONDS)
    assert sorted(collector.bodies()) == [b"a", b"all"]
    assert exports.numbers()["steno_otel_dropped_total"]["spans",] == 4
    assert [line["spans"] for line in logged if "spans" in line] == [4]
