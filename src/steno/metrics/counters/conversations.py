"""Conversations that began and ended, and the models of their sessions."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import NO_MODEL, Counters, Tally

USES: Final = {"realtime": "responses", "live": "sessions"}
"""Kind of a session to what its model is used for, where that is counted."""


def _opened(metrics: Tally, origin: Origin, fact: facts.ConversationOpened) -> None:
    metrics.add("steno_conversations_opened_total", origin, fact.family)


def _closed(metrics: Tally, origin: Origin, fact: facts.ConversationClosed) -> None:
    metrics.add("steno_conversations_closed_total", origin, fact.family, fact.reason)
    metrics.observe("steno_conversation_duration_seconds", origin, fact.family, value=fact.duration_seconds)


def _session(metrics: Tally, origin: Origin, fact: facts.SessionOpened | facts.SessionChanged) -> None:
    """A session says its model before anything of it is counted."""
    if fact.model is None:
        return
    use = USES.get(fact.kind)
    if use is not None:
        metrics.begin_model(use, origin, fact.model)
    else:
        metrics.begin("usages", origin, origin.family or NO_MODEL, metrics.model(origin, fact.model))


COUNTERS: Final[Counters] = {
    facts.ConversationOpened: _opened,
    facts.ConversationClosed: _closed,
    facts.SessionOpened: _session,
    facts.SessionChanged: _session,
}
