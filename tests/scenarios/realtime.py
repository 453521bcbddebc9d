"""Scenarios of realtime responses: how they begin, end, overlap and break off, and what is repeated."""

from typing import Final

from steno.simulate.voice_answers import TOKEN_MS, plan, sound_ms, speak, within
from steno.simulate.voice_session import OpenResponse, VoiceSession
from steno.simulate.voice_turns import answer, utter
from steno.simulate.voice_usage import no_usage
from tests.scenarios.scenario import (
    ANSWER,
    LINE,
    Scenario,
    answer_in_writing,
    begin_text,
    finish_text,
    part_of,
    type_in,
    voice_scenario,
    write,
    write_piece,
)


def response_done_without_created(s: VoiceSession) -> None:
    """The caller interrupts so early that a response is done, with usage, and was never created."""
    utter(s, LINE)
    item = {"id": s.new_id("item", s.now), "type": "message", "status": "incomplete", "role": "assistant"}
    content = [{"type": "output_audio", "transcript": "Y"}]
    response = OpenResponse(s.new_id("resp", s.now), [{**item, "content": content}], text_tokens=1, audio_tokens=4)
    s.end_response(s.now + 0.3, response, "cancelled", {"reason": "turn_detected"})


def response_that_no_one_created(s: VoiceSession) -> None:
    """A compatible server leaves out `response.created` and sends the deltas of the response."""
    utter(s, LINE)
    response = OpenResponse(s.new_id("resp", s.now), [])
    write(s, response, "Yes, until six.")
    s.end_response(s.now, response, "completed")


def failed_only_in_response_done(s: VoiceSession) -> None:
    """A response fails after it had output, and only its `response.done` reports it."""
    utter(s, LINE)
    response = s.begin_response(s.now)
    done_at = speak(s, response, plan(s, ANSWER, s.now + 0.4), phase="final_answer")
    error = {"type": "server_error", "code": None, "message": "The simulated model stopped before its end."}
    s.end_response(done_at, response, "failed", {"error": error})


def cancelled_before_output(s: VoiceSession) -> None:
    """A response is cancelled before it had output: its usage is an object of zeros, its output empty."""
    utter(s, LINE)
    response = s.begin_response(s.now)
    s.end_response(s.now + 0.2, response, "cancelled", {"reason": "turn_detected"}, usage=no_usage())


