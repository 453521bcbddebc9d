"""The state of a Live session: its time, who said what when, and the work that it has delegated."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from steno.core import facts, tools
from steno.core.billing import costs
from steno.core.billing.costs import Terms
from steno.core.billing.sessions import Meter
from steno.core.bounded import BoundedObjects, BoundedSet
from steno.core.conversation import Exported
from steno.core.export import seconds_text
from steno.core.facts import Content, Fact
from steno.core.live.delegation import BackendWork, EndedDelegation, OpenDelegation
from steno.core.live.timeline import Segment, Speaker, Timeline
from steno.core.memory import ENDED_CALL_BYTES, InProgress, text_bytes
from steno.core.responses.approving import ApprovingConversation
from steno.core.session import CLOSED
from steno.core.transcript import Transcript
from steno.limits import ENDED_IDS, Limits
from steno.timestamps import Micros
from steno.wire.live import SessionStarted

LIVE: Final = "live"
"""The kind of session."""
ABANDONED: Final = "abandoned"
ORPHANED: Final = "orphaned"


class LiveConversation(ApprovingConversation):
    """A Live session: all streams that follow it within one source."""

    __slots__ = (
        "_ended_delegations",
        "_ended_responses",
        "_said",
        "acknowledgements",
        "backend",
        "base",
        "context_ratio",
        "decided",
        "delegation_log",
        "delegations",
        "known_session",
        "meter",
        "model",
        "paused_at",
        "reported_seconds",
        "responses",
        "ringing_at",
        "session_id",
        "streams",
        "timeline",
        "transcript",
        "usage_final",
    )

    family = LIVE
    begun_by = (SessionStarted,)
    is_session = True

    def __init__(self, key: str, source: str, stream: str, limits: Limits, *, named: bool) -> None:
        """Begin without a session, words or work."""
        super().__init__(key, source, stream, limits, named=named)
        self.session_life.kind = LIVE
        self.base = ""
        """The key without the number that distinguishes it from earlier sessions of the same name."""
        self.session_id: str | None = None
        self.known_session: str | None = None
        """The session whose id leads to this conversation."""
        self.model: str | None = None
        self.streams: list[str] = []
        """The open streams that carry it."""
        self.meter: Meter | None = None
        """What the time of the session is billed by; None before anything shows that there is a session."""
        self.reported_seconds: float | None = None
        """How long it has lasted, as upstream reported last."""
        self.usage_final = False
        """Whether upstream reported that with the end of the session."""
        self.context_ratio: float | None = None
        self.paused_at: Micros | None = None
        self.ringing_at: Micros | None = None
        self.timeline = Timeline(self.memory)
        self.transcript: Transcript[Segment] = Transcript(limits, self.rejected, self.memory, newest_last=True)
        self._said = 0
        """How many segments have begun."""
        self.delegations: InProgress[str, OpenDelegation] = InProgress(self.memory)
        self.delegation_log: deque[EndedDelegation] | tuple[()] = ()
        """The newest delegations that ended."""
        self.acknowledgements = 0
        """Commentary that the client was seen to add, and upstream has not acknowledged yet."""
        self.backend: InProgress[str, BackendWork] = InProgress(self.memory)
        self.responses = BoundedObjects(limits, self.memory)
        self.decided = BoundedObjects(limits, self.memory)
        self._ended_delegations: BoundedSet | None = None
        self._ended_responses: BoundedSet | None = None

    @property
    def ended_delegations(self) -> BoundedSet:
        """Ids of the newest delegations that ended. Many sessions have none."""
        if self._ended_delegations is None:
            self._ended_delegations = BoundedSet(ENDED_IDS, self.memory)
        return self._ended_delegations

    @property
    def ended_responses(self) -> BoundedSet:
        """Ids of the newest responses of backends that ended."""
        if self._ended_responses is None:
            self._ended_responses = BoundedSet(ENDED_IDS, self.memory)
        return self._ended_responses

    @property
    def session_name(self) -> str | None:
        """Upstream's id of the session."""
        return self.session_id

    @property
    def billed_model(self) -> str | None:
        """The model that speaks."""
        return self.model

    @property
    def context_window_ratio(self) -> float | None:
        """How full the context of the model is, as upstream reported last."""
        return self.context_ratio

    # Time -----------------------------------------------------------------------------------------------

    def terms(self, model: str | None, tier: str | None = None) -> Terms:
        """Return what a usage of `model` that begins now is billed by."""
        return Terms(model, self.prices, tier)

    def metered(self) -> Meter:
        """Return what the time of the session is billed by, begun where this is the first sign of a session."""
        if self.meter is None:
            self.meter = Meter(self.terms(self.model))
        elif self.meter.terms.model is None and self.model is not None:
            self.meter.terms = self.terms(self.model)
        return self.meter

    # Speech ---------------------------------------------------------------------------------------------

    def begin_segment(self, speaker: Speaker) -> Segment:
        """Let a speaker say something new."""
        self._said += 1
        segment = Segment(str(self._said), speaker.role)
        self.transcript.add(segment.key, segment)
        self.timeline.begin(speaker, segment)
        return segment

    def finish_segment(self, speaker: Speaker) -> list[Fact]:
        """Return the fact that what a speaker said is over; none where nothing is being said."""
        segment, speaker.segment = speaker.segment, None
        if segment is None:
            return []
        text = segment.text()
        latency = self.timeline.latency_ms(segment)
        return [
            facts.SegmentFinished(
                role=segment.role,
                model=self.model,
                start_ms=segment.start_ms,
                end_ms=segment.end_ms,
                transcript=Content("transcript", text) if text else None,
                double_talk_seconds=segment.double_ms / 1_000,
                turn_latency_seconds=None if latency is None else latency / 1_000,
            )
        ]

    def finish_speech(self) -> list[Fact]:
        """Return the facts that what both were saying is over."""
        return [*self.finish_segment(self.timeline.user), *self.finish_segment(self.timeline.model)]

    # Delegated work -------------------------------------------------------------------------------------

    def finish_delegation(self, delegation: OpenDelegation, status: str, at: Micros | None) -> Fact:
        """End a delegation as answered, failed or orphaned. Return the fact of that."""
        del self.delegations[delegation.id]
        self.ended_delegations.add(delegation.id)
        ended = EndedDelegation(
            delegation_id=delegation.id,
            target=delegation.target,
            status=status,
            responses=delegation.responses,
            offset_ms=delegation.offset_ms,
            duration_seconds=None if status == ORPHANED else self.elapsed(delegation.opened_at, at),
        )
        self._log_delegation(ended)
        return facts.DelegationFinished(
            delegation_id=ended.delegation_id,
            target=ended.target,
            status=status,
            responses=ended.responses,
            duration_seconds=ended.duration_seconds,
        )

    def _log_delegation(self, ended: EndedDelegation) -> None:
        most = self.limits.kept_objects
        if not most:
            return
        log = self.delegation_log = self.delegation_log or deque()
        log.append(ended)
        self.memory.charge(ENDED_CALL_BYTES + text_bytes(ended.delegation_id))
        if len(log) > most:
            self.memory.charge(-ENDED_CALL_BYTES - text_bytes(log.popleft().delegation_id))

    def orphan_delegations(self) -> list[Fact]:
        """End all delegations that nobody has answered."""
        return [self.finish_delegation(each, ORPHANED, None) for each in list(self.delegations.values())]

    def abandoned(self, work: BackendWork) -> Fact:
        """Return that a response of a backend is given up. What it used is unknown."""
        self.ended_responses.add(work.id)
        cost = costs.of_no_usage(self, work.id)
        return facts.ResponseAbandoned(response_id=work.id, model=work.terms.model, cost=cost)

    # Its end --------------------------------------------------------------------------------------------

    def unfinished(self) -> list[bytes]:
        """Return the raw objects of the backend's responses in progress."""
        return [work.raw for work in self.backend.values() if work.raw]

    def unbilled(self) -> int:
        """Return how many responses of the backend are still to be billed, and the session itself."""
        return len(self.backend) + (self.meter is not None and not self.usage_final)

    def dropped_objects(self) -> int:
        """Return how many raw objects could not be kept."""
        return self.responses.dropped + self.decided.dropped

    def erase_content(self) -> None:
        """Drop all words, and the raw objects that hold them."""
        super().erase_content()
        self.responses.drop_all()
        self.decided.drop_all()
        for key, work in self.backend.items():
            work.raw = b""
            work.said = []
            work.said_bytes = 0
            self.backend.weigh(key)
        self.transcript.erase()

    def abandon(self) -> list[Fact]:
        """Give up what is in progress: what is being said, responses, delegations, tool calls, and the session."""
        gone = [*self.finish_speech(), *map(self.abandoned, self.backend.values())]
        self.backend.clear()
        gone += [*tools.finish_all(self, None, ABANDONED, None), *self.orphan_delegations()]
        if self.meter is not None and self.session_life.status != CLOSED:
            gone.append(self.unconfirmed())
        return gone

    def unconfirmed(self) -> Fact:
        """Return that the session ended and upstream did not say so. It used at least what was reported last."""
        self.session_life.close()
        return facts.SessionFinished(
            session_id=self.session_id,
            kind=LIVE,
            status=ABANDONED,
            reason=None,
            model=self.model,
            seconds=self.reported_seconds,
            tokens=(),
            cost=None if self.reported_seconds is not None else costs.of_no_usage(self, self.session_id),
            usage_final=False,
        )

    # What is shown --------------------------------------------------------------------------------------

    def exported(self) -> Exported:
        """Return the responses of its backends, what was said, its time, and the work that was delegated."""
        return Exported(
            responses=self.responses.objects,
            decisions=self.decided.objects,
            transcript=[_turn(segment) for segment in self._in_order()],
            further={
                "usage": self._usage(),
                "double_talk_seconds": seconds_text(self.timeline.double_talk_ms / 1_000),
                "delegations": self._delegations(),
            },
        )

    def _in_order(self) -> list[Segment]:
        """Return the segments by the time at which they begin. One without a time stands behind the one before it."""
        at = 0
        placed: list[tuple[int, Segment]] = []
        for key in self.transcript.order:
            segment = self.transcript.entries[key]
            at = at if segment.start_ms is None else segment.start_ms
            placed.append((at, segment))
        return [segment for _, segment in sorted(placed, key=lambda each: each[0])]

    def _usage(self) -> Mapping[str, Any]:
        meter = self.meter
        return {
            "seconds": None if self.reported_seconds is None else seconds_text(self.reported_seconds),
            "active_seconds": None if self.reported_seconds is None or meter is None else seconds_text(meter.active),
            "paused_seconds": None if self.reported_seconds is None or meter is None else seconds_text(meter.paused),
            "usage_final": self.usage_final,
            "context_window_ratio": self.context_ratio,
        }

    def _delegations(self) -> list[Any]:
        waiting = [
            EndedDelegation(each.id, each.target, "open", each.responses, each.offset_ms, None)
            for each in self.delegations.values()
        ]
        return [*self.delegation_log, *waiting]


def _turn(segment: Segment) -> Mapping[str, Any]:
    """Return what `--state` shows of a segment. It has no id, and what was heard of it is not on the wire."""
    return {
        "item_id": None,
        "role": segment.role,
        "text": segment.text(),
        "heard": None,
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
    }
