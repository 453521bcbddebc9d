"""The calls that a daemon follows, by source: asked for, listed, released, and kept over a restart.

Theory of operation
-------------------

A call stands here from the moment it was asked for until it is over. Its source runs it, and may fail and be made anew:
the call stays. A daemon that stops leaves its calls in the journal; the next one goes on with them. So a call is
followed at least as long as the provider knows it, and not longer than `GIVEN_UP_SECONDS` without a connection.

A call is followed once. Who asks again gets what is there; another source that has it, by whatever way it came, is an
error (`already_followed`). `Attachments.followed` asks those who know of calls that came by other ways.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, Literal, Protocol

import structlog

from steno.amounts import amount
from steno.attachments import (
    OUTCOMES,
    Attachment,
    AttachmentList,
    AttachRequest,
    CallProblem,
    CallState,
    EndReason,
    RefusedError,
    Requester,
)
from steno.key_shapes import find_keys
from steno.limits import ATTACH_BURST, ATTACH_RATE, WEBHOOK_IDS
from steno.output_errors import OutputErrors
from steno.shards import Shard
from steno.sources.attach.journal import Attached, Journal, Line
from steno.sources.attach.sidebands import mistaken_for_a_call
from steno.sources.protocols import Numbers, Problem
from steno.timestamps import Micros, timestamp

BUSY_SECONDS: Final = 5.0
"""When somebody who was refused for lack of places may ask again."""
REPEATED_SECONDS: Final = 60.0
"""How often it is logged that somebody had no token."""
REQUESTERS: Final[tuple[Requester, ...]] = ("http", "control", "webhook", "proxy")

CallFact = Literal["call_attached", "call_released"]
Note = Callable[[CallFact, str, str, dict[str, Any]], None]
"""Records what happened to a call: the fact, the source, the id of the call, further members of the record."""


class Follower(Protocol):
    """What follows one call: its source runs it."""

    @property
    def state(self) -> CallState:
        """What it does at present."""

    @property
    def frames(self) -> int:
        """How many frames of the call have come."""

    @property
    def problem(self) -> Problem | None:
        """Why the last attempt failed."""

    def release(self) -> None:
        """Close the connection, and end. Returns at once."""


class Call:
    """One call that is followed."""

    def __init__(self, attached: Attached, *, resumed: bool = False) -> None:
        """Begin with nothing that follows it. `resumed`: it was asked for before the daemon started."""
        self.attached = attached
        self.resumed = resumed
        self.follower: Follower | None = None
        self.over = False

    @property
    def call_id(self) -> str:
        """The provider's id."""
        return self.attached.call_id

    @property
    def state(self) -> CallState:
        """What is done about it at present."""
        if self.over:
            return "ended"
        return self.follower.state if self.follower else "connecting"

    def shown(self) -> Attachment:
        """Return it as it is shown."""
        follower, problem = self.follower, self.follower.problem if self.follower else None
        return Attachment(
            call_id=self.call_id,
            source=self.attached.source,
            since=timestamp(self.attached.since),
            by=self.attached.by,
            state=self.state,
            frames=follower.frames if follower else 0,
            labels=self.attached.labels,
            problem=CallProblem(problem.reason, problem.detail) if problem else None,
        )


class Shelf:
    """The calls of one source."""

    def __init__(self) -> None:
        """Hold none. Nobody runs them yet."""
        self.calls: dict[str, Call] = {}
        self.most = 0
        """How many there may be."""
        self.configured = False
        """Whether a source of this name takes calls."""
        self.stopped = False
        """Whether one did, and was stopped: it is gone, or is to be made anew."""
        self.run: Callable[[Call], None] | None = None
        """Begins to follow a call; None while the source does not run."""


class Allowance:
    """How often something may be asked: `ATTACH_BURST` at once, then `ATTACH_RATE` a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Count time by `clock`, in seconds."""
        self._clock = clock
        self._left = float(ATTACH_BURST)
        self._at = clock()

    def wait(self) -> float:
        """Take one, and return 0; or take none, and return the seconds until there is one."""
        now = self._clock()
        self._left = min(ATTACH_BURST, self._left + (now - self._at) * ATTACH_RATE)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / ATTACH_RATE
        self._left -= 1
        return 0.0


