"""Runs and their steps."""

from typing import Final

from steno.core import facts
from steno.core.facts import Origin
from steno.metrics.tally import COMPLETED, Counters, Tally


def _run_started(metrics: Tally, origin: Origin, fact: facts.RunStarted) -> None:
    metrics.begin_model("runs", origin, fact.model)


def _run(metrics: Tally, origin: Origin, fact: facts.RunFinished) -> None:
    model = metrics.model(origin, fact.model)
    metrics.add("steno_runs_total", origin, model, fact.status)
    metrics.add_usage(origin, fact.model, fact.tokens, fact.cost)
    if fact.status == COMPLETED:
        metrics.observe("steno_run_duration_seconds", origin, model, value=fact.duration_seconds)
        metrics.observe("steno_run_queue_seconds", origin, model, value=fact.queue_seconds)
        metrics.observe("steno_run_action_seconds", origin, model, value=fact.action_seconds)


def _run_step(metrics: Tally, origin: Origin, fact: facts.RunStepFinished) -> None:
    metrics.add("steno_run_steps_total", origin, fact.kind, fact.status)
    if fact.status == COMPLETED:
        metrics.observe("steno_run_step_duration_seconds", origin, fact.kind, value=fact.duration_seconds)


COUNTERS: Final[Counters] = {
    facts.RunStarted: _run_started,
    facts.RunFinished: _run,
    facts.RunStepFinished: _run_step,
}
