"""Sessions that are billed as a whole: those of translation, by the seconds that upstream reports when it closes them.

Nothing is reported before that, and often nothing then either. Such a session has begun when upstream reports it, or
when a client sends it audio. Where it ends without a usage it is unknown what it used, and not nothing.
"""

from collections.abc import Sequence
from typing import Final

from steno.core import facts
from steno.core.billing import costs
from steno.core.conversation import NOTHING
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.realtime.state import RealtimeConversation
from steno.core.session import CLOSED
from steno.core.vocabulary import short
from steno.wire import realtime, realtime_client

TRANSLATION: Final = "translation"
"""The kind of session that is billed as a whole."""


def began(state: RealtimeConversation) -> None:
    """Note that a session is billed as a whole, by its model and the prices of now."""
    if state.metered is None and state.session_life.status != CLOSED:
        state.metered = state.terms(state.session_model)


def give_up(state: RealtimeConversation) -> Sequence[Fact]:
    """Report that a session that is billed as a whole ended without that; nothing where there is none."""
    return NOTHING if state.metered is None else (state.unmetered(state.metered),)


def translation_appended(
    state: RealtimeConversation, _event: realtime_client.TranslationAppend, _frame: Frame
) -> Sequence[Fact]:
    """Note that a client sends audio to be translated. Its session need not have been seen to begin."""
    if state.metered is None:
        _join(state)
    return NOTHING


def _join(state: RealtimeConversation) -> None:
    """Take a session whose beginning was not seen for one of translation."""
    if state.session_life.status is None:
        state.session_life.kind = TRANSLATION
        began(state)


def session_closed(state: RealtimeConversation, event: realtime.SessionClosed, _frame: Frame) -> Sequence[Fact]:
    """Take that a session is over, and what it used.

    A usage counts where the session is billed as a whole, or where nothing in it was: what its responses and
    transcriptions were billed by is not counted again.
    """
    alone = not (state.totals.responses or state.totals.tokens or state.totals.seconds or state.unbilled())
    if alone and event.session is None:  # another API's event of that name has one
        _join(state)
    if not state.session_life.close():
        return state.reject(event, "repeated")
    terms = state.metered or state.terms(short(event.session.model if event.session else None) or state.session_model)
    counts = state.metered is not None or (event.usage is not None and alone)
    state.metered = None
    bill = costs.bill(state, event.usage, terms, state.session_id) if counts else None
    return (
        facts.SessionFinished(
            session_id=state.session_id or None,
            kind=state.session_life.kind,
            status=CLOSED,
            reason=short(event.reason),
            model=terms.model,
            seconds=bill.seconds if bill else None,
            tokens=bill.tokens if bill else (),
            cost=bill.cost if bill else None,
        ),
    )