class Attachments:
    """All calls of a daemon that it was asked to follow; a `steno.attachments.CallDesk`."""

    def __init__(
        self,
        now: Callable[[], Micros],
        journal: Journal | None = None,
        note: Note = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on with what `journal` has kept.

        Args:
            now: the time of a request.
            journal: what keeps the calls over a restart.
            note: records what happens to calls.
            clock: seconds, for how often is asked.
        """
        self.followed: Callable[[str], str | None] = lambda _: None
        """Returns the source that a call came by otherwise, or None. Whoever knows sets it."""
        self.shard: Shard | None = None
        """Whose calls are followed, of those that anybody else than a proxy of this process asks for; None for all."""
        self._now = now
        self._journal = journal or Journal(None, OutputErrors())
        self._note = note
        self._shelves: dict[str, Shelf] = {}
        self._deliveries: dict[str, None] = {}
        """Ids of webhooks that were accepted, the oldest first."""
        self._allowances = {by: Allowance(clock) for by in REQUESTERS}
        self._requests: dict[tuple[str, ...], float] = dict.fromkeys(
            ((by, outcome) for by in REQUESTERS for outcome in OUTCOMES), 0
        )
        self._clock = clock
        self._warned: float | None = None
        """When it was logged that somebody had no token."""
        self._log = structlog.get_logger()
        for line in self._journal.read():
            self._restore(line)

    def _restore(self, line: Line) -> None:
        if line.delivery is not None:
            self._remember(line.delivery)
        if line.attached is not None and self._find(line.attached.call_id) is None:
            self.shelf(line.attached.source).calls[line.attached.call_id] = Call(line.attached, resumed=True)
        if line.ended is not None:
            for shelf in self._shelves.values():
                shelf.calls.pop(line.ended, None)

    def shelf(self, source: str) -> Shelf:
        """Return the calls of a source."""
        return self._shelves.setdefault(source, Shelf())

    def keep(self, sources: Collection[str], *, starting: bool = False) -> None:
        """Follow the calls of those sources no more that are not configured.

        `starting`: the daemon does not run yet. Its log says nothing of the calls, which the daemon before it had.
        """
        gone = [call for call in self._calls() if call.attached.source not in sources]
        for call in gone:
            if starting:
                self.shelf(call.attached.source).calls.pop(call.call_id)
            else:
                self._end(call, "source_removed")
        if gone:
            self._log.warning("calls are forgotten whose source is not configured", calls=len(gone))
            self._journal.renew()

    # What is asked --------------------------------------------------------------------------------------

    async def attach(
        self, request: AttachRequest, by: Requester, delivery: str | None = None
    ) -> tuple[Attachment, bool]:
        """Follow a call; return it, and whether it was not followed before; see `CallDesk`."""
        try:
            call, new = self._admit(request, by)
        except RefusedError as refused:
            self._count(by, refused.code)
            raise
        self._count(by, "attached" if new else "already_attached")
        if delivery is not None:
            self._remember(delivery)
        if new or delivery is not None:
            await self._keep(Line(attached=call.attached if new else None, delivery=delivery))
        if new:
            self.noted("call_attached", call, {"by": by, "labels": dict(call.attached.labels), "resumed": False})
            self._run(call)
        return call.shown(), new

    def _admit(self, request: AttachRequest, by: Requester) -> tuple[Call, bool]:
        self._check(request)
        self._allow(by)
        if self.shard and by != "proxy" and not self.shard.has(request.call_id):
            number = self.shard.of(request.call_id)
            raise RefusedError("other_shard", f"this call belongs to shard {number}, and this is {self.shard}")
        source = self._source(request)
        present = self._find(request.call_id)
        if present is not None and present.attached.source == source:
            return present, False
        elsewhere = present.attached.source if present else self.followed(request.call_id)
        if elsewhere is not None and elsewhere != source:
            raise RefusedError("already_followed", f"the source {elsewhere} follows this call already")
        shelf = self.shelf(source)
        if len(shelf.calls) >= shelf.most:
            calls = amount(shelf.most, "call")
            message = f"the source {source} follows {calls} already: see `calls` in its configuration"
            raise RefusedError("too_many_calls", message, BUSY_SECONDS)
        call = Call(Attached(source, request.call_id, by, self._now(), request.labels))
        shelf.calls[call.call_id] = call
        return call, True

    def _check(self, request: AttachRequest) -> None:
        """Refuse what looks like a key, since all of a request stands in logs, and the id of what has no sideband."""
        if any(any(find_keys(text)) for text in (request.call_id, *request.labels.values())):
            raise RefusedError("bad_request", "the call's id or a label looks like an API key, which is not kept")
        mistaken = mistaken_for_a_call(request.call_id)
        if mistaken is not None:
            message = (
                f"this is the id of {mistaken}, which has no sideband: name a call (rtc_...) or a Live session "
                '(live_...), or let the application connect through a source of kind = "proxy"'
            )
            raise RefusedError("bad_request", message)

    def _allow(self, by: Requester) -> None:
        wait = self._allowances[by].wait()
        if wait:
            raise RefusedError("too_many_requests", f"at most {ATTACH_RATE:g} requests a second are answered", wait)

    def _source(self, request: AttachRequest) -> str:
        """Return the source that a request is for."""
        running = [name for name, shelf in self._shelves.items() if shelf.configured]
        if request.source in running:
            return request.source
        if request.source is None and len(running) == 1:
            return running[0]
        if request.source is None and running:
            raise RefusedError("source_needed", f"name one of several sources: {', '.join(running)}")
        raise self._no_source(request.source, running)

    def _no_source(self, wanted: str | None, running: list[str]) -> RefusedError:
        if any(shelf.stopped for name, shelf in self._shelves.items() if wanted in {None, name}):
            return RefusedError("unavailable", "the source does not run at present", BUSY_SECONDS)
        there = f"the sources of this kind are: {', '.join(running)}" if running else "none is configured"
        return RefusedError("no_attach_source", f'no such source of kind = "attach": {there}')

    async def release(self, call_id: str, by: Requester) -> Attachment:
        """Follow a call no more; see `CallDesk`."""
        try:
            self._allow(by)
            call = self._present(call_id)
        except RefusedError as refused:
            self._count(by, refused.code)
            raise
        self._count(by, "released")
        self._end(call, "released", by=by)
        if call.follower:
            call.follower.release()
        await self._keep(Line(ended=call_id))
        return call.shown()

    def _present(self, call_id: str) -> Call:
        call = self._find(call_id)
        if call is None:
            raise RefusedError("not_followed", "this call is not followed")
        return call

    def listed(self) -> AttachmentList:
        """Return the calls that are followed, in the order in which they were asked for."""
        calls = sorted(self._calls(), key=lambda call: (call.attached.since, call.call_id))
        return AttachmentList(tuple(call.shown() for call in calls))

    def turned_away(self, by: Requester, code: str) -> None:
        """Count a request that was refused before it came here; see `CallDesk`. Who lacks the token is logged."""
        self._count(by, code)
        now = self._clock()
        if code == "unauthorized" and (self._warned is None or now - self._warned >= REPEATED_SECONDS):
            self._warned = now
            self._log.warning("a request about calls had not the token of http.token", by=by)

    # What sources say -----------------------------------------------------------------------------------

    def resume(self, call: Call) -> None:
        """Record that a call is followed again that was asked for before the daemon started."""
        self.noted(
            "call_attached", call, {"by": call.attached.by, "labels": dict(call.attached.labels), "resumed": True}
        )

    async def ended(self, call: Call, reason: EndReason) -> None:
        """Take out a call that is over."""
        if not call.over:
            self._end(call, reason)
            await self._keep(Line(ended=call.call_id))

    def _end(self, call: Call, reason: EndReason, **more: str) -> None:
        call.over = True
        self.shelf(call.attached.source).calls.pop(call.call_id, None)
        frames = call.follower.frames if call.follower else 0
        self.noted("call_released", call, {"reason": reason, "frames": frames, **more})

    def noted(self, fact: CallFact, call: Call, body: dict[str, Any]) -> None:
        """Record and log what happened to a call."""
        self._note(fact, call.attached.source, call.call_id, body)
        self._log.info(fact.replace("_", " "), source=call.attached.source, call_id=call.call_id, **body)

    # Webhooks -------------------------------------------------------------------------------------------

    def delivered(self, delivery: str) -> bool:
        """Return whether the webhook with this id was accepted before; see `CallDesk`."""
        return delivery in self._deliveries

    def _remember(self, delivery: str) -> None:
        self._deliveries[delivery] = None
        while len(self._deliveries) > WEBHOOK_IDS:
            del self._deliveries[next(iter(self._deliveries))]

    # Kept and counted -----------------------------------------------------------------------------------

    async def _keep(self, line: Line) -> None:
        await self._journal.append(line, self._lines)

    def _lines(self) -> Iterator[Line]:
        yield from (Line(delivery=delivery) for delivery in self._deliveries)
        yield from (Line(attached=call.attached) for call in self._calls())

    def _calls(self) -> list[Call]:
        return [call for shelf in self._shelves.values() for call in shelf.calls.values()]

    def _find(self, call_id: str) -> Call | None:
        found = (shelf.calls.get(call_id) for shelf in self._shelves.values())
        return next((call for call in found if call is not None), None)

    def _run(self, call: Call) -> None:
        run = self.shelf(call.attached.source).run
        if run is not None and not call.over:  # it may have been released while it was kept
            run(call)

    def _count(self, by: Requester, outcome: str) -> None:
        self._requests[by, outcome] += 1

    def numbers(self) -> Mapping[str, Numbers]:
        """Return the process metric: name to labels to value. Called from the thread of a scrape."""
        return {"steno_attachment_requests_total": dict(self._requests)}
