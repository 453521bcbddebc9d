"""One stream from its begin to its end: name, recording, feeding, and why events may be missing."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import anyio
import pytest
import structlog.testing

from steno.core.facts import Fact, StreamClosed, StreamOpened
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.output_errors import OutputErrors
from steno.sources.recorder import Recorder
from steno.sources.recording import Close, Missed, conversation_of, parse
from steno.sources.stream_session import BLAMED_SECONDS, StreamCounters, StreamSession
from tests.sources.helpers import PING, Stage, counted, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Ended(Exception):  # noqa: N818  # it is what a connection raises at its end, and no error of a test
    """The connection has no more messages."""


class Messages:
    """A connection that has some messages, and then ends."""

    def __init__(self, messages: Iterable[bytes]) -> None:
        self._messages = iter(messages)

    async def recv(self, decode: Literal[False]) -> bytes:
        for message in self._messages:
            return message
        raise Ended


async def feed(session: StreamSession, *messages: bytes) -> None:
    """Feed messages, up to the end of the connection."""
    with pytest.raises(Ended):
        await session.feed_from(Messages(messages))


def recorded_lines(folder: Path) -> list[bytes]:
    """Return the lines of the one recording in `folder`."""
    (recording,) = folder.glob("*.jsonl")
    return recording.read_bytes().splitlines()


async def test_what_waits_for_room_is_settled_when_there_is_some() -> None:
    """Also where the room came while it waited for its turn: its connection is not read until then."""
    settled: list[int] = []

    class Held(Messages):
        def settle(self) -> None:
            settled.append(session.frames)

    session = Stage().sessions.begin("relay", StreamCounters())
    with pytest.raises(Ended):
        await session.feed_from(Held([PING, PING]))

    assert settled == [0, 1]


# Begin ----------------------------------------------------------------------------------------------------


def test_streams_are_numbered_by_source() -> None:
    """The name is the source, the start of the daemon, and a number that counts on whatever becomes of the source."""
    stage = Stage()
    sessions = [stage.sessions.begin(source, StreamCounters()) for source in ("relay", "tap", "relay")]
    start = stage.clock.start

    assert [session.stream.name for session in sessions] == [f"relay/{start}/1", f"tap/{start}/1", f"relay/{start}/2"]
    assert stage.facts == [StreamOpened(source=source) for source in ("relay", "tap", "relay")]


def test_stream_has_the_name_of_its_conversation() -> None:
    """A name that the connection gives is the name of the stream's conversation."""
    session = Stage().sessions.begin("relay", StreamCounters(), "rtc_1")

    assert session.stream.conversation == "rtc_1"


# Feeding --------------------------------------------------------------------------------------------------


async def test_frames_are_fed_and_recorded(tmp_path: Path) -> None:
    """The recording has the frames, the name of the conversation and the end."""
    stage = Stage(Recorder(tmp_path, OutputErrors()))
    session = stage.sessions.begin("relay", StreamCounters(), "rtc_1")

    await feed(session, PING, b"{}")
    session.end(Close(7, 1011, "gone"))

    first, second, end = recorded_lines(tmp_path)
    frames = [parse(line) for line in (first, second)]
    assert [frame.payload for frame in frames if isinstance(frame, Frame)] == [PING, b"{}"]
    assert b'"conversation":"rtc_1"' in first
    assert parse(end) == Close(7, 1011, "gone", gap="closed")
    assert (session.stream.frames, stage.fed) == (2, 1)


async def test_stream_whose_recording_cannot_begin_is_read_all_the_same(tmp_path: Path) -> None:
    """The recording is optional: its failure is logged."""
    folder = tmp_path / "recordings"
    stage = Stage(Recorder(folder, OutputErrors()))
    folder.rmdir()

    with structlog.testing.capture_logs() as lines:
        session = stage.sessions.begin("relay", StreamCounters())
    await feed(session, PING)

    assert [(line["event"], line["log_level"]) for line in lines] == [("stream is not recorded", "error")]
    assert stage.fed == 1


async def test_nothing_is_read_while_there_is_no_room() -> None:
    """The session waits before it receives, and says that it waits."""
    stage = Stage()
    session = stage.sessions.begin("relay", StreamCounters())
    stage.pipeline.hold()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feed, session, PING)
        await until(lambda: session.waiting)
        fed_while_waiting = stage.fed
        stage.pipeline.release()

    assert (fed_while_waiting, stage.fed, session.waiting) == (0, 1, False)


async def test_internal_error_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in our own code is logged without its message, and is a gap."""

    def fail(stream: Stream, frame: Frame) -> None:
        raise ZeroDivisionError

    stage = Stage()
    counters = StreamCounters()
    session = stage.sessions.begin("relay", counters)
    monkeypatch.setattr(stage.pipeline, "feed", fail)

    with structlog.testing.capture_logs() as lines:
        await session.feed_from(Messages([PING, PING]))
    session.end(Close(7, None, ""))

    assert [line["event"] for line in lines] == ["internal error: this stream ends, the others go on"]
    assert stage.closed == [
        StreamClosed(source="relay", reason="disconnected", code=None, frames=0, gap="internal_error")
    ]
    assert counted(counters.gaps) == {"internal_error": 1}


async def test_internal_error_among_messages_of_one_read_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message at which it came is not taken, and nothing is fed after it."""
    fed: list[bytes] = []

    def fail_at_second(stream: Stream, frame: Frame) -> None:
        fed.append(frame.payload)
        if len(fed) == 2:
            raise ZeroDivisionError

    stage = Stage()
    session = stage.sessions.begin("relay", StreamCounters())
    monkeypatch.setattr(stage.pipeline, "feed", fail_at_second)

    with structlog.testing.capture_logs() as lines:
        taken = session.take_at_once([b"1", b"2", b"3"])
        await session.feed_from(Messages([b"2", b"3"]))

    assert (taken, fed) == (1, [b"1", b"2"])
    assert [line["event"] for line in lines] == ["internal error: this stream ends, the others go on"]


