"""What the audit log costs: beside the same daemon without one, and beside plain writes of the same bytes.

Two daemons read the same frames from senders of their own, at the same time, so that what else the machine does falls
on both: 600 connections with four events a second each. Their CPU is read while they run, start and end left out. The
writer is given records as fast as it takes them, with the defaults of the configuration; the lines that it wrote are
written again by plain buffered writes, with the same number of `fdatasync`. Seconds are those of CPU, and those in
`fdatasync` in which the process took none: what both take on a machine that does nothing else.
"""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import structlog

from benchmarks import mix
from benchmarks.figures import Figure, Scale, main, ratios
from benchmarks.processes import FailedError, Running, expect, program, running, steno
from benchmarks.programs.send import BEGUN_FRAMES
from steno import __version__
from steno.audit.content_store.files import ContentFiles
from steno.audit.log_records import SegmentSettings
from steno.audit.record import entry
from steno.audit.reports import WriterReports
from steno.audit.setup import options_of
from steno.audit.writing.log import AuditLog
from steno.audit.writing.writer import AuditWriter
from steno.config import Audit

CONNECTIONS: Final = 600
RATE: Final = 4
"""Events a second on each."""
SETTLING_SECONDS: Final = 3.0
"""Left out at the beginning: what the beginnings of the sessions left behind is done in it."""
LEAD_SECONDS: Final = SETTLING_SECONDS + 2
"""How much longer than it is measured there are frames."""
ROUND_SECONDS: Final = 4.0
PATIENCE_SECONDS: Final = 60
LONGEST_SESSION: Final = 500
"""More frames than a session has on average: so many are made a connection that there are enough sessions."""
RECORDS: Final = 50_000
"""That go through the writer in a round."""
LOOK: Final = 100
"""After so many records it is looked whether the queue is full."""
BEGIN: Final = 1_767_225_600_000_000


