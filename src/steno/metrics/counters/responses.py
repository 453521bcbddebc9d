"""Responses, and the turns of users that they answer."""

from typing import Final

from msgspec import UNSET

from steno.core import facts
from steno.core.facts import Origin
from steno.core.vocabulary import SERVICE_TIERS, closed
from steno.metrics.tally import COMPLETED, FAILED, NO_MODEL, Counters, Tally

_FIRST_OUTPUT: Final = {"text": "steno_time_to_first_token_seconds", "audio": "steno_time_to_first_audio_seconds"}
"""Output of a response to the metric of its beginning."""


def _unanswered(metrics: Tally, origin: Origin, _fact: facts.TurnUnanswered) -> None:
    metrics.add("steno_unanswered_turns_total", origin)


def _response_started(metrics: Tally, origin: Origin, fact: facts.ResponseStarted) -> None:
    metrics.begin_model("responses", origin, fact.model)
    if fact.in_flight is not UNSET:
        metrics.begin("chains", origin, metrics.model(origin, fact.model))
        metrics.begin("lanes", origin)
        metrics.observe("steno_responses_in_flight", origin, value=fact.in_flight)
    if fact.gap_seconds is not UNSET and fact.gap_after is not UNSET:
        metrics.observe("steno_response_gap_seconds", origin, fact.gap_after, value=fact.gap_seconds)


def _output_started(metrics: Tally, origin: Origin, fact: facts.ResponseOutputStarted) -> None:
    """Observed at once: a slow answer that the caller spoke over was slow all the same."""
    model = metrics.model(origin, fact.model)
    metrics.observe(_FIRST_OUTPUT[fact.output], origin, model, value=fact.after_seconds)
    metrics.observe("steno_turn_latency_seconds", origin, model, value=fact.turn_latency_seconds)


def _response(metrics: Tally, origin: Origin, fact: facts.ResponseFinished) -> None:
    """A response that broke off is counted as such; its duration says little and would spoil the others'."""
    model = metrics.model(origin, fact.model)
    if fact.warm_up is not UNSET:
        metrics.add("steno_warm_ups_total", origin, model)
        metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)
        _used(metrics, origin, model, fact)
        return
    reason = fact.reason or "none"
    if fact.status == FAILED:  # then it is a code of upstream's; else it is of a closed list, which needs no budget
        reason = metrics.label_value(origin, "reason", fact.reason)
    metrics.add("steno_responses_total", origin, model, fact.status, reason)
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)
    if fact.service_tier is not UNSET:
        tier = closed(fact.service_tier, SERVICE_TIERS)
        metrics.add("steno_response_service_tiers_total", origin, origin.family or NO_MODEL, model, tier)
    _used(metrics, origin, model, fact)
    if fact.status == COMPLETED:
        metrics.observe("steno_response_duration_seconds", origin, model, value=fact.duration_seconds)


def _used(metrics: Tally, origin: Origin, model: str, fact: facts.ResponseFinished) -> None:
    """Count the tokens that only some APIs report of a response, or of a warm-up."""
    labels = (origin.family or NO_MODEL, model)
    if fact.reasoning_tokens is not UNSET:
        metrics.begin("details", origin, *labels)
        metrics.add("steno_reasoning_tokens_total", origin, *labels, amount=fact.reasoning_tokens)
    for write in () if fact.cache_writes is UNSET else fact.cache_writes:
        metrics.add("steno_cache_write_tokens_total", origin, *labels, write.kept, amount=write.tokens)


def _interrupted(metrics: Tally, origin: Origin, fact: facts.ResponseInterrupted) -> None:
    metrics.add("steno_interruptions_total", origin, metrics.model(origin, fact.model), fact.reason)


def _speech(metrics: Tally, origin: Origin, fact: facts.SpeechStopped) -> None:
    metrics.observe("steno_user_speech_duration_seconds", origin, value=fact.duration_seconds)


def _playback(metrics: Tally, origin: Origin, fact: facts.PlaybackStarted) -> None:
    model = metrics.model(origin, fact.model)
    metrics.observe("steno_turn_latency_seconds", origin, model, value=fact.turn_latency_seconds)


COUNTERS: Final[Counters] = {
    facts.TurnUnanswered: _unanswered,
    facts.ResponseStarted: _response_started,
    facts.ResponseOutputStarted: _output_started,
    facts.ResponseFinished: _response,
    facts.ResponseInterrupted: _interrupted,
    facts.SpeechStopped: _speech,
    facts.PlaybackStarted: _playback,
}
