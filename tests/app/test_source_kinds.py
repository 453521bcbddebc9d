"""A kind of source is a class and a line in a table: nothing else in the daemon knows which kinds there are."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import anyio
import msgspec
import pytest
import structlog

from steno.app.daemon import Daemon
from steno.app.serving import opened
from steno.app.source_kinds import SOURCE_KINDS, kind_of, shedding
from steno.audit.verification.files import verify
from steno.config import Audit, Config, Http
from steno.config.sources import SOURCES
from steno.config.sources.base import Source
from steno.core.facts import Fact, Origin, StreamClosed
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.pipeline import Pipeline
from steno.sources import recorder, recording, supervised
from steno.sources.recording import Close
from steno.sources.stream_session import StreamCounters, StreamSessions
from tests.app.daemons import emit_to, get
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """Leave the logging of the process as it was: a daemon that reloads sets it up."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


# A made-up kind -------------------------------------------------------------------------------------------


class Metronome(Source, frozen=True, kw_only=True):
    """Its table in the configuration."""

    beat: str
    kind: Literal["metronome", "floods"] = "metronome"


class MetronomeSource:
    """Feeds its beat once, and the new one whenever it is configured anew."""

    def __init__(self, config: Metronome, sessions: StreamSessions) -> None:
        self.name = config.name
        self.counters = StreamCounters()
        self.ready = False
        self.problem = None
        self._sessions = sessions
        self._send, self._beats = anyio.create_memory_object_stream[bytes](1)
        self._send.send_nowait(config.beat.encode())

    async def recv(self, decode: Literal[False]) -> bytes:
        return await self._beats.receive()

    async def run(self) -> None:
        session = self._sessions.begin(self.name, self.counters)
        self.ready = True
        with self._beats, suppress(anyio.EndOfStream):
            await session.feed_from(self)
        session.end(Close(session.now(), None, "", local=True))

    async def stop(self) -> None:
        self._send.close()

    async def reconfigure(self, config: Metronome) -> None:
        await self._send.send(config.beat.encode())


class Breaking(Source, frozen=True, kw_only=True):
    """The table of a source that fails in one place."""

    place: str
    edition: int = 1
    kind: Literal["breaking"] = "breaking"


class BreakingSource:
    """Begins a stream, feeds a beat and fails: outside of any stream, or in one that it leaves open or ends."""

    def __init__(self, config: Breaking, sessions: StreamSessions) -> None:
        self.name = config.name
        self.counters = StreamCounters()
        self.ready = True
        self.problem = None
        self._place = config.place
        self._sessions = sessions
        self._stopping = anyio.Event()

    async def recv(self, decode: Literal[False]) -> bytes:
        if self._place == "receive":
            raise MemoryError
        return f'{{"type":"{self._place}"}}'.encode()

    async def run(self) -> None:
        if self._place == "handshake":
            raise OverflowError
        session = self._sessions.begin(self.name, self.counters)
        await session.feed_from(self)
        if self._place == "end":
            session.end(Close(session.now(), None, ""))
        raise ExceptionGroup("after the stream", [RecursionError()])

    async def stop(self) -> None:
        if self._place == "stop":
            await anyio.sleep_forever()

    async def reconfigure(self, config: Breaking) -> None:
        raise LookupError


# In the daemon --------------------------------------------------------------------------------------------


def configured(*sources: Metronome) -> Config:
    """Return a configuration with sources of a kind that the schema does not know."""
    return msgspec.structs.replace(Config(http=Http(listen="127.0.0.1:0")), sources=sources)


async def readiness(daemon: Daemon) -> tuple[int, Any]:
    """Return the status of `/readyz` and its sources."""
    status, body = await get(daemon, "/readyz")
    return status, json.loads(body)["sources"]


