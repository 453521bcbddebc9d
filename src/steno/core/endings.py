"""Why conversations and streams end, and the fact that says so of a conversation."""

from typing import Final, Literal

from steno.core.conversation import Conversation
from steno.core.facts import ConversationClosed, Unpriced
from steno.timestamps import seconds

Closing = Literal["replaced", "disconnected", "session_expired", "idle", "evicted", "shutdown"]
Ending = Literal["disconnected", "session_expired", "shutdown"]
OURS: Final = frozenset({"evicted", "shutdown"})
"""Reasons for which steno closes a conversation that goes on upstream."""


def closing_fact(state: Conversation, reason: Closing) -> ConversationClosed:
    """Return the last fact of `state`: why it ended, and what all of it adds up to."""
    totals = state.totals
    return ConversationClosed(
        family=state.family,
        reason=reason,
        duration_seconds=seconds(state.opened_at, state.last_at),
        events=state.events,
        responses=sum(totals.responses.values()),
        runs=sum(totals.runs.values()),
        tokens=totals.buckets(),
        cost_usd=totals.cost_usd(),
        unpriced=tuple(Unpriced(reason, usages) for reason, usages in totals.unpriced.items()),
        complete=state.complete,
    )
