"""The transcription of what the user said: by deltas, by the last of several complete ones, or failed."""

from collections.abc import Sequence

from steno.core import facts
from steno.core.billing import costs, usage
from steno.core.conversation import NOTHING
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.realtime.state import RealtimeConversation
from steno.core.transcript import PARTS
from steno.core.vocabulary import code
from steno.wire import realtime


def transcription_delta(
    state: RealtimeConversation, event: realtime.TranscriptionDelta, _frame: Frame
) -> Sequence[Fact]:
    """Add a piece of what the user said."""
    if event.item_id is None:
        return state.reject(event, "missing_id")
    if event.delta:
        state.transcript.grow(state.item(event.item_id), event.content_index, event.delta)
    return NOTHING


def transcription_completed(
    state: RealtimeConversation, event: realtime.TranscriptionCompleted, _frame: Frame
) -> Sequence[Fact]:
    """Take what the user said. The last transcription of a part stands, and the usage of a part counts once.

    Deltas that led to another text are not reported: in recordings they begin with a space that the final text lacks.
    """
    if event.item_id is None:
        return state.reject(event, "missing_id")
    item = state.item(event.item_id)
    item.kind, item.role = item.kind or "message", item.role or "user"
    index = event.content_index or 0
    text = event.transcript or ""
    again = min(index, PARTS) in item.transcribed  # parts past the bound count as one
    before = item.parts[index].read() if index in item.parts else ""
    state.transcript.write(item, index, text)
    if event.status == "in_progress":
        return NOTHING
    if again and before == text:
        return state.reject(event, "repeated")
    item.transcribed.add(min(index, PARTS))
    return (_finished(state, event.item_id, text, None if again else event.usage, counted=again),)


def _finished(
    state: RealtimeConversation,
    item_id: str,
    text: str,
    reported: realtime.TranscriptionUsage | None,
    *,
    counted: bool,
) -> Fact:
    """Add up what a transcription used, unless an earlier one of its part was `counted`. Return that it finished."""
    model = state.transcription_model
    tokens = usage.of_transcription(reported, model)
    state.totals.add_tokens(tokens)
    duration = float(reported.seconds) if reported and reported.seconds is not None and reported.seconds >= 0 else None
    cost = costs.of_tokens(state, tokens)
    if duration is not None:
        state.totals.add_seconds(model, duration)
        cost = costs.of_seconds(state, model, duration)
    elif reported is None and not counted:
        cost = costs.of_no_usage(state)
    return facts.TranscriptionFinished(
        item_id=item_id,
        status="completed",
        code=None,
        model=model,
        transcript=Content("transcript", text),
        seconds=duration,
        tokens=tokens,
        cost=cost,
    )


def transcription_failed(
    state: RealtimeConversation, event: realtime.TranscriptionFailed, _frame: Frame
) -> Sequence[Fact]:
    """Report that what the user said stays without a transcript."""
    return (
        facts.TranscriptionFinished(
            item_id=event.item_id,
            status="failed",
            code=code(event.error),
            model=state.transcription_model,
            transcript=None,
            seconds=None,
            tokens=(),
            cost=None,
        ),
    )
