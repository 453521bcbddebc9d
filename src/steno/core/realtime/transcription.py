"""What the user said, written down: by pieces, by the last of several wholes, or not at all."""

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
    """A piece of what the user said."""
    if event.item_id is None:
        return state.reject(event, "missing_id")
    if event.delta:
        state.transcript.grow(state.item(event.item_id), event.content_index, event.delta)
    return NOTHING


def transcription_completed(
    state: RealtimeConversation, event: realtime.TranscriptionCompleted, _frame: Frame
) -> Sequence[Fact]:
    """What the user said. The last one of a part stands; the usage of a part counts once.

    That the deltas led to other words is not told: in recordings they begin with a space which the whole has not.
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
    return (_transcribed(state, event.item_id, text, None if again else event.usage, counted=again),)


def _transcribed(
    state: RealtimeConversation,
    item_id: str,
    text: str,
    told: realtime.TranscriptionUsage | None,
    *,
    counted: bool,
) -> Fact:
    """Note what a transcription used, unless that was `counted` before."""
    model = state.transcription_model
    tokens = usage.of_transcription(told, model)
    state.totals.add_tokens(tokens)
    duration = float(told.seconds) if told and told.seconds is not None and told.seconds >= 0 else None
    cost = costs.of_tokens(state, tokens)
    if duration is not None:
        state.totals.add_seconds(model, duration)
        cost = costs.of_seconds(state, model, duration)
    elif told is None and not counted:
        cost = costs.of_nothing_told(state)
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
    """What the user said will not be known."""
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