async def counted(daemon: Daemon) -> set[str]:
    """Return the series of sources in `/metrics`, with their values."""
    _, text = await get(daemon, "/metrics")
    lines = {line for line in text.splitlines() if 'source="' in line}
    return {line for line in lines if line.startswith(("steno_streams", "steno_frame_bytes", "steno_connect"))}


async def test_a_made_up_kind_of_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs, feeds, counts, decides readiness, is configured anew, and stops."""
    monkeypatch.setitem(SOURCE_KINDS, "metronome", MetronomeSource)
    configurations = iter(
        [configured(Metronome(name="tick", beat='{"type":"tock"}')), configured(Metronome(name="tack", beat="{}"))]
    )

    with opened(
        configured(Metronome(name="tick", beat='{"type":"tick"}')), {}, load=lambda: next(configurations)
    ) as daemon:
        before = daemon.health.ready()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await until(lambda: daemon.pipeline.others.get("realtime") == 1)
            first, series = await readiness(daemon), await counted(daemon)
            await daemon.reload()
            await until(lambda: daemon.pipeline.others.get("realtime") == 2)
            await daemon.reload()
            await until(lambda: {stream.source for stream in daemon.pipeline.streams.values()} == {"tack"})
            second = await readiness(daemon)
            daemon.stop()

    assert (before.ok, before.detail["sources"]) == (False, {"tick": False})
    assert (first, second) == ((200, {"tick": True}), (200, {"tack": True}))
    assert series == {
        'steno_streams{source="tick"} 1.0',
        'steno_frame_bytes_total{direction="received",source="tick"} 15.0',
        'steno_frame_bytes_total{direction="sent",source="tick"} 0.0',
    }
    assert daemon.pipeline.streams == {}


def gap_of(sink: "Gaps", source: str) -> set[str | None]:
    return {fact.gap for fact in sink.closed if fact.source == source}


def recorded(folder: Path, source: str) -> list[dict[str, Any]]:
    """Return the lines of the recording of the only stream of `source`."""
    (path,) = folder.glob(f"{source}-*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


class Gaps:
    """A sink that keeps how streams ended, and fails at what the play says."""

    def __init__(self) -> None:
        self.closed: list[StreamClosed] = []

    def emit(self, origin: Origin, fact: Fact) -> None:
        if isinstance(fact, StreamClosed):
            self.closed.append(fact)
            if fact.source == "end":
                raise ZeroDivisionError


@pytest.mark.parametrize("place", ["handshake", "begin", "record", "receive", "feed", "after", "end", "stop"])
async def test_a_source_that_fails_is_started_again_and_no_other_notices(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever it fails: it is counted, its stream ends with a gap, and the honest source beside it feeds on."""
    feed, opened_stream, line = Pipeline.feed, Pipeline.stream_opened, recording.frame_line

    def failing_feed(pipeline: Pipeline, stream: Stream, frame: Frame) -> None:
        if frame.payload != b'{"type":"tick"}':
            raise ZeroDivisionError
        feed(pipeline, stream, frame)

    def failing_begin(pipeline: Pipeline, name: str, source: str, *more: Any, **further: Any) -> Stream:
        if source == "begin":
            raise ZeroDivisionError
        return opened_stream(pipeline, name, source, *more, **further)

    def failing_line(frame: Frame, conversation: str | None, *, reply: bool) -> bytes:
        if frame.payload == b'{"type":"record"}':
            raise RecursionError
        return line(frame, conversation, reply=reply)

    monkeypatch.setitem(SOURCE_KINDS, "metronome", MetronomeSource)
    monkeypatch.setitem(SOURCE_KINDS, "breaking", BreakingSource)
    monkeypatch.setattr(supervised, "RESTART_SECONDS", 0.001)
    monkeypatch.setattr(supervised, "RESTART_MAX_SECONDS", 0.001)
    monkeypatch.setattr(supervised, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(Pipeline, "feed", failing_feed)
    monkeypatch.setattr(Pipeline, "stream_opened", failing_begin)
    monkeypatch.setattr(recorder, "frame_line", failing_line)
    honest, gaps = Metronome(name="honest", beat='{"type":"tick"}'), Gaps()
    config = msgspec.structs.replace(configured(honest), sources=(Breaking(name=place, place=place), honest))
    again = msgspec.structs.replace(config, sources=(Breaking(name=place, place=place, edition=2), honest))

    with opened(config, {}, record=tmp_path, load=lambda: again) as daemon:
        emit_to(daemon, gaps)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            restarts = daemon.sources.numbers
            await until(lambda: restarts()["steno_source_restarts_total"][place,] >= 3)
            await daemon.reload()
            since = restarts()["steno_source_restarts_total"][place,]
            await until(lambda: restarts()["steno_source_restarts_total"][place,] >= since + 2)
            alive = await readiness(daemon)
            daemon.stop()

    numbers = restarts()
    assert alive[1]["honest"] is True
    assert daemon.pipeline.streams == {}
    assert daemon.pipeline.others == {"realtime": 1}
    assert numbers["steno_streams"] == {(place,): 0, ("honest",): 0}
    assert numbers["steno_source_restarts_total"]["honest",] == 0
    assert gap_of(gaps, place) == (set() if place in {"handshake", "begin"} else {"internal_error"})
    assert gap_of(gaps, "honest") == {None}
    assert [each["dir"] for each in recorded(tmp_path, "honest")] == ["received", "close"]


# A kind that sheds ----------------------------------------------------------------------------------------


class Floods(MetronomeSource):
    """A kind whose senders never wait."""

    sheds = True


class Disk:
    """`fdatasync` hangs on the segments of an audit log until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.works = threading.Event()
        self.works.set()
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def fdatasync(self, descriptor: int) -> None:
        assert self.works.wait(30)
        self._real(descriptor)


def rejected(number: int) -> Frame:
    """Return a frame that leads to one record, which says how long it was."""
    return Frame(b"x" * number, 0)


async def test_a_flood_of_a_source_that_sheds_takes_nothing_from_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk hangs. The others have half of the queue, do not wait, and each of their records is there."""
    monkeypatch.setitem(SOURCE_KINDS, "metronome", MetronomeSource)
    monkeypatch.setitem(SOURCE_KINDS, "floods", Floods)
    disk = Disk(monkeypatch)
    kept, flood = (
        Metronome(name="kept", beat="{}"),
        msgspec.structs.replace(Metronome(name="flood", beat="{}"), kind="floods"),
    )
    config = msgspec.structs.replace(configured(), sources=(kept, flood), audit=audit_of(tmp_path, QUEUE_BYTES))
    most, fed = 0.0, 0

    with opened(config, {}) as daemon:
        pipeline = daemon.pipeline
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await until(lambda: {stream.source for stream in pipeline.streams.values()} == {"kept", "flood"})
            streams = {stream.source: stream for stream in pipeline.streams.values()}
            disk.works.clear()
            for number in range(1, 3_001):
                pipeline.feed(streams["flood"], rejected(number))
                if number % 60 == 0:
                    fed += 1
                    pipeline.feed(streams["kept"], rejected(fed))
                most = max(most, numbers_of(daemon)["steno_audit_queue_bytes"])
            blocked, is_open = numbers_of(daemon)["steno_audit_blocked"], pipeline.open
            while pipeline.open:  # the source that waits fills its part by itself
                fed += 1
                pipeline.feed(streams["kept"], rejected(fed))
                pipeline.feed(streams["flood"], rejected(1))
            fullest = numbers_of(daemon)["steno_audit_queue_bytes"]
            shed = numbers_of(daemon)["steno_audit_shed_records_total"]
            disk.works.set()
            await until(lambda: pipeline.open)
            pipeline.feed(streams["flood"], rejected(7))
            daemon.stop()

    held = records_of(tmp_path)
    gaps = [record["body"] for record in held if record["fact"] == "log.gap"]
    print(f"{fed} records of the source that waits, {shed:.0f} shed; at most {most:.0f} of {QUEUE_BYTES} bytes")  # noqa: T201  # the figures, for `-s`
    assert (blocked, is_open) == (0, True)
    assert most <= QUEUE_BYTES // 2 + fed * 400
    assert QUEUE_BYTES <= fullest < QUEUE_BYTES + 400
    assert lengths(held, "kept") == [2, *range(1, fed + 1)]  # the first is its beat
    assert [list(gap["sources"]) for gap in gaps] == [["flood"]] * len(gaps)
    assert sum(gap["facts"] for gap in gaps) == sum(gap["sources"]["flood"] for gap in gaps) == shed > 1_000
    assert lengths(held, "flood")[-1] == 7
    assert verify([tmp_path]).ok


QUEUE_BYTES = 256 * 1024


def audit_of(folder: Path, queue_bytes: int) -> Audit:
    return Audit(directory=str(folder), queue_bytes=queue_bytes)


def numbers_of(daemon: Daemon) -> dict[str, float]:
    """Return the numbers of the audit log that have no labels."""
    return {name: values[()] for name, values in daemon.audit.numbers().items() if () in values}


def records_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("audit-*")) for line in path.read_bytes().splitlines()]


