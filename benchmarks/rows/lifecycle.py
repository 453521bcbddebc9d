"""What an event costs that is no delta: fed into all sinks of a daemon by default, beside `json.loads` of its payload.

    PYTHONPATH=. python -m benchmarks.rows.lifecycle [--json] [--full]

The sinks are those of `steno run` with an audit log: metrics, the log with its thread and its disk, and the memory of
the live view. All frames of the mix are fed, deltas too, so that each event meets the state that it meets in service;
the time of the loop's thread is taken around each event. What the writing thread takes is in the row of all frames.
"""

import asyncio
import gc
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time, thread_time_ns
from typing import Final

from benchmarks import mix
from benchmarks.figures import Figure, Scale, main
from steno.app.price_list import configured_prices
from steno.app.views import Views
from steno.audit.service import AuditService
from steno.config import Audit, Config
from steno.core.families import FAMILIES
from steno.core.frame import Frame
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.sources.recording import Close, Missed, parse
from steno.wire import name_of

AT: Final = 1_767_225_600_000_000
KINDS: Final = (
    "response.done",
    "conversation.item.added",
    "conversation.item.input_audio_transcription.completed",
    "response.created",
    "conversation.item.done",
    "thread.run.completed",
    "session.created",
    "rate_limits.updated",
    "response.output_item.added",
    "input_audio_buffer.committed",
    "thread.run.created",
    "thread.run.step.completed",
)
"""Those that cost most in the mix, the one with the largest share first."""
EVERY_FRAME: Final = "all frames of the mix, the writing thread included"

Seconds = dict[str, float]
"""A kind of event to the CPU seconds that all of it took."""
Item = Frame | Close | Missed


def fed(items: Sequence[Item], kinds: Sequence[str]) -> Seconds:
    """Feed `items` to a pipeline with all sinks of a daemon; return what each kind took."""
    return asyncio.run(_fed(items, kinds))


async def _fed(items: Sequence[Item], kinds: Sequence[str]) -> Seconds:
    """Feed within a loop, which the service of the audit log belongs to."""
    with TemporaryDirectory() as folder:
        config = Config(audit=Audit(directory=folder))
        prices = configured_prices(config.prices)
        with AuditService.open(config, {}, AT, lambda: AT) as audit:
            views = Views(config)
            sinks = [Metrics(config.limits.label_values, prices), *audit.sinks, views.recent]
            pipeline = Pipeline(config.limits, sinks, views.closed, prices=prices)
            audit.start(pipeline, AT)
            gc.collect()
            began = process_time()
            taken = _timed(pipeline, items, kinds)
            audit.finish(AT, timeout=60)
            taken[EVERY_FRAME] = process_time() - began
            return taken


def _timed(pipeline: Pipeline, items: Sequence[Item], kinds: Sequence[str]) -> Seconds:
    taken: defaultdict[str, int] = defaultdict(int)
    stream, number = None, 0
    for item, kind in zip(items, kinds, strict=True):
        if stream is None:
            number += 1
            stream = pipeline.stream_opened(f"desk/{number}", "desk", item.at)
        if isinstance(item, Frame):
            before = thread_time_ns()
            pipeline.feed(stream, item)
            taken[kind] += thread_time_ns() - before
        else:
            pipeline.stream_closed(stream, item.at, 1000)
            stream = None
    return {kind: nanoseconds / 1e9 for kind, nanoseconds in taken.items()}


def loaded(items: Sequence[Item], kinds: Sequence[str]) -> Seconds:
    """Decode the payloads with the standard decoder; return what each kind took."""
    taken: defaultdict[str, int] = defaultdict(int)
    began = process_time()
    for item, kind in zip(items, kinds, strict=True):
        if isinstance(item, Frame):
            before = thread_time_ns()
            json.loads(item.payload)
            taken[kind] += thread_time_ns() - before
    seconds = {kind: nanoseconds / 1e9 for kind, nanoseconds in taken.items()}
    return {**seconds, EVERY_FRAME: process_time() - began}


def _kind(item: Item) -> str:
    return name_of(type(FAMILIES.decoder.decode(item.payload))) if isinstance(item, Frame) else ""  # type: ignore[arg-type]  # all of the mix are events


def rows(scale: Scale) -> Iterator[Figure]:
    """Yield a figure a kind of event, and one of all frames."""
    items = [parse(line.strip()) for line in mix.lines(scale.frames)]
    kinds = [_kind(item) for item in items]
    sides: list[list[Seconds]] = [[], []]
    fed(items, kinds), loaded(items, kinds)
    for number in range(scale.rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            sides[side].append((fed, loaded)[side](items, kinds))
    for kind in (*KINDS, EVERY_FRAME):
        count = sum(isinstance(item, Frame) for item in items) if kind == EVERY_FRAME else kinds.count(kind)
        yield _figure(kind, count, *sides)


def _figure(kind: str, count: int, feeds: Iterable[Seconds], loads: Iterable[Seconds]) -> Figure:
    pairs = [(feed[kind], load[kind]) for feed, load in zip(feeds, loads, strict=True)]
    took, beside = (median(side) / count * 1e6 for side in zip(*pairs, strict=True))
    note = f"{took:.1f} us and {beside:.1f} us an event, {count} events"
    return Figure(kind, "json.loads", tuple(feed / load for feed, load in pairs), None, note=note)


if __name__ == "__main__":
    main(rows)
