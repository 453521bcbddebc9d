"""`kind = "attach"`: the source that runs the calls which the register has for it."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final, get_args

import anyio
import structlog
from anyio.abc import TaskGroup

from steno.attachments import CallState, EndReason
from steno.config.sources.attach import AttachSource as Config
from steno.sources.attach.call import FollowedCall
from steno.sources.attach.register import Call
from steno.sources.dialing import DialCounters
from steno.sources.protocols import Numbers, Problem
from steno.sources.stream_session import StreamSessions
from steno.timestamps import SECOND

STATES: Final[tuple[CallState, ...]] = ("connecting", "following", "waiting")


class AttachCounters(DialCounters):
    """What a source that follows calls counts."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        """Begin at zero; `calls` are those that are followed."""
        super().__init__()
        self.ended: dict[EndReason, int] = dict.fromkeys(get_args(EndReason), 0)
        """Calls that are followed no more, by reason."""
        self._calls = calls

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the values by metric and labels; see `protocols.Counters`."""
        states = Counter(call.state for call in list(self._calls.values()))
        return {
            **super().numbers(),
            "steno_attachments": {(state,): states[state] for state in STATES},
            "steno_attachments_ended_total": {(reason,): count for reason, count in self.ended.items()},
        }


class AttachSource:
    """One provider whose calls are followed. It is ready while it takes calls."""

    def __init__(self, config: Config, sessions: StreamSessions) -> None:
        """Follow calls as `config` says: those that `sessions.attachments` has for this source."""
        self.name = config.name
        self._config = config
        self._sessions = sessions
        self._shelf = sessions.attachments.shelf(config.name)
        self._shelf.configured, self._shelf.stopped, self._shelf.most = True, False, config.calls
        self.counters = AttachCounters(self._shelf.calls)
        self._log = structlog.get_logger().bind(source=config.name)
        self._following: dict[Call, FollowedCall] = {}
        self._stopping = anyio.Event()
        self._ended = anyio.Event()
        self._tasks: TaskGroup | None = None

    @property
    def ready(self) -> bool:
        """Whether it takes calls."""
        return self._tasks is not None

    @property
    def problem(self) -> Problem | None:
        """None: what keeps a call from being followed stands with the call."""
        return None

    async def run(self) -> None:
        """Follow calls until `stop`."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks, self._shelf.run = tasks, self._begin
                self._go_on()
                await self._stopping.wait()
                self._leave()
        finally:
            self._leave()
            self._ended.set()

    def _leave(self) -> None:
        self._tasks, self._shelf.run = None, None

    def _go_on(self) -> None:
        """Follow the calls that are there: of the daemon before this one, or of the source that failed."""
        calls = list(self._shelf.calls.values())
        for call in calls:
            if call.resumed and call.follower is None:
                self._sessions.attachments.resume(call)
            self._begin(call, spread=len(calls))

    def _begin(self, call: Call, spread: int = 0) -> None:
        if self._tasks is None or call in self._following:
            return
        labels = {f"label_{name}": text for name, text in call.attached.labels.items()}
        log = self._log.bind(call_id=call.call_id, **labels)
        age = max(0, self._sessions.now() - call.attached.since) / SECOND
        following = FollowedCall(call, self._config, self.counters, self._sessions, log, age)
        call.follower = self._following[call] = following
        self._tasks.start_soon(partial(self._follow, following, spread))

    async def _follow(self, following: FollowedCall, spread: int) -> None:
        call = following.call
        try:
            await following.run(spread)
        finally:
            del self._following[call]
        reason: EndReason | None = "released" if following.released else following.ended
        if reason is None and call.over:
            reason = "source_removed"
        if reason is not None:
            self.counters.ended[reason] += 1
            await self._sessions.attachments.ended(call, reason)

    async def stop(self) -> None:
        """Close all connections as going away, and begin no more. The calls stay in the register."""
        self._shelf.configured, self._shelf.stopped = False, True
        self._stopping.set()
        for following in self._following.values():
            following.stop()
        if self._tasks is not None:
            await self._ended.wait()

    async def reconfigure(self, config: Config) -> None:
        """Keep the connections, and make the next ones as `config` says."""
        self._config = config
        self._shelf.most = config.calls
        for following in self._following.values():
            following.aim(config)
