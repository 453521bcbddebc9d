"""Responses that follow one another: what is billed once more, tool rounds, steering, and refusals."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import Counters, Tally


def _resent(metrics: Tally, origin: Origin, fact: facts.ContextResent) -> None:
    model = metrics.model(origin, fact.model)
    fresh = fact.tokens - fact.cached_tokens
    for cached, tokens in (("true", fact.cached_tokens), ("false", fresh)):
        if tokens:
            metrics.add("steno_resent_tokens_total", origin, model, cached, amount=tokens)


def _answered(metrics: Tally, origin: Origin, fact: facts.ChainAnswered) -> None:
    model = metrics.model(origin, fact.model)
    metrics.observe("steno_tool_rounds", origin, model, value=fact.tool_rounds)
    metrics.observe("steno_chain_answer_seconds", origin, model, value=fact.duration_seconds)


def _accepted(metrics: Tally, origin: Origin, _fact: facts.SteerAccepted) -> None:
    metrics.add("steno_steers_total", origin, "accepted")


def _pending(metrics: Tally, origin: Origin, _fact: facts.SteerPending) -> None:
    metrics.add("steno_steers_total", origin, "pending")


def _failed(metrics: Tally, origin: Origin, _fact: facts.SteerFailed) -> None:
    metrics.add("steno_steers_total", origin, "failed")


def _refused(metrics: Tally, origin: Origin, fact: facts.ResponseRefused) -> None:
    metrics.add("steno_refusals_total", origin, metrics.model(origin, fact.model))


COUNTERS: Final[Counters] = {
    facts.ContextResent: _resent,
    facts.ChainAnswered: _answered,
    facts.SteerAccepted: _accepted,
    facts.SteerPending: _pending,
    facts.SteerFailed: _failed,
    facts.ResponseRefused: _refused,
}
