"""A conversation as a line of the table of all conversations. Pure.

While a conversation is open its state is the truth (`Counted`); once it has ended, the fact of its end is. Out of an
audit log that has no end of it yet, the sums of its records are what is known, and how many events it had is not.

Rows are made by the thousand while a daemon runs. The collector does not look at them (`gc=False`), since nothing that
they hold leads back to them: else making them would set off a full collection, which stops the loop.
"""

from typing import Final, Literal

from msgspec import Struct

from steno.core.conversation import Conversation
from steno.core.facts import Tokens
from steno.timestamps import SECOND, Micros
from steno.view.tally import Tally

IDLE_SECONDS: Final = 60.0
"""Silence after which an open conversation counts as idle."""

State = Literal["speaking", "waiting", "responding", "tool", "listening", "paused", "running", "idle", "closed"]
"""What a conversation does now.

    speaking    the user speaks
    waiting     the user has spoken, and nothing has come back yet
    responding  a response is under way
    tool        the model waits for the output of a tool
    running     a run is under way
    listening   a session is open, and nobody is known to say anything
    paused      upstream stopped the model of a session, since nobody spoke
    idle        nothing was received for a minute, or since its stream ended; or nothing is under way in a thread
    closed      it has ended
"""


class Latency(Struct, frozen=True, gc=False):
    """How long callers waited for an answer, in seconds; None where nothing was measured."""

    last: float | None
    worst: float | None


class ToolCalls(Struct, frozen=True, gc=False):
    """Tool calls: under way, completed, failed or abandoned."""

    open: int
    done: int
    failed: int


class TokenSums(Struct, frozen=True, gc=False):
    """Tokens of all usages."""

    input: int
    output: int


class Row(Struct, frozen=True, kw_only=True, gc=False):
    """One conversation. Times are Unix seconds."""

    key: str
    family: str
    source: str
    labels: dict[str, str]
    """The operator's labels of the source."""
    kind: str
    """The kind of session, such as `realtime` or `transcription`; the family where no session was reported."""
    stream: str | None
    open: bool
    closed_reason: str | None
    model: str | None
    opened_at: float | None
    last_event_at: float | None
    closed_at: float | None
    age_seconds: float
    """From its beginning to its end, or to now."""
    state: State
    events: int | None
    """Null in a log that has no end of it: records are fewer than events."""
    turns: int
    unanswered_turns: int
    responses: int
    interruptions: int
    turn_latency_seconds: Latency
    tool_calls: ToolCalls
    tokens: TokenSums
    cost_usd: str | None
    """A decimal; null where a usage has no price."""
    unpriced: dict[str, int]
    gaps: int
    errors: int
    rejected: int


class Counted(Struct, frozen=True, gc=False):
    """What is counted of a conversation beside its facts."""

    events: int | None
    last_at: Micros | None
    tokens: TokenSums
    cost_usd: str | None
    unpriced: dict[str, int]


def counted_of(state: Conversation) -> Counted:
    """Return what the state of an open conversation counts. May be called while another thread feeds it."""
    totals = state.totals
    sums = {"input": 0, "output": 0}
    for bucket, tokens in list(totals.tokens.items()):
        sums[bucket[1]] = sums.get(bucket[1], 0) + tokens
    return Counted(
        events=state.events,
        last_at=state.last_at,
        tokens=TokenSums(sums["input"], sums["output"]),
        cost_usd=totals.cost_usd(),
        unpriced=dict(totals.unpriced),
    )


def counted_at_end(tally: Tally) -> Counted:
    """Return what the end of a conversation says of it; without an end, the sums of its facts."""
    end = tally.closed
    if end is None:
        tokens = TokenSums(tally.tokens_in, tally.tokens_out)
        return Counted(None, tally.last_at, tokens, tally.cost_usd(), dict(tally.unpriced))
    unpriced = {each.reason: each.usages for each in end.unpriced}
    tokens = TokenSums(_sum(end.tokens, "input"), _sum(end.tokens, "output"))
    return Counted(end.events, tally.last_at, tokens, end.cost_usd, unpriced)


def _sum(buckets: tuple[Tokens, ...], direction: str) -> int:
    return sum(each.tokens for each in buckets if each.direction == direction)


def row_of(tally: Tally, counted: Counted, labels: dict[str, str], now: Micros) -> Row:
    """Return the line of a conversation as it is at `now`."""
    last_at = max((at for at in (counted.last_at, tally.last_at) if at is not None), default=None)
    until = now if tally.closed is None else tally.closed_at
    age = 0 if tally.opened_at is None or until is None else max(0, until - tally.opened_at)
    return Row(
        key=tally.key,
        family=tally.family,
        source=tally.source,
        labels=labels,
        kind=tally.kind or tally.family,
        stream=tally.stream,
        open=tally.closed is None,
        closed_reason=tally.closed.reason if tally.closed else None,
        model=tally.model,
        opened_at=unix(tally.opened_at),
        last_event_at=unix(last_at),
        closed_at=unix(tally.closed_at),
        age_seconds=age / SECOND,
        state=_state(tally, last_at, now),
        events=counted.events,
        turns=tally.turns,
        unanswered_turns=tally.unanswered,
        responses=tally.responses,
        interruptions=tally.interruptions,
        turn_latency_seconds=Latency(tally.last_latency, tally.worst_latency),
        tool_calls=ToolCalls(len(tally.open_calls), tally.tools_done, tally.tools_failed),
        tokens=counted.tokens,
        cost_usd=counted.cost_usd,
        unpriced=counted.unpriced,
        gaps=tally.gaps,
        errors=tally.errors,
        rejected=tally.rejected,
    )


def _state(tally: Tally, last_at: Micros | None, now: Micros) -> State:
    if tally.closed is not None:
        return "closed"
    if last_at is not None and last_at == tally.broke_at:  # whoever spoke then may have hung up: nobody knows
        return "idle"
    if tally.speaking:
        return "speaking"
    if tally.open_responses:
        return "responding"
    if tally.open_calls:
        return "tool"
    if tally.open_runs:
        return "running"
    if tally.paused:
        return "paused"
    if last_at is None or now - last_at > IDLE_SECONDS * SECOND:
        return "idle"
    if tally.waiting:
        return "waiting"
    return "listening" if tally.kind is not None else "idle"


def unix(at: Micros | None) -> float | None:
    """Return a point in time as Unix seconds."""
    return None if at is None else at / SECOND