def rows(scale: Scale) -> Iterable[Figure]:
    """Measure the daemon, then the writer."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # not each checkpoint
    seconds = ROUND_SECONDS * (4 if scale.full else 1)
    with TemporaryDirectory(prefix="steno-bench-") as folder:
        yield beside_none(Path(folder), scale.rounds, seconds)
    with TemporaryDirectory(prefix="steno-bench-") as folder:
        yield beside_plain_writes(Path(folder), scale.rounds)


# The daemon -----------------------------------------------------------------------------------------------


def beside_none(folder: Path, rounds: int, seconds: float) -> Figure:
    """Return what the daemon takes with an audit log beside one without."""
    frames = int((LEAD_SECONDS + rounds * seconds) * RATE)
    with (folder / "sessions.jsonl").open("wb") as recording:
        recording.writelines(mix.begins(mix.lines(CONNECTIONS * LONGEST_SESSION), BEGUN_FRAMES + frames))
    with ExitStack() as stack:
        daemons = [stack.enter_context(reading(folder, frames, audit=audit)) for audit in (True, False)]
        for _, sender in daemons:
            expect(sender, "begun")
        for _, sender in daemons:
            sender.tell()
        time.sleep(SETTLING_SECONDS)
        took = [[daemon.cpu() for daemon, _ in daemons]]
        for _ in range(rounds):
            time.sleep(seconds)
            took.append([daemon.cpu() for daemon, _ in daemons])
    each = [[after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(took)]
    audited, bare = (median(side) / seconds / RATE / CONNECTIONS * 1e6 for side in zip(*each, strict=True))
    what = f"audit, {CONNECTIONS} connections of {RATE} events a second"
    values = tuple(one / other for one, other in each)
    return Figure(what, "the same without audit", values, 1.25, note=f"{audited:.1f} us an event / {bare:.1f} us")


@contextmanager
def reading(folder: Path, frames: int, *, audit: bool) -> Iterator[tuple[Running, Running]]:
    """Run a daemon that reads from a sender of its own, so many frames of each session; yield both."""
    sender = program("send", folder / "sessions.jsonl", str(CONNECTIONS), str(RATE), str(frames))
    with running(sender, folder, speaks=True) as provider, TemporaryDirectory(dir=folder) as name:
        lines = ["[http]", 'listen = "127.0.0.1:0"']
        lines += ["[audit]", f'directory = "{name}/audit"'] if audit else []
        upstream = provider.heard()
        for number in range(CONNECTIONS):
            url = f"ws://127.0.0.1:{upstream}/{number}"
            lines += ["[[sources]]", f'name = "s{number}"', 'kind = "connect"', f'url = "{url}"']
        config = Path(name) / "steno.toml"
        config.write_text("\n".join(lines))
        with running(steno("run", "-c", config), folder) as daemon:
            yield daemon, provider


# The writer -----------------------------------------------------------------------------------------------


def beside_plain_writes(folder: Path, rounds: int) -> Figure:
    """Return how many records a second the writer puts on the disk beside plain writes of the same lines."""
    entries = [record(number) for number in range(RECORDS)]
    logs = (folder / str(number) for number in count())
    log = folder
    syncs = 0

    def writer() -> float:
        nonlocal log, syncs
        log = next(logs)
        seconds, syncs = written(entries, log)
        return seconds

    def plain() -> float:
        lines = [line for segment in sorted(log.glob("audit-*")) for line in segment.open("rb")]
        return plainly_written(lines, syncs, folder / "plain")

    values, ours, theirs = ratios(writer, plain, rounds)
    note = f"{RECORDS / ours:,.0f} records a second / {RECORDS / theirs:,.0f}; {syncs} syncs"
    return Figure(
        "audit: records a second", "plain writes", tuple(1 / each for each in values), 0.6, least=True, note=note
    )


def record(number: int) -> bytes:
    """Return the entry of a record of the usual length."""
    body = msgspec.json.encode(
        {"response_id": f"resp_{number:021}", "model": "gpt-realtime", "status": "completed", "tokens": number}
    )
    return entry(BEGIN + number, "response.finished", f"desk/call-{number}", "desk/1/1", f"event_{number:021}", body)


def written(entries: Sequence[bytes], folder: Path) -> tuple[float, int]:
    """Put records on the disk through the writer; return the seconds from the first to the end, and the syncs."""
    settings = Audit()
    log_settings = SegmentSettings(version=__version__, config_digest="", content_policy="none")
    log = AuditLog.open(folder, log_settings, at=BEGIN, segment_bytes=settings.segment_bytes)
    writer = AuditWriter(log, options_of(settings), WriterReports(blocks=False), ContentFiles(folder), lambda: BEGIN)
    with busy() as spent:
        writer.start()
        for number, each in enumerate(entries):
            writer.submit(each)
            while number % LOOK == 0 and writer.stats().full:
                time.sleep(0.001)
        if not writer.close(BEGIN, PATIENCE_SECONDS):
            raise FailedError("the writer did not end in time")
    return spent.seconds, spent.syncs


def plainly_written(lines: Sequence[bytes], syncs: int, path: Path) -> float:
    """Put lines on the disk with so many syncs; return the seconds."""
    together = -(-len(lines) // syncs)
    with busy() as spent, path.open("wb") as file:
        for number, line in enumerate(lines, 1):
            file.write(line)
            if number % together == 0 or number == len(lines):
                file.flush()
                os.fdatasync(file.fileno())
    return spent.seconds


class Spent:
    """What was spent between two moments."""

    syncs = 0
    seconds = 0.0


@contextmanager
def busy() -> Iterator[Spent]:
    """Yield what counts each `fdatasync`, and at the end the seconds of CPU and of waiting for the disk alone."""
    spent, real = Spent(), os.fdatasync

    def counting(descriptor: int) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        real(descriptor)
        spent.syncs += 1
        # What another thread computes meanwhile, and what it makes this one wait for the interpreter, is CPU already.
        spent.seconds += max(0.0, time.perf_counter() - began - (time.process_time() - cpu))

    os.fdatasync = counting
    began = time.process_time()
    try:
        yield spent
    finally:
        spent.seconds += time.process_time() - began
        os.fdatasync = real


if __name__ == "__main__":
    main(rows)
