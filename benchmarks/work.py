# ruff: noqa: INP001  # a script of the house, in no package
"""What the worst frames cost, and what an event costs where a limit is reached.

    python benchmarks/work.py [BYTES ...]

The first table has a row a kind of hostile frame (`hostile.py`), for each length in bytes: 64 KiB and 16 MiB, the
default of `frame_bytes`, unless others are named. A frame is decoded and fed, with metrics and an audit log that keeps
no content, into conversations that are open. Beside it stands how long a bare skip by msgspec takes over it. A frame of
up to 64 KiB may take 10 ms; a longer one 50 ms, or six times the skip where that is more.

The second table has a row a limit (`caps.py`): an event where the limit is reached, beside the same event where nothing
is full. Times are of CPU, the best of some runs.
"""

import gc
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import process_time
from typing import Final

import msgspec
from msgspec import Raw

from benchmarks import caps, hostile
from steno.audit.content_policy import NONE, BodyEncoder
from steno.audit.sink import AuditSink
from steno.audit.writing.queue import Submission
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline

SIZES: Final = (1 << 16, 1 << 24)
SHORT_BYTES: Final = 1 << 16
SHORT_SECONDS: Final = 0.010
LONG_SECONDS: Final = 0.050
SKIPS: Final = 6
ROUNDS: Final = 5
EVENTS: Final = 400
BEGIN: Final = 1_767_225_600_000_000


class _Nowhere:
    """Takes records, and counts their bytes."""

    def __init__(self) -> None:
        self.records = 0
        self.size = 0

    def submit(self, record: Submission, /) -> None:
        """Count one record."""
        self.records += 1
        self.size += len(record) if isinstance(record, bytes) else record.size


class Fed:
    """A pipeline with its sinks and one stream."""

    def __init__(self, opening: Iterable[bytes]) -> None:
        self.log = _Nowhere()
        sink = AuditSink(self.log, BodyEncoder(NONE), 1 << 20)
        self.pipeline = Pipeline(Limits(), [Metrics(Limits().label_values), sink])
        self.stream: Stream = self.pipeline.stream_opened("hostile", "benchmark", BEGIN)
        for payload in opening:
            self.feed(payload)

    def feed(self, payload: bytes) -> None:
        """Feed one frame."""
        self.pipeline.feed(self.stream, Frame(payload, BEGIN, payload.startswith(hostile.REQUEST)))


def _best(measured: Callable[[], float]) -> float:
    return min(measured() for _ in range(ROUNDS))


def _fed_seconds(payload: bytes) -> float:
    fed = Fed(hostile.OPENING)
    gc.collect()
    began = process_time()
    fed.feed(payload)
    return process_time() - began


def _skip_seconds(payload: bytes) -> float:
    decoder = msgspec.json.Decoder(Raw)
    began = process_time()
    with suppress(ValueError, RecursionError):  # the skip ends where it shows that this is no JSON
        decoder.decode(payload)
    return process_time() - began


def _hostile_row(name: str, payload: bytes) -> bool:
    """Print the row of one frame. Return whether it is within its bound."""
    skip, fed = _best(lambda: _skip_seconds(payload)), _best(lambda: _fed_seconds(payload))
    bound = SHORT_SECONDS if len(payload) <= SHORT_BYTES else max(LONG_SECONDS, SKIPS * skip)
    probe = Fed(hostile.OPENING)
    before = probe.log.records
    probe.feed(payload)
    counts = probe.pipeline.source("benchmark")
    verdict = ", ".join(counts.frames_rejected) or f"{probe.log.records - before} records, {counts.drifted} drifted"
    late = "" if fed <= bound else "  OVER"
    sys.stdout.write(
        f"{name:<36}{len(payload):>10}{fed * 1e3:>9.1f}{skip * 1e3:>8.1f}{fed / bound:>8.2f}  {verdict}{late}\n"
    )
    return not late


def _event_seconds(opening: Iterable[bytes], event: Callable[[int], bytes]) -> float:
    """Return what one of many events costs, after `opening`."""
    fed = Fed(opening)
    payloads = [event(number) for number in range(EVENTS)]
    gc.collect()
    began = process_time()
    for payload in payloads:
        fed.feed(payload)
    return (process_time() - began) / EVENTS


def _cap_row(name: str, cap: caps.Cap) -> None:
    norm = _best(lambda: _event_seconds(caps.OPENING, cap.event))
    full = _best(lambda: _event_seconds((*caps.OPENING, *cap.fill()), cap.event))
    sys.stdout.write(f"{name:<36}{full * 1e6:>9.1f}{norm * 1e6:>8.1f}{full / norm:>8.2f}\n")


def main() -> int:
    """Measure all, and return 1 if a frame took longer than it may."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    sys.stdout.write(f"{'hostile frame':<36}{'bytes':>10}{'ms':>9}{'skip':>8}{'bound':>8}\n")
    within = [_hostile_row(name, make(size)) for size in sizes for name, make in hostile.KINDS.items()]
    sys.stdout.write(f"\n{'limit that is reached':<36}{'us':>9}{'norm':>8}{'ratio':>8}\n")
    for name, cap in caps.CAPS.items():
        _cap_row(name, cap)
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
