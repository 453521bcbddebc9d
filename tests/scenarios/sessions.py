"""Scenarios of sessions: benign errors, errors that end a session, how sessions end, and what follows."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from steno.simulate.steps import Cut, Step
from steno.simulate.voice_session import VoiceSession
from steno.simulate.voice_turns import answer, utter
from steno.simulate.voice_usage import no_usage
from tests.scenarios.scenario import (
    ANSWER,
    LINE,
    Scenario,
    answer_in_writing,
    scenario,
    type_in,
    voice,
    voice_scenario,
    write,
)

_EXPIRED: Final = "Your session hit the maximum duration of 60 minutes."
_BETA_GONE: Final = "beta_api_shape_disabled"


def _error(s: VoiceSession, code: str | None, message: str, caused_by: str | None = None) -> None:
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
    s.send(s.now, "error", error={**error, "event_id": caused_by})
    s.now += 0.05


def cancel_of_nothing(s: VoiceSession) -> None:
    """The client cancels a response that has just ended: the error is benign, and the session goes on."""
    type_in(s, LINE)
    answer_in_writing(s, ANSWER)
    _error(s, "response_cancel_not_active", "Cancellation failed: no active response found", "cancel_1")
    type_in(s, LINE)


def response_while_one_is_active(s: VoiceSession) -> None:
    """The client asks for a response while one is in progress: the error is benign, and that one goes on."""
    type_in(s, LINE)
    response = s.begin_response(s.now)
    s.now += 0.1
    message = "Conversation already has an active response in progress."
    _error(s, "conversation_already_has_active_response", message, "create_2")
    write(s, response, ANSWER)
    s.end_response(s.now, response, "completed")


def truncate_rejected(s: VoiceSession) -> None:
    """The client truncates an item past its end, which is refused with an error without a code."""
    utter(s, LINE)
    answer(s, ANSWER)
    _error(s, None, "Audio content of 450ms is already shorter than 57340ms", "truncate_1")


def commit_of_nothing(s: VoiceSession) -> None:
    """The client commits an empty buffer, which is refused."""
    message = "Error committing input audio buffer: buffer too small."
    _error(s, "input_audio_buffer_commit_empty", message, "commit_1")


def insufficient_quota(s: VoiceSession) -> None:
    """The account has no credit left: the socket opens as usual, and every response fails."""
    for _ in range(2):
        type_in(s, LINE)
        response = s.begin_response(s.now)
        message = "The simulated account has no credit left."
        error = {"type": "invalid_request_error", "code": "insufficient_quota", "message": message}
        s.end_response(s.now + 0.2, response, "failed", {"error": error}, usage=no_usage())
        s.now += 0.3
    _error(s, "insufficient_quota", message)


def session_cap(s: VoiceSession) -> None:
    """A session reaches its longest duration: an error says so, then the connection is closed with 1001."""
    type_in(s, LINE)
    answer_in_writing(s, ANSWER)
    _error(s, "session_expired", _EXPIRED)


def session_cap_without_error(s: VoiceSession) -> None:
    """A session reaches its longest duration, and only the reason of the close says so."""
    utter(s, LINE)
    s.begin_response(s.now)


def broken_off(s: VoiceSession) -> None:
    """The connection breaks off in the middle of a response, whose end and usage stay unknown."""
    utter(s, LINE)
    s.begin_response(s.now)


def beta_refused(_rng: Random, _started_at: int) -> Iterator[Step]:
    """A client that asks for the beta protocol gets only an error, then close code 4000."""
    message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
    error = {"type": "invalid_request_error", "code": _BETA_GONE, "message": message, "param": None}
    yield Step(0.1, {"type": "error", "event_id": "event_1", "error": {**error, "event_id": None}})


def second_session(rng: Random, started_at: int) -> Iterator[Step]:
    """A relay that connects again continues with another session on the same stream."""
    for after in (0, 30):
        s = voice(rng, started_at + after, output_modalities=("text",))
        s.open()
        type_in(s, LINE)
        answer_in_writing(s, ANSWER)
        yield from s.steps(to_the_end=True)


def resumed_conversation(rng: Random, started_at: int) -> Iterator[Step]:
    """A session is resumed on a new connection: another session id, the same conversation and items."""
    s = voice(rng, started_at, output_modalities=("text",))
    s.open()
    type_in(s, LINE)
    answer_in_writing(s, ANSWER)
    first = list(s.steps(to_the_end=True))
    yield from first
    yield Cut(0.0, {})
    again = voice(rng, started_at + 30)
    again.open()
    created, updated = (step.event for step in again.steps(to_the_end=True))
    yield Step(1.0, created)
    for step in first:
        if step.event["type"] == "conversation.item.done":
            event_id = again.new_id("event", 1.0)
            yield Step(0.01, {**step.event, "type": "conversation.item.added", "event_id": event_id})
    yield Step(0.05, updated)
    s.begin_response(s.now)  # in the conversation of the first session
    yield from (Step(0.4, step.event) for step in s.steps(to_the_end=True))


def rate_limits_empty(s: VoiceSession) -> None:
    """The list of rate limits is empty."""
    s.send(s.now, "rate_limits.updated", rate_limits=[])


def rate_limits_of_beta(s: VoiceSession) -> None:
    """Rate limits of requests and of tokens arrive while the response is in progress."""
    type_in(s, LINE)
    s.begin_response(s.now)
    requests = {"name": "requests", "limit": 5000, "remaining": 4999, "reset_seconds": 0.012}
    tokens = {"name": "tokens", "limit": 40_000, "remaining": 35_412, "reset_seconds": 6.882}
    s.send(s.now + 0.01, "rate_limits.updated", rate_limits=[requests, tokens])


def transcription_session(rng: Random, started_at: int) -> Iterator[Step]:
    """A session only transcribes: its events have other names, and its object has no model."""
    s = voice(rng, started_at)
    audio: dict[str, Any] = {"modalities": ["audio", "text"], "input_audio_format": "pcm16", "turn_detection": None}
    session = {"id": s.new_id("sess", 0.0), "object": "realtime.transcription_session", **audio}
    session["input_audio_transcription"] = {"model": "gpt-4o-transcribe", "language": None, "prompt": ""}
    session |= {"expires_at": started_at + 1800, "client_secret": None}
    s.send(0.0, "transcription_session.created", session=session)
    s.send(0.1, "transcription_session.updated", session=session)
    s.now = 0.2
    utter(s, LINE)
    yield from s.steps(to_the_end=True)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    voice_scenario(cancel_of_nothing, output_modalities=("text",)),
    voice_scenario(response_while_one_is_active, output_modalities=("text",)),
    voice_scenario(truncate_rejected),
    voice_scenario(commit_of_nothing),
    voice_scenario(insufficient_quota, (1000, "")),
    voice_scenario(session_cap, (1001, _EXPIRED), output_modalities=("text",)),
    voice_scenario(session_cap_without_error, (1001, _EXPIRED)),
    voice_scenario(broken_off, (None, "")),
    scenario(beta_refused, (4000, f"invalid_request_error.{_BETA_GONE}")),
    scenario(second_session),
    scenario(resumed_conversation),
    voice_scenario(rate_limits_empty),
    voice_scenario(rate_limits_of_beta),
    scenario(transcription_session),
)