def lengths(held: list[dict[str, Any]], source: str) -> list[int]:
    """Return how long the frames of `source` were that are recorded as rejected."""
    found = [record for record in held if record["fact"] == "frame.rejected"]
    return [record["body"]["bytes"] for record in found if record["stream"].startswith(f"{source}/")]


def test_which_sources_shed_is_decided_by_their_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is gone sheds until its streams have ended; another kind under its name decides anew."""
    monkeypatch.setitem(SOURCE_KINDS, "metronome", MetronomeSource)
    monkeypatch.setitem(SOURCE_KINDS, "floods", Floods)
    calm, flood = (
        Metronome(name="calm", beat="{}"),
        msgspec.structs.replace(Metronome(name="flood", beat="{}"), kind="floods"),
    )
    calmed = Metronome(name="flood", beat="{}")

    assert shedding([calm, flood]) == {"flood"}
    assert shedding([calm], frozenset({"flood"})) == {"flood"}
    assert shedding([calm, calmed], frozenset({"flood"})) == set()
    assert shedding([calm, flood], frozenset()) == {"flood"}


async def test_a_source_that_becomes_one_that_sheds_sheds_after_a_reload(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(SOURCE_KINDS, "metronome", MetronomeSource)
    monkeypatch.setitem(SOURCE_KINDS, "floods", Floods)
    before = msgspec.structs.replace(
        configured(Metronome(name="one", beat="{}")), audit=audit_of(tmp_path, QUEUE_BYTES)
    )
    flood = msgspec.structs.replace(Metronome(name="one", beat="{}"), kind="floods")
    after = msgspec.structs.replace(before, sources=(flood,))
    with opened(before, {}, load=lambda: after) as daemon:
        (sink,) = daemon.audit.sinks
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.run)
            await until(lambda: daemon.sources.ready() == {"one": True})
            sheds = [sink._sheds.shedding]  # type: ignore[union-attr]  # a log is written
            await daemon.reload()
            sheds.append(sink._sheds.shedding)  # type: ignore[union-attr]  # as above
            await until(lambda: daemon.sources.ready() == {"one": True})
            daemon.stop()

    assert sheds == [frozenset(), {"one"}]


def test_every_kind_that_can_be_configured_can_be_made() -> None:
    """The table and the schema have the same kinds."""
    assert set(SOURCE_KINDS) == set(SOURCES)
    for kind, table in SOURCES.items():
        assert get_args(get_type_hints(table)["kind"]) == (kind,)
        made = kind_of(msgspec.structs.replace(Metronome(name="", beat=""), kind=kind))
        assert made.__name__ == f"{kind.capitalize()}Source"
