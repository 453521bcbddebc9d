"""What happens in a call, turn by turn, and how long it takes: the caller speaks, the model answers or fails.

Each turn begins at the session's `now` and advances it to where the next turn may begin. A turn adds its events to the
schedule in any order, so that transcription, answer and interruption interleave as they do on the wire.
"""

from typing import Any, Final, NamedTuple

from steno.simulate import voice_usage
from steno.simulate.steps import pieces
from steno.simulate.voice_answers import TOKEN_MS, Cue, call_function, plan, sound_ms, speak, within
from steno.simulate.voice_scripts import INTERJECTIONS, Exchange, Lookup
from steno.simulate.voice_session import OpenResponse, VoiceSession
from steno.simulate.voice_usage import no_usage

TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"
"""The prefix of the types of transcription events."""

_PREFIX_MS: Final = 300  # the sound that is kept from before the start of speech
_VAD_FRAME_MS: Final = 32  # the voice detector decides once in this time
_CALLER_WORD_SECONDS: Final = 0.18
_CALLER_SECONDS: Final = (0.7, 1.5)  # the shortest and the longest line


def chat(s: VoiceSession, exchange: Exchange) -> None:
    """Play a turn with a line of the caller and an answer."""
    hear(s, exchange.caller)
    answer(s, exchange.agent)


def answer(s: VoiceSession, text: str) -> OpenResponse:
    """Send a response that says `text`. Returns the ended response."""
    response = s.begin_response(s.now)
    cues = plan(s, text, s.now + s.rng.uniform(0.35, 0.85))
    done_at = speak(s, response, cues, phase="final_answer")
    s.end_response(done_at, response, "completed")
    _let_play(s, cues)
    return response


def look_up(s: VoiceSession, lookup: Lookup) -> None:
    """Play a turn with a function call: a response that calls it, its output, a response that answers."""
    hear(s, lookup.caller)
    response = s.begin_response(s.now)
    at = s.now + s.rng.uniform(0.35, 0.6)
    call_id, called_at = call_function(s, response, lookup, at)
    s.end_response(called_at, response, "completed")
    s.now = called_at + s.rng.uniform(0.15, 0.4)
    hand_over(s, call_id, lookup.output)
    answer = s.begin_response(s.now + 0.004)
    cues = plan(s, lookup.agent, s.now + s.rng.uniform(0.3, 0.55))
    done_at = speak(s, answer, cues, phase="final_answer")
    s.end_response(done_at, answer, "completed")
    _let_play(s, cues)


def barge_in(s: VoiceSession, exchange: Exchange) -> None:
    """Play a turn whose answer the caller interrupts: the next turn begins while its audio is still being sent.

    The service cancels the response. Then the client truncates the item to what was played.
    """
    hear(s, exchange.caller)
    response = s.begin_response(s.now)
    first_audio_at = s.now + s.rng.uniform(0.35, 0.85)
    cut_at = first_audio_at + s.rng.uniform(0.45, 0.75)
    cues = [cue for cue in plan(s, exchange.agent, first_audio_at) if cue.at < cut_at]
    # The client starts to play a little late, so a little less was heard.
    heard_ms = min(round((cut_at - first_audio_at) * 1000) - s.rng.randint(20, 80), sound_ms(cues))
    response.heard_tokens = heard_ms // TOKEN_MS
    done_at = speak(s, response, cues, phase="final_answer", status="incomplete", closes_at=cut_at + 0.008)
    s.end_response(done_at, response, "cancelled", {"reason": "turn_detected"})
    s.send(
        done_at + s.rng.uniform(0.02, 0.06),
        "conversation.item.truncated",
        item_id=response.output[0]["id"],
        content_index=0,
        audio_end_ms=heard_ms,
    )
    s.now, s.interrupted = cut_at, True


def cut_short(s: VoiceSession, exchange: Exchange) -> None:
    """Play a turn whose answer is incomplete: by the session's token limit, or else by the content filter."""
    limit = s.setup.max_output_tokens
    reason = "max_output_tokens" if isinstance(limit, int) else "content_filter"
    tokens = limit if isinstance(limit, int) else s.rng.randint(30, 45)
    hear(s, exchange.caller)
    response = s.begin_response(s.now)
    cues = within(tokens, plan(s, exchange.agent, s.now + s.rng.uniform(0.35, 0.85)))
    done_at = speak(s, response, cues, phase="final_answer", status="incomplete")
    s.end_response(done_at, response, "incomplete", {"reason": reason})
    _let_play(s, cues)


