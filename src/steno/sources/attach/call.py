"""One call that is followed: its connections, from the first attempt until the call is over.

The sideband of a Realtime call stands as long as the call: a close in order is its end. That of a Live session may be
closed while the session goes on, so steno asks for it again; one that is closed in order again with nothing said is
over. In both cases the provider's own word ends a call that was there: `call_id_not_found`, `session_id_not_found`.
Before that it says little: a webhook comes while the call rings, and the provider knows no sideband until the
application has taken the call. All else is tried again, and visible meanwhile.
"""

import random
from typing import Any, Final

import anyio

from steno.attachments import CallState, EndReason
from steno.config.sources.attach import AttachSource as Config
from steno.limits import GIVEN_UP_SECONDS
from steno.sources.attach.register import Call
from steno.sources.attach.sidebands import address_of, ends_with_its_connection
from steno.sources.backoff import Backoff
from steno.sources.connect_errors import FATAL
from steno.sources.dialing import STOPPING, Attempt, DialCounters, DialLoop, Target
from steno.sources.protocols import Problem
from steno.sources.stream_session import CLEAN_CODES, StreamSessions

SOON_TRIES: Final = 3
"""Attempts at a call that is not there yet after which the bounds of the waits begin anew. So it is asked for again
within 2 seconds, and little of it is missed once it is there."""
SPREAD_RATE: Final = 100
"""Calls a second that are connected to when a daemon goes on with many."""


class FollowedCall:
    """Follows one call until it is over, or `stop`. A `register.Follower`."""

    def __init__(
        self,
        call: Call,
        config: Config,
        counters: DialCounters,
        sessions: StreamSessions,
        log: Any,
        age_seconds: float = 0.0,
    ) -> None:
        """Follow `call` as `config` says, once `run` is called; it was asked for `age_seconds` ago."""
        self.call = call
        self.ended: EndReason | None = None
        """Why it is over, once it is."""
        self._config = config
        self._log = log
        self._seen = False
        """Whether the provider has let steno join the call."""
        self._missing_since: float | None = anyio.current_time() - age_seconds
        """When the provider was first asked for the call of those attempts in a row that did not find it."""
        self._missed = 0
        """Attempts in a row that did not find it."""
        self._good_at = anyio.current_time()
        """When a connection last was of use, or following began."""
        self._backoff = Backoff(config.backoff_seconds, config.backoff_max_seconds)
        self._frames = 0
        """Frames of streams that have ended."""
        self._failed: Problem | None = None
        self.released = False
        """Whether somebody asked for the end."""
        self._halt = anyio.Event()
        """Set when the call is to be followed no more, for whatever reason."""
        self._loop = DialLoop(
            self._target(config),
            config.name,
            counters,
            sessions,
            lambda: log,
            self._is_over,
            repeats_logged=False,
            slow=FATAL.keys() - {"not_found"},  # a call may not be there yet
        )

    def _target(self, config: Config) -> Target:
        url = address_of(config.url, self.call.call_id)
        return Target(url=url, shown=config.masked_url, endpoint=config, conversation=self.call.call_id)

    # What is asked --------------------------------------------------------------------------------------

    @property
    def state(self) -> CallState:
        """What it does at present."""
        if self._loop.connected:
            return "following"
        return "waiting" if self.problem else "connecting"

    @property
    def frames(self) -> int:
        """How many frames of the call have come."""
        return self._frames + (self._loop.session.stream.frames if self._loop.session else 0)

    @property
    def problem(self) -> Problem | None:
        """Why the last attempt failed."""
        return self._failed or self._loop.problem

    def release(self) -> None:
        """Close the connection, and end: somebody asked for it. Returns at once."""
        self.released = True
        self._halt.set()

    def stop(self) -> None:
        """Close the connection, and end, since the source stops: the next one goes on with it. Returns at once."""
        self._halt.set()

    # The life of a call ---------------------------------------------------------------------------------

    async def run(self, spread: int = 0) -> None:
        """Follow the call until it is over, `release` or `stop`. `spread` calls begin together: they take turns."""
        await self._pause(random.uniform(0, spread / SPREAD_RATE))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_when_halted)
            await self._follow()
            tasks.cancel_scope.cancel()

    async def _stop_when_halted(self) -> None:
        await self._halt.wait()
        await self._loop.stop("this call is not followed any more" if self.released else STOPPING)

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._halt.wait()

    async def _follow(self) -> None:
        """Run the loop, again where our own code failed: the other calls of the source do not notice."""
        while not self._halt.is_set():
            try:
                await self._loop.run(self._backoff)
                return
            except Exception:  # noqa: BLE001  # whatever it is, it is logged and tried again
                self._failed = Problem("internal_error")
                self._log.exception("internal error: this call is followed again, the others go on")
            self._count_frames()
            if self._has_been_given_up():
                return
            await self._pause(self._backoff.wait())
            self._failed = None

    def aim(self, config: Config) -> None:
        """Keep the connection, and make the next one as `config` says."""
        self._config = config
        self._loop.aim(self._target(config))

    # When it is over ------------------------------------------------------------------------------------

    def _is_over(self, attempt: Attempt) -> bool:
        """Take in how an attempt ended; return whether there is nothing more to follow."""
        if attempt.close is not None:
            self._seen, self._missing_since, self._missed = True, None, 0
            if attempt.good:
                self._good_at = anyio.current_time()
            if attempt.close.code in CLEAN_CODES and self._says_the_end():
                self.ended = "call_ended"
        elif attempt.failure == "not_found":
            self._missing(attempt)
        self._count_frames()
        return self.ended is not None or self._has_been_given_up()

    def _says_the_end(self) -> bool:
        """Return whether the close in order of the connection that was read is the end of the call."""
        nothing_said = self._loop.session is None or not self._loop.session.stream.frames
        return nothing_said or ends_with_its_connection(self.call.call_id)

    def _count_frames(self) -> None:
        """Take over the frames of a stream that has ended."""
        self._frames, self._loop.session = self.frames, None

    def _missing(self, attempt: Attempt) -> None:
        """End a call that the provider does not know, in its own words after it was there, or for long enough."""
        now = anyio.current_time()
        if self._missing_since is None:
            self._missing_since = now
        if (self._seen and attempt.unknown_call) or now - self._missing_since >= self._config.start_seconds:
            self.ended = "call_ended" if self._seen else "call_not_found"
        self._missed += 1
        if self._missed % SOON_TRIES == 0:
            self._backoff.succeeded()

    def _has_been_given_up(self) -> bool:
        if self.ended is None and anyio.current_time() - self._good_at >= GIVEN_UP_SECONDS:
            self.ended = "given_up"
        return self.ended is not None