# End ------------------------------------------------------------------------------------------------------


def closed_of(facts: list[Fact]) -> tuple[str, int | None, str | None]:
    fact = facts[-1]
    assert isinstance(fact, StreamClosed)
    return fact.reason, fact.code, fact.gap


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (Close(7, 1000, ""), ("disconnected", 1000, None)),
        (Close(7, 1001, "Your session hit the maximum duration of 60 minutes."), ("session_expired", 1001, None)),
        (Close(7, 1001, "", local=True), ("shutdown", 1001, None)),
        (Close(7, None, "", local=True), ("shutdown", None, None)),
        (Close(7, None, ""), ("disconnected", None, "broken_off")),
        (Close(7, 1011, ""), ("disconnected", 1011, "closed")),
        (Close(7, 1009, ""), ("disconnected", 1009, "frame_too_big")),
    ],
)
async def test_end_of_a_stream(close: Close, expected: tuple[str, int | None, str | None]) -> None:
    """A session that came to its end, or that steno left, misses nothing; every other end is a gap with a reason."""
    stage = Stage()
    counters = StreamCounters()

    stage.sessions.begin("relay", counters).end(close)

    gap = expected[2]
    assert closed_of(stage.facts) == expected
    assert counters.open == 0
    assert counted(counters.numbers()["steno_stream_gaps_total"]) == ({(gap,): 1} if gap else {})


@pytest.mark.parametrize(("unresponsive", "gap"), [(True, "unresponsive"), (False, "broken_off")])
async def test_peer_that_was_given_up(unresponsive: bool, gap: str) -> None:
    """The source says that the peer was silent; the connection itself only breaks off."""
    stage = Stage()
    session = stage.sessions.begin("relay", StreamCounters())
    session.unresponsive = unresponsive

    session.end(Close(7, None, ""))

    assert closed_of(stage.facts) == ("disconnected", None, gap)


@pytest.mark.parametrize(("later", "gap"), [(BLAMED_SECONDS - 1, "blocked"), (BLAMED_SECONDS + 1, "closed")])
async def test_end_soon_after_a_wait_is_our_fault(later: float, gap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer gave up because nothing was read; what it had sent before is read first, so that the end comes later."""
    stage = Stage()
    session = stage.sessions.begin("relay", StreamCounters())
    stage.pipeline.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feed, session)
        await until(lambda: session.waiting)
        stage.pipeline.release()
    monkeypatch.setattr(anyio, "current_time", shifted(anyio.current_time, later))

    session.end(Close(7, 1011, "the reader is too slow"))

    assert closed_of(stage.facts) == ("disconnected", 1011, gap)


def shifted(clock: Callable[[], float], by: float) -> Callable[[], float]:
    """Return a clock that stands at the present time and `by` seconds."""
    then = clock() + by
    return lambda: then


def test_open_streams_are_counted() -> None:
    """The gauge goes up and down with the streams."""
    stage = Stage()
    counters = StreamCounters()
    one, _ = stage.sessions.begin("relay", counters), stage.sessions.begin("relay", counters)

    one.end(Close(7, 1000, "", local=True))

    assert counters.numbers()["steno_streams"] == {(): 1}


def test_streams_that_are_left_open_all_end_though_one_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake is raised once the others have ended."""
    stage, counters = Stage(), StreamCounters()
    sessions = [stage.sessions.begin("relay", counters) for _ in range(3)]
    end = StreamSession.end

    def fail_at_first(session: StreamSession, close: Close) -> None:
        if session is sessions[0]:
            raise KeyError
        end(session, close)

    monkeypatch.setattr(StreamSession, "end", fail_at_first)
    with pytest.raises(ExceptionGroup):
        stage.sessions.end_left(counters)

    assert len(stage.closed) == 2


def test_a_stream_that_cannot_begin_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no recording that would have to end."""
    stage = Stage()

    def fail(*_: object, **__: object) -> None:
        raise KeyError

    monkeypatch.setattr(stage.pipeline, "stream_opened", fail)
    with pytest.raises(KeyError):
        stage.sessions.begin("relay", StreamCounters())


async def test_a_name_that_comes_late_is_recorded_too(tmp_path: Path) -> None:
    stage = Stage(Recorder(tmp_path, OutputErrors()))
    session = stage.sessions.begin("relay", StreamCounters())

    session.call("rtc_one")
    session.take(Frame(PING, session.now()))
    session.call("rtc_two")
    session.end(Close(session.now(), 1000, ""))

    assert session.stream.conversation == "rtc_one"
    assert conversation_of(recorded_lines(tmp_path)[0]) == "rtc_one"


async def test_a_mistake_of_ours_where_frames_are_missing_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    session = stage.sessions.begin("relay", StreamCounters())
    monkeypatch.setattr(stage.pipeline, "missed", lambda *_: 1 / 0)

    went_on = session.miss(Missed(session.now(), 3, 12, "queue_full"))

    assert (went_on, session.failed) == (False, True)