def fail(s: VoiceSession, line: str, error: dict[str, Any]) -> None:
    """Play a turn without an answer: the response fails with `error`, and no `error` event reports it."""
    hear(s, line)
    response = s.begin_response(s.now)
    failed_at = s.now + s.rng.uniform(0.25, 0.6)
    s.end_response(failed_at, response, "failed", {"error": error}, usage=no_usage())
    s.now = failed_at + s.rng.uniform(0.3, 0.6)


def _let_play(s: VoiceSession, cues: list[Cue]) -> None:
    """Advance to shortly after the caller has heard the answer."""
    first_audio_at = next(cue.at for cue in cues if cue.audio_ms)
    s.now = first_audio_at + sound_ms(cues) / 1000 + s.rng.uniform(0.1, 0.3)


def hand_over(s: VoiceSession, call_id: str, output: str) -> None:
    """Add the output of a function to the conversation, as the client does."""
    item_id = s.new_id("item", s.now)
    item = {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": output}
    s.add_client_item(s.now, item)
    s.ledger.read(len(pieces(output)) + 8)


# The caller.


class Utterance(NamedTuple):
    """What a caller said: its item, its text and its length."""

    item_id: str
    line: str
    audio_ms: int
    audio_tokens: int


def hear(s: VoiceSession, line: str) -> Utterance:
    """Let the caller say `line`: it is detected, committed, becomes an item, and is transcribed."""
    said = utter(s, line)
    transcribe(s, said)
    return said


def utter(s: VoiceSession, line: str) -> Utterance:
    """Let the caller say `line`, without a transcript."""
    if s.interrupted:
        line = _interjected(s, line)
        s.interrupted = False
    seconds = len(line.split()) * _CALLER_WORD_SECONDS + s.rng.uniform(0.0, 0.25)
    started, stopped = s.now, s.now + min(max(seconds, _CALLER_SECONDS[0]), _CALLER_SECONDS[1])
    item_id = s.new_id("item", started)
    start_ms, end_ms = max(_frame_ms(started) - _PREFIX_MS, 0), _frame_ms(stopped)
    s.send(started, "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=item_id)
    s.send(stopped, "input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=item_id)
    s.now = stopped
    return commit(s, item_id, line, end_ms - start_ms)


def commit(s: VoiceSession, item_id: str, line: str, audio_ms: int) -> Utterance:
    """Commit the caller's speech, which becomes an item."""
    previous = s.items[-1] if s.items else None
    s.send(s.now + 0.002, "input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
    content = [{"type": "input_audio", "transcript": None}]
    s.add_client_item(
        s.now + 0.003,
        {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": content},
    )
    s.now += 0.006
    return Utterance(item_id, line, audio_ms, s.ledger.hear(audio_ms))


def _interjected(s: VoiceSession, line: str) -> str:
    keeps_its_capital = line.startswith(("I ", "I'"))
    return f"{s.rng.choice(INTERJECTIONS)} {line if keeps_its_capital else line[0].lower() + line[1:]}"


def _frame_ms(second: float) -> int:
    return int(second * 1000) // _VAD_FRAME_MS * _VAD_FRAME_MS


def transcribe(s: VoiceSession, said: Utterance) -> None:
    """Send the transcript of the caller's line. It runs beside the response, and may end after it."""
    where = {"item_id": said.item_id, "content_index": 0}
    by_duration = s.setup.transcription_model == "gpt-realtime-whisper"
    # As on the wire: the deltas of this model begin with a space that the final transcript does not have.
    deltas = pieces(f" {said.line}" if by_duration else said.line)
    at = s.now + s.rng.uniform(0.05, 0.3)
    for delta in deltas:
        s.send_delta(at, f"{TRANSCRIPTION}.delta", where, delta)
        at += s.rng.uniform(0.01, 0.06)
    usage = transcription_usage(s, said)
    s.send(at + s.rng.uniform(0.05, 0.2), f"{TRANSCRIPTION}.completed", **where, transcript=said.line, usage=usage)


def transcription_usage(s: VoiceSession, said: Utterance) -> dict[str, Any]:
    """Return the `usage` of a transcript of this session."""
    return voice_usage.transcription_usage(s.setup.transcription_model, said.line, said.audio_ms, said.audio_tokens)
