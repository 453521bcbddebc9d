"""Metrics of responses, and of the turns that they answer."""

from typing import Final

from steno.metrics.buckets import RESPONSE_SECONDS, SPEECH_SECONDS, VOICE_SECONDS
from steno.metrics.definition import Definition

RESPONSES: Final = (
    Definition(
        "steno_responses_total",
        "counter",
        ("source", "model", "status", "reason"),
        "Responses that ended.",
    ),
    Definition(
        "steno_response_duration_seconds",
        "histogram",
        ("source", "model"),
        "From response.created to response.done, of completed responses.",
        RESPONSE_SECONDS,
    ),
    Definition(
        "steno_time_to_first_token_seconds",
        "histogram",
        ("source", "model"),
        "From response.created to the first text, transcript or argument delta, whatever becomes of the response.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_time_to_first_audio_seconds",
        "histogram",
        ("source", "model"),
        "From response.created to the first audio delta, whatever becomes of the response.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_turn_latency_seconds",
        "histogram",
        ("source", "model"),
        "From the end of the user's speech to the first audio of the answer, whatever becomes of it.",
        VOICE_SECONDS,
    ),
    Definition(
        "steno_unanswered_turns_total",
        "counter",
        ("source",),
        "Turns of users that ended, by speech or with the session, when no answer had begun.",
    ),
    Definition(
        "steno_interruptions_total",
        "counter",
        ("source", "model", "reason"),
        "Responses that broke off, by cause.",
    ),
    Definition(
        "steno_user_speech_duration_seconds",
        "histogram",
        ("source",),
        "From the start to the end of what a user said, as the voice detector heard it.",
        SPEECH_SECONDS,
    ),
)