def cancelled_during_playback(s: VoiceSession) -> None:
    """The caller interrupts an answer that is already complete: its item is truncated after the end."""
    utter(s, LINE)
    response = s.begin_response(s.now)
    cues = plan(s, "Yes, until six.", s.now + 0.4)
    heard_ms = sound_ms(cues) // 2
    response.heard_tokens = heard_ms // TOKEN_MS
    done_at = speak(s, response, cues, phase="final_answer")
    s.end_response(done_at, response, "cancelled", {"reason": "turn_detected"})
    item_id = response.output[0]["id"]
    s.send(done_at + 0.04, "conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=heard_ms)


def cancelled_by_the_client(s: VoiceSession) -> None:
    """The client cancels a response in the middle of its text: the item is kept as incomplete."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    index = begin_text(s, response)
    write_piece(s, response, index, "Yes")
    finish_text(s, response, index, "Yes", status="incomplete")
    s.end_response(s.now, response, "cancelled", {"reason": "client_cancelled"})


def cut_by_the_content_filter(s: VoiceSession) -> None:
    """A response is incomplete because of the content filter."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    index = begin_text(s, response)
    write_piece(s, response, index, "Yes")
    finish_text(s, response, index, "Yes", status="incomplete")
    s.end_response(s.now, response, "incomplete", {"reason": "content_filter"})


def max_output_tokens_as_number_and_word(s: VoiceSession) -> None:
    """The token limit is `inf` at first and then a number, and a response ends at it."""
    utter(s, LINE)
    response = s.begin_response(s.now)
    limit = s.setup.max_output_tokens
    cues = within(limit if isinstance(limit, int) else 0, plan(s, "Yes, until half past six.", s.now + 0.4))
    done_at = speak(s, response, cues, phase="final_answer", status="incomplete")
    s.end_response(done_at, response, "incomplete", {"reason": "max_output_tokens"})


def parallel_responses(s: VoiceSession) -> None:
    """Two responses are open at once: one of the conversation, and one out of band with metadata."""
    type_in(s, LINE)
    spoken = s.begin_response(s.now)
    aside = s.begin_response(s.now + 0.001, metadata={"topic": "mood"}, out_of_band=True)
    index = begin_text(s, spoken)
    item = {"id": s.new_id("item", s.now), "type": "message", "status": "in_progress", "role": "assistant"}
    aside.output.append({**item, "content": []})
    where = part_of(aside, 0)
    s.send(s.now, "response.output_item.added", response_id=aside.id, output_index=0, item=dict(aside.output[0]))
    write_piece(s, spoken, index, "Yes")
    s.send_delta(s.now + 0.001, "response.output_text.delta", where, "calm")
    write_piece(s, spoken, index, ".")
    s.send(s.now + 0.001, "response.output_text.done", **where, text="calm")
    ended = {**item, "status": "completed", "content": [{"type": "output_text", "text": "calm"}]}
    aside.output[0] = ended
    aside.text_tokens = 1
    # Out of band: the item belongs to the response and never enters the conversation.
    s.send(s.now + 0.002, "response.output_item.done", response_id=aside.id, output_index=0, item=ended)
    s.end_response(s.now + 0.003, aside, "completed")
    finish_text(s, spoken, index, "Yes.")
    s.end_response(s.now, spoken, "completed")


def interleaved_messages(s: VoiceSession) -> None:
    """One response has two open messages, and the deltas of both alternate."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    first, second = begin_text(s, response, "commentary"), begin_text(s, response, "final_answer")
    for one, other in (("Let", "Yes"), (" me", ","), (" see", " we"), (".", " are.")):
        write_piece(s, response, first, one)
        write_piece(s, response, second, other)
    finish_text(s, response, second, "Yes, we are.")
    finish_text(s, response, first, "Let me see.")
    s.end_response(s.now, response, "completed")


def two_spoken_items(s: VoiceSession) -> None:
    """One response speaks in two items, so that the end of an item is not the end of the turn."""
    utter(s, LINE)
    response = s.begin_response(s.now)
    first_at = speak(s, response, plan(s, ANSWER, s.now + 0.4), phase="commentary")
    done_at = speak(s, response, plan(s, ANSWER, first_at + 0.1), phase="final_answer")
    s.end_response(done_at, response, "completed")


def deltas_that_differ(s: VoiceSession) -> None:
    """The deltas of an item add up to another text than its terminal object has."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    write(s, response, "Yes, until six", final="Yes, until six.")
    s.end_response(s.now, response, "completed")


def repeated_response_done(s: VoiceSession) -> None:
    """A response is done twice, in two events with different ids, and is billed once."""
    type_in(s, LINE)
    response = answer_in_writing(s, ANSWER)
    usage = {"total_tokens": 9, "input_tokens": 5, "output_tokens": 4}
    s.end_response(s.now, response, "completed", usage=usage)


def truncated_after_the_end(s: VoiceSession) -> None:
    """An item is truncated long after its response has ended: the caller heard less than was said."""
    utter(s, LINE)
    response = answer(s, ANSWER)
    item_id = response.output[0]["id"]
    s.send(s.now, "conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=150)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    voice_scenario(response_done_without_created),
    voice_scenario(response_that_no_one_created, output_modalities=("text",)),
    voice_scenario(failed_only_in_response_done),
    voice_scenario(cancelled_before_output),
    voice_scenario(cancelled_during_playback),
    voice_scenario(cancelled_by_the_client, output_modalities=("text",)),
    voice_scenario(cut_by_the_content_filter, output_modalities=("text",)),
    voice_scenario(max_output_tokens_as_number_and_word, max_output_tokens=20),
    voice_scenario(parallel_responses, output_modalities=("text",)),
    voice_scenario(interleaved_messages, output_modalities=("text",), model="gpt-realtime-2.1"),
    voice_scenario(two_spoken_items),
    voice_scenario(deltas_that_differ, output_modalities=("text",)),
    voice_scenario(repeated_response_done, output_modalities=("text",)),
    voice_scenario(truncated_after_the_end),
)
