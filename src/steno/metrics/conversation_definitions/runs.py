"""Metrics of runs and their steps."""

from typing import Final

from steno.metrics.buckets import RUN_SECONDS
from steno.metrics.definition import Definition

RUNS: Final = (
    Definition("steno_runs_total", "counter", ("source", "model", "status"), "Assistants runs that ended."),
    Definition(
        "steno_run_duration_seconds",
        "histogram",
        ("source", "model"),
        "From the first sight of a queued run to its end.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_run_queue_seconds",
        "histogram",
        ("source", "model"),
        "From the first sight of a run to its first work, of completed runs.",
        RUN_SECONDS,
    ),
    Definition(
        "steno_run_action_seconds",
        "histogram",
        ("source", "model"),
        "How long a run waited for the outputs of its tools, of completed runs that did.",
        RUN_SECONDS,
    ),
    Definition("steno_run_steps_total", "counter", ("source", "kind", "status"), "Steps of runs that ended."),
    Definition(
        "steno_run_step_duration_seconds",
        "histogram",
        ("source", "kind"),
        "From the creation of a step to its end.",
        RUN_SECONDS,
    ),
)
