"""What is said in a Live session, and what moves its clock. `timeline` explains segments and double talk."""

from collections.abc import Callable, Sequence

from steno.core import facts
from steno.core.conversation import DUPLICATED, NOTHING
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.live.state import LiveConversation
from steno.core.live.timeline import Segment, Speaker
from steno.wire import live

Transcribed = live.InputTranscriptDelta | live.OutputTranscriptDelta
Timed = (
    live.OutputAudioDelta
    | live.InstructionsAppended
    | live.ThinkingAppended
    | live.CommentaryAppended
    | live.InputTranscriptDelta
    | live.OutputTranscriptDelta
)
MISPLACED = "negative_duration"
"""What is noted of a fragment that ends before it begins. Its words are kept."""


def transcript_deltas(role: str) -> Callable[[LiveConversation, Transcribed, Frame], Sequence[Fact]]:
    """Return the handler of the words of one speaker."""

    def transcript_delta(state: LiveConversation, event: Transcribed, _frame: Frame) -> Sequence[Fact]:
        """Add a fragment of what was said."""
        timeline = state.timeline
        speaker = timeline.of(role)
        if speaker.repeats(state.last_stream, event.start_ms):
            return DUPLICATED
        state.metered()
        place = _place(state, event)
        finished, segment = _segment(state, speaker, place)
        timeline.last_role = role
        if event.delta:
            state.transcript.grow(segment, None, event.delta)
        if place is None:
            return finished
        timeline.say(speaker, segment, *place)
        return [*finished, *settled(state)]

    return transcript_delta


def _place(state: LiveConversation, event: Timed) -> tuple[int, int] | None:
    """Return where an event stands on upstream's clock; None where it does not say."""
    start, end = event.start_ms, event.end_ms
    if start is None or end is None:
        return None
    if end < start:
        state.note(MISPLACED)
        return None
    return start, end


def _segment(state: LiveConversation, speaker: Speaker, place: tuple[int, int] | None) -> tuple[list[Fact], Segment]:
    """Return the segment that a fragment at `place` is part of, and the facts of the one that it ends."""
    segment = speaker.segment
    after_other = state.timeline.last_role != speaker.role
    if segment is not None and segment.key in state.transcript.entries:
        start, end = place or (None, None)
        if not speaker.is_apart(start, end, after_other=after_other):
            return [], segment
    finished = state.finish_segment(speaker)
    return finished, state.begin_segment(speaker)


def settled(state: LiveConversation) -> list[Fact]:
    """Return the facts of what is over by upstream's clock."""
    timeline = state.timeline
    over = [speaker for speaker in (timeline.user, timeline.model) if timeline.is_settled(speaker.segment)]
    return [fact for speaker in over for fact in state.finish_segment(speaker)]


def go_on(state: LiveConversation, at_ms: int | None) -> Sequence[Fact]:
    """Let upstream's clock go on. Return the facts of what is over by that."""
    if at_ms is None or at_ms <= state.timeline.clock_ms:
        return NOTHING
    state.timeline.go_on(at_ms)
    return settled(state) or NOTHING


def audio_delta(state: LiveConversation, event: live.OutputAudioDelta, _frame: Frame) -> Sequence[Fact]:
    """Let the clock go on with the model's audio, which is silence for most of a session."""
    return go_on(state, event.end_ms)


def appended(kind: str) -> Callable[[LiveConversation, Timed, Frame], Sequence[Fact]]:
    """Return the handler of what the client adds to a session: instructions, thinking or commentary."""

    def context_appended(state: LiveConversation, event: Timed, _frame: Frame) -> Sequence[Fact]:
        """Report that words of the client entered the session."""
        return (facts.ContextAppended(kind=kind, start_ms=event.start_ms), *go_on(state, event.end_ms))

    return context_appended
