"""The transcription of what the user said: by deltas, by the last of several complete ones, or failed.

What a transcription is billed by
---------------------------------

A transcription begins with the commit of the audio, where the session is configured to transcribe; else with the first
event that names it. Its model and its prices are those of that moment.

    completed, with a usage       billed by that, once for each part of an item
    completed, without a usage    unknown: it was used, and nobody counted
    failed, after words came      unknown: it was used before it failed
    failed, before that           nothing: upstream made no transcript, and reports none
    neither, until the end        unknown: it was begun, with words or not, and nobody reported what became of it

A usage on `failed`, which is not documented, is billed where a server reports one.
"""

from collections.abc import Sequence

from steno.core import facts
from steno.core.billing import costs
from steno.core.billing.costs import Bill, part_key
from steno.core.conversation import NOTHING
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.realtime.in_progress import OpenTranscription
from steno.core.realtime.state import RealtimeConversation
from steno.core.transcript import PARTS
from steno.core.vocabulary import code
from steno.wire import realtime


def committed(state: RealtimeConversation, item_id: str | None) -> Sequence[Fact]:
    """Begin the transcription of an item that was committed, where the session is configured to transcribe."""
    if item_id is None or not state.transcribes or (item_id, 0) in state.transcriptions:
        return NOTHING
    item = state.items.get(item_id)
    if item is not None and 0 in item.transcribed:  # the commit came late
        return NOTHING
    return _begin(state, item_id, 0)


def _begin(state: RealtimeConversation, item_id: str, part: int) -> Sequence[Fact]:
    """Begin the transcription of a part. Past the limit the oldest that has not ended is given up."""
    state.transcriptions[item_id, part] = OpenTranscription(state.terms(state.transcription_model))
    if len(state.transcriptions) <= state.limits.open_responses:
        return NOTHING
    oldest = next(iter(state.transcriptions))
    return (state.untranscribed(*oldest, state.transcriptions.pop(oldest)),)


def _end(state: RealtimeConversation, item_id: str, part: int) -> OpenTranscription:
    """End the transcription of a part. One that was not seen to begin has what holds now."""
    opened = state.transcriptions.pop((item_id, part), None) or _committed(state, item_id)
    return opened or OpenTranscription(state.terms(state.transcription_model))


def _committed(state: RealtimeConversation, item_id: str) -> OpenTranscription | None:
    """Return what the commit of an item began, and nothing came of yet, for the part that comes first.

    A commit names no part. It is held for the first one, and some servers count otherwise.
    """
    opened = state.transcriptions.get((item_id, 0))
    return None if opened is None or opened.grew else state.transcriptions.pop((item_id, 0))


def _part_of(content_index: int | None) -> int:
    """Return the part that an index names. Parts past the bound count as one."""
    return min(content_index or 0, PARTS)


def transcription_delta(
    state: RealtimeConversation, event: realtime.TranscriptionDelta, _frame: Frame
) -> Sequence[Fact]:
    """Add a piece of what the user said."""
    if event.item_id is None:
        return state.reject(event, "missing_id")
    if not event.delta:
        return NOTHING
    state.transcript.grow(state.item(event.item_id), event.content_index, event.delta)
    opened = state.transcriptions.get((event.item_id, event.content_index or 0))
    if opened is None:
        return _grown(state, event.item_id, _part_of(event.content_index))
    opened.grew = True
    return NOTHING


def transcription_segment(
    state: RealtimeConversation, event: realtime.TranscriptionSegment, _frame: Frame
) -> Sequence[Fact]:
    """Note that a transcription brought words. They stand in its `completed` as well, and are taken from there."""
    return NOTHING if event.item_id is None else _grown(state, event.item_id, _part_of(event.content_index))


def _grown(state: RealtimeConversation, item_id: str, part: int) -> Sequence[Fact]:
    """Note that a transcription brought words. It begins with that, where nothing else was seen of it."""
    item = state.items.get(item_id)
    if item is not None and part in item.transcribed:
        return NOTHING
    opened = state.transcriptions.get((item_id, part)) or _committed(state, item_id)
    if opened is None:
        abandoned = _begin(state, item_id, part)
        state.transcriptions[item_id, part].grew = True
        return abandoned
    opened.grew = True
    state.transcriptions[item_id, part] = opened
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
    index, part = event.content_index or 0, _part_of(event.content_index)
    text = event.transcript or ""
    again = part in item.transcribed
    before = item.parts[index].read() if index in item.parts else ""
    state.transcript.write(item, index, text)
    if event.status == "in_progress":
        return _grown(state, event.item_id, part)
    if again and before == text:
        return state.reject(event, "repeated")
    item.transcribed.add(part)
    opened = _end(state, event.item_id, part)
    bill = None if again else costs.bill(state, event.usage, opened.terms, part_key(event.item_id, part))
    return (_finished(event.item_id, opened, bill, text=text),)


def transcription_failed(
    state: RealtimeConversation, event: realtime.TranscriptionFailed, _frame: Frame
) -> Sequence[Fact]:
    """Report that what the user said stays without a transcript."""
    item_id, part = event.item_id or "", _part_of(event.content_index)
    opened = _end(state, item_id, part)
    used = opened.grew or event.usage is not None
    bill = costs.bill(state, event.usage, opened.terms, part_key(item_id, part)) if used else None
    return (_finished(event.item_id, opened, bill, error=code(event.error)),)


def _finished(
    item_id: str | None,
    opened: OpenTranscription,
    bill: Bill | None,
    *,
    text: str | None = None,
    error: str | None = None,
) -> Fact:
    """Return that a transcription ended: with a `text`, or with the code of an `error`."""
    return facts.TranscriptionFinished(
        item_id=item_id,
        status="completed" if error is None else "failed",
        code=error,
        model=opened.terms.model,
        transcript=None if text is None else Content("transcript", text),
        seconds=bill.seconds if bill else None,
        tokens=bill.tokens if bill else (),
        cost=bill.cost if bill else None,
    )
