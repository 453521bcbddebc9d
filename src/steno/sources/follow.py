"""`kind = "follow"`: a file that grows, a named pipe, or standard input, a frame a line.

A line is in any form that `steno replay` knows. The time of a frame is that of its line where it is plausible, else the
time of reading. The lines of a file are one stream, until a line says that its connection has ended.

What is followed is read in a thread, since a disk may be slow. Where it cannot be read, it is tried again.
"""

from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import structlog
from msgspec import structs

from steno.config.sources.follow import FollowSource as FollowConfig
from steno.core.envelope import plausible_time
from steno.limits import LINE_BYTES
from steno.sources.backoff import Backoff
from steno.sources.growing_file import LOOK_SECONDS, TOO_LONG, Ended, Input, Truncated, open_input, reason_of
from steno.sources.protocols import Problem
from steno.sources.recording import TOO_BIG, Close, conversation_of, is_reply, parse
from steno.sources.stream_session import StreamCounters, StreamSession, StreamSessions

WAIT_SECONDS: Final = 0.25
WAIT_MAX_SECONDS: Final = 5.0
"""Bounds of the wait before what cannot be opened is tried again."""


class FollowSource:
    """One configured file. It is ready while it is open."""

    def __init__(self, config: FollowConfig, sessions: StreamSessions) -> None:
        """Follow what `config` names, and begin streams by `sessions`."""
        self.name = config.name
        self.counters = StreamCounters()
        self.problem: Problem | None = None
        self._config = config
        self._sessions = sessions
        self._session: StreamSession | None = None
        self._log = structlog.get_logger().bind(source=config.name, path=config.path)
        self._stopping = anyio.Event()
        self._changed = anyio.Event()
        self._input: Input | None = None
        self._from_end = config.start == "end"

    @property
    def ready(self) -> bool:
        """Whether the file can be read."""
        return self._input is not None and self.problem is None

    # The life of the source -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until `stop`."""
        backoff = Backoff(WAIT_SECONDS, WAIT_MAX_SECONDS)
        try:
            while not self._stopping.is_set():
                self._changed = anyio.Event()
                try:
                    await self._follow(backoff)
                except OSError as error:
                    self._fail(error)
                    self._from_end &= not isinstance(error, FileNotFoundError)  # what is made later is read whole
                    await self._pause(backoff.wait())
                except Ended:
                    self._end(Close(self._now(), None, ""), whole=True)
                    self.problem = Problem("ended", f"{self._config.path} has come to its end")
                    self._log.info("input ended")
                    await self._until_changed()
        finally:
            self._end(Close(self._now(), None, "", local=True))

    async def stop(self) -> None:
        """End the stream, and read no more."""
        self._stopping.set()
        self._changed.set()

    async def reconfigure(self, config: FollowConfig) -> None:
        """Follow what `config` names from now on."""
        self._config = config
        self._from_end = config.start == "end"
        self._log = structlog.get_logger().bind(source=config.name, path=config.path)
        self._changed.set()

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._until_changed()

    async def _until_changed(self) -> None:
        await self._changed.wait()

    def _fail(self, error: OSError) -> None:
        problem = Problem(reason_of(error), f"{self._config.path}: {(error.strerror or 'input error').lower()}")
        if problem != self.problem:
            self._log.warning("cannot follow", reason=problem.reason, detail=problem.detail)
        self.problem = problem

    # One file -------------------------------------------------------------------------------------------

    async def _follow(self, backoff: Backoff) -> None:
        """Read what is configured until that changes. Raises OSError where it cannot be read, and `Ended`."""
        longest = max(LINE_BYTES, 8 * self._config.frame_bytes)
        path, from_end, changed = self._config.path, self._from_end, self._changed
        self._input = await anyio.to_thread.run_sync(partial(open_input, path, longest, from_end=from_end))
        backoff.succeeded()
        self._log.info("following")
        try:
            while not changed.is_set():
                await self._read(self._input)
        finally:
            followed, self._input = self._input, None
            followed.close()
        self._end(Close(self._now(), None, "", local=True))

    async def _read(self, followed: Input) -> None:
        """Feed the next lines, or wait a moment where none has come."""
        try:
            lines = await anyio.to_thread.run_sync(followed.read)
        except Truncated:
            self._log.warning("the file was truncated: lines may be missing")
            self._end(Close(self._now(), None, "", gap="truncated"))
            return
        except OSError as error:  # the place in the file is not given up
            self._fail(error)
            await self._pause(WAIT_MAX_SECONDS)
            return
        self.problem = None
        if lines is None:
            await self._pause(LOOK_SECONDS)
        for line in lines or ():
            await self._take(line)

    async def _take(self, line: bytes) -> None:
        if line is TOO_LONG:
            self._begun(line)
            self._end(Close(self._now(), TOO_BIG, ""))
            return
        item = parse(line)
        session = self._begun(line)
        if isinstance(item, Close):
            self._end(structs.replace(item, at=plausible_time(item.at, self._now())))
            return
        await session.room()
        if not session.take_line(item):
            self._end(Close(self._now(), None, ""))

    # Streams --------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return self._sessions.now()

    def _begun(self, line: bytes) -> StreamSession:
        """Return the stream that is open; where none is, the one that `line` begins."""
        if self._session is None:
            self._session = self._sessions.begin(self.name, self.counters, conversation_of(line), reply=is_reply(line))
        return self._session

    def _end(self, close: Close, *, whole: bool = False) -> None:
        session, self._session = self._session, None
        if session:
            session.end(close, whole=whole)
