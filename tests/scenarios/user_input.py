"""Scenarios of user input: transcripts, turns without a voice detector, items that are deleted or inserted."""

from typing import Any, Final

from steno.simulate.steps import audio_base64
from steno.simulate.voice_session import VoiceSession
from steno.simulate.voice_turns import TRANSCRIPTION, Utterance, answer, commit, transcription_usage, utter
from tests.scenarios.scenario import ANSWER, LINE, Scenario, answer_in_writing, type_in, voice_scenario


def _completed(s: VoiceSession, said: Utterance, after: float, text: str | None = None, **members: Any) -> None:
    """Send the completed transcript, `after` so many seconds."""
    s.now += after
    transcript = said.line if text is None else text
    s.send(s.now, f"{TRANSCRIPTION}.completed", item_id=said.item_id, content_index=0, transcript=transcript, **members)


def late_transcription(s: VoiceSession) -> None:
    """The transcript of the caller arrives only after the answer."""
    said = utter(s, LINE)
    answer(s, ANSWER)
    _completed(s, said, 0.2, usage=transcription_usage(s, said))


def transcriptions_out_of_order(s: VoiceSession) -> None:
    """The transcripts of two utterances arrive in the other order than the utterances were committed."""
    first = utter(s, "Are you open?")
    s.now += 0.3
    second = utter(s, "On Sunday?")
    _completed(s, second, 0.3, usage=transcription_usage(s, second))
    _completed(s, first, 0.3, usage=transcription_usage(s, first))


def repeated_transcription(s: VoiceSession) -> None:
    """The transcript of one item is completed twice, in two events with the same text and usage."""
    said = utter(s, LINE)
    for after in (0.3, 0.02):
        _completed(s, said, after, usage=transcription_usage(s, said))


def cumulative_transcription(s: VoiceSession) -> None:
    """A transcript is completed repeatedly as it grows: `in_progress`, and `completed` at last."""
    said = utter(s, LINE)
    parts = said.line.split()
    for n in range(1, len(parts)):
        _completed(s, said, 0.2, " ".join(parts[:n]), status="in_progress")
    _completed(s, said, 0.2, status="completed")


def corrected_transcription(s: VoiceSession) -> None:
    """A transcript is completed twice, the second time with another text, which is the valid one."""
    said = utter(s, LINE)
    _completed(s, said, 0.3, "Are you hoping?", usage=transcription_usage(s, said))
    _completed(s, said, 0.3, usage=transcription_usage(s, said))


def failed_transcription(s: VoiceSession) -> None:
    """The caller cannot be transcribed, and is answered nevertheless."""
    said = utter(s, LINE)
    message = "The simulated deployment for transcription does not exist."
    error = {"type": "invalid_request_error", "code": "DeploymentNotFound", "message": message, "param": None}
    s.send(s.now + 0.2, f"{TRANSCRIPTION}.failed", item_id=said.item_id, content_index=0, error=error)
    answer(s, ANSWER)


def transcription_without_usage(s: VoiceSession) -> None:
    """A transcript comes without its usage."""
    said = utter(s, LINE)
    _completed(s, said, 0.3)


def diarized_transcription(s: VoiceSession) -> None:
    """A transcript comes in segments with a speaker before it is completed."""
    said = utter(s, LINE)
    where = {"item_id": said.item_id, "content_index": 0}
    for n, (text, speaker) in enumerate((("Are you", "A"), ("open?", "B"))):
        segment = {"id": f"seg_{n + 1}", "text": text, "speaker": speaker, "start": 0.4 * n, "end": 0.4 * n + 0.4}
        s.send(s.now + 0.1 * (n + 1), f"{TRANSCRIPTION}.segment", **where, **segment)
    _completed(s, said, 0.3, usage=transcription_usage(s, said))


def push_to_talk(s: VoiceSession) -> None:
    """The client ends the caller's turn: it is committed, and no voice detector reported speech."""
    s.now += 0.8
    commit(s, s.new_id("item", s.now), LINE, 800)
    answer(s, ANSWER)


def idle_timeout(s: VoiceSession) -> None:
    """The caller is silent for so long that the model speaks, after an item of silence."""
    item_id = s.new_id("item", s.now)
    s.now += 6.0
    kind = "input_audio_buffer.timeout_triggered"
    s.send(s.now, kind, audio_start_ms=320, audio_end_ms=6320, item_id=item_id)
    commit(s, item_id, "", 6000)
    answer(s, ANSWER)


def input_cleared(s: VoiceSession) -> None:
    """The caller begins to speak, and the client clears the buffer: no item follows."""
    item_id = s.new_id("item", s.now)
    s.send(s.now, "input_audio_buffer.speech_started", audio_start_ms=320, item_id=item_id)
    s.send(s.now + 0.4, "input_audio_buffer.cleared")
    s.now += 0.5
    type_in(s, LINE)
    answer(s, ANSWER)


def item_retrieved(s: VoiceSession) -> None:
    """The client retrieves an item with all its audio: the largest frame of the protocol."""
    said = utter(s, LINE)
    answer(s, ANSWER)
    content = [{"type": "input_audio", "transcript": LINE, "audio": audio_base64(0, said.audio_ms), "format": "pcm16"}]
    item = {"id": said.item_id, "object": "realtime.item", "type": "message", "status": "completed", "role": "user"}
    s.send(s.now, "conversation.item.retrieved", item={**item, "content": content})


def item_deleted(s: VoiceSession) -> None:
    """The client deletes an item from the conversation; the next item follows the one before it."""
    type_in(s, "Good evening.")
    gone = type_in(s, "Never mind that.")
    s.items.remove(gone)
    s.send(s.now, "conversation.item.deleted", item_id=gone)
    s.now += 0.05
    type_in(s, LINE)
    answer_in_writing(s, ANSWER)


def item_inserted(s: VoiceSession) -> None:
    """The client inserts an item between two others: the item before it gives its place, not its time."""
    first = type_in(s, "Good evening.")
    type_in(s, LINE)
    content = [{"type": "input_text", "text": "I have a question."}]
    item_id = s.new_id("item", s.now)
    item = {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": content}
    for kind in ("conversation.item.added", "conversation.item.done"):
        s.send(s.now, kind, previous_item_id=first, item=item)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    voice_scenario(late_transcription),
    voice_scenario(transcriptions_out_of_order),
    voice_scenario(repeated_transcription),
    voice_scenario(cumulative_transcription),
    voice_scenario(corrected_transcription),
    voice_scenario(failed_transcription),
    voice_scenario(transcription_without_usage),
    voice_scenario(diarized_transcription),
    voice_scenario(push_to_talk),
    voice_scenario(idle_timeout),
    voice_scenario(input_cleared),
    voice_scenario(item_retrieved),
    voice_scenario(item_deleted, output_modalities=("text",)),
    voice_scenario(item_inserted, output_modalities=("text",)),
)
