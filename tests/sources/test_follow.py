"""`kind = "follow"`: real files that grow, rotate and vanish."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from steno.config import FollowSource as FollowConfig
from steno.core.facts import EventsMissed
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.sources import follow, growing_file
from steno.sources.follow import FollowSource
from steno.sources.protocols import Problem
from steno.sources.recording import Close, close_line
from steno.timestamps import timestamp
from tests.sources.helpers import PING, Stage, counted, until

pytestmark = pytest.mark.anyio
LINE = PING.decode() + "\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    for module in (follow, growing_file):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr(follow, "WAIT_SECONDS", 0.002)
    monkeypatch.setattr(follow, "WAIT_MAX_SECONDS", 0.002)


class Play(Stage):
    """A source that follows a file."""

    def __init__(self, path: Path | str, start: str = "end") -> None:
        super().__init__()
        self.at: list[tuple[int | None, bool]] = []
        self.path = Path(path)
        config = FollowConfig(name="archive", kind="follow", path=str(path), start=start)  # type: ignore[arg-type]  # of the two
        self.source = FollowSource(config, self.sessions)
        feed = self.pipeline.feed

        def fed(stream: Stream, frame: Frame) -> None:
            self.at.append((frame.at, frame.sent))
            feed(stream, frame)

        self.pipeline.feed = fed  # type: ignore[method-assign]  # looks at what is fed

    def append(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.source.run)
            yield
            await self.source.stop()

    async def until_fed(self, frames: int) -> None:
        await until(lambda: self.fed == frames)

    def gaps(self) -> Mapping[str, float]:
        return counted({str(gap): count for gap, count in self.source.counters.gaps.items()})


async def test_lines_are_fed_as_they_come(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl")
    play.append(LINE)

    async with play.running():
        await until(lambda: play.source.ready)
        play.append(LINE + LINE[:10])
        await until(lambda: play.fed == 1)
        play.append(LINE[10:])
        await until(lambda: play.fed == 2)

    assert [(fact.reason, fact.gap) for fact in play.closed] == [("shutdown", None)]
    assert play.source.ready is False


async def test_a_line_that_begins_a_stream_says_that_it_is_a_reply(tmp_path: Path) -> None:
    """A chain of responses goes on over such streams."""
    play = Play(tmp_path / "frames.jsonl", "beginning")
    line = '{{"dir":"received","reply":true,"data":{{"id":"{}","object":"response","status":"completed"{}}}}}\n'
    close = '{"dir":"close","code":1000}\n'
    play.append(line.format("resp_1", "") + close + line.format("resp_2", ',"previous_response_id":"resp_1"') + close)

    async with play.running():
        await until(lambda: len(play.closed) == 2)
        assert list(play.pipeline.registry.conversations) == ["archive/resp_1"]


async def test_what_the_file_holds_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl", "beginning")
    play.append(LINE * 3)

    async with play.running():
        await until(lambda: play.fed == 3)


async def test_a_file_that_is_missing_is_waited_for_and_read_whole(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl")

    async with play.running():
        await until(lambda: play.source.problem)
        problem, ready = play.source.problem, play.source.ready
        (tmp_path / "new").write_text(LINE * 2)
        (tmp_path / "new").rename(play.path)
        await until(lambda: play.fed == 2)
        after = play.source.problem

    assert problem == Problem("missing", f"{play.path}: no such file or directory")
    assert (ready, after) == (False, None)


async def test_lines_of_a_recording_have_their_times_directions_and_ends(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl")
    play.path.touch()
    before = play.clock.now()
    recent = '{"dir":"sent","at":"%s","data":%s}\n'
    long_ago = '{"dir":"received","at":"2020-01-01T00:00:00Z","data":{"type":"ping"}}\n'

    async with play.running():
        await until(lambda: play.source.ready)
        play.append(recent % (timestamp(before - 5_000_000), PING.decode()))
        play.append(close_line(Close(None, 1006, "")).decode())
        play.append(long_ago + close_line(Close(None, 1000, "")).decode())
        play.append(close_line(Close(None, None, "", gap="blocked")).decode())
        await until(lambda: len(play.closed) == 3)

    (first, sent), (second, received) = play.at
    assert (first, sent, received) == (before - 5_000_000, True, False)
    assert second is not None
    assert second >= before
    assert [(fact.code, fact.gap) for fact in play.closed] == [(1006, "closed"), (1000, None), (None, "blocked")]


async def test_rotation_loses_nothing(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl")
    play.path.touch()

    async with play.running():
        await until(lambda: play.source.ready)
        for number in range(1, 6):
            play.append(LINE * 2)
            play.path.rename(tmp_path / f"frames.jsonl.{number}")
            play.append(LINE)
            await play.until_fed(3 * number)

    assert play.gaps() == {}


async def test_a_truncated_file_is_a_gap(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl")
    play.path.touch()

    async with play.running():
        await until(lambda: play.source.ready)
        play.append(LINE * 2)
        await until(lambda: play.fed == 2)
        play.path.write_text(LINE)
        await until(lambda: play.fed == 3)

    assert play.gaps() == {"truncated": 1}
    assert [fact.gap for fact in play.closed] == ["truncated", None]


async def test_a_line_that_is_too_long_ends_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "LINE_BYTES", 100)
    play = Play(tmp_path / "frames.jsonl")
    play.source._config = FollowConfig(name="archive", kind="follow", path=str(play.path), frame_bytes=1024)
    play.path.touch()

    async with play.running():
        await until(lambda: play.source.ready)
        play.append("x" * 100_000 + "\n" + LINE)
        await until(lambda: play.fed == 1)

    assert play.gaps() == {"frame_too_big": 1}


async def test_reading_waits_for_room(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl")
    play.path.touch()

    async with play.running():
        await until(lambda: play.source.ready)
        play.pipeline.hold()
        play.append(LINE * 3)
        await until(lambda: play.source._session is not None and play.source._session.waiting)
        blocked = play.fed
        play.pipeline.release()
        await until(lambda: play.fed == 3)

    assert blocked == 0
    assert play.gaps() == {}


async def test_standard_input_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    play = Play("-")
    monkeypatch.setattr(follow, "open_input", lambda *_, **__: growing_file.Pipe(reading, 1000, owned=True))

    async with play.running():
        await until(lambda: play.source.ready)
        os.write(writing, LINE.encode() + LINE.strip().encode())
        os.close(writing)
        await until(lambda: play.source.problem)
        problem = play.source.problem

    assert problem == Problem("ended", "- has come to its end")
    assert play.fed == 2
    assert [(fact.code, fact.gap) for fact in play.closed] == [(None, None)]


async def test_another_file_is_followed_when_that_is_configured(tmp_path: Path) -> None:
    play = Play(tmp_path / "one.jsonl")
    play.path.touch()

    async with play.running():
        await until(lambda: play.source.ready)
        play.path = tmp_path / "two.jsonl"
        play.append(LINE)
        await play.source.reconfigure(
            FollowConfig(name="archive", kind="follow", path=str(play.path), start="beginning")
        )
        await until(lambda: play.fed == 1)


async def test_a_disk_that_fails_is_read_again_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = Play(tmp_path / "frames.jsonl")
    play.path.touch()
    read, failing = growing_file.GrowingFile.read, True

    def reading(file: growing_file.GrowingFile) -> list[bytes] | None:
        if failing:
            raise OSError(5, "Input/output error")
        return read(file)

    monkeypatch.setattr(growing_file.GrowingFile, "read", reading)
    async with play.running():
        await until(lambda: play.source.problem)
        problem, ready = play.source.problem, play.source.ready
        play.append(LINE)
        failing = False
        await until(lambda: play.fed == 1)

    assert problem == Problem("unreadable", f"{play.path}: input/output error")
    assert ready is False


async def test_a_mistake_of_ours_ends_the_stream_and_the_next_line_begins_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = Play(tmp_path / "frames.jsonl")
    play.path.touch()
    feed = play.pipeline.feed

    def failing(stream: Stream, frame: Frame) -> None:
        if frame.payload == b"{}":
            raise ZeroDivisionError
        feed(stream, frame)

    monkeypatch.setattr(play.pipeline, "feed", failing)
    async with play.running():
        await until(lambda: play.source.ready)
        play.append("{}\n" + LINE)
        await until(lambda: play.fed == 1)

    assert [fact.gap for fact in play.closed] == ["internal_error", None]


async def test_a_line_says_that_frames_are_missing(tmp_path: Path) -> None:
    play = Play(tmp_path / "frames.jsonl", "beginning")
    play.append('{"dir":"gap","frames":3,"reason":"queue_full"}\n' + LINE)

    async with play.running():
        await play.until_fed(1)

    assert [fact for fact in play.facts if isinstance(fact, EventsMissed)] == [
        EventsMissed(missing=3, reason="queue_full")
    ]
