"""Metrics of what is billed."""

from typing import Final

from steno.metrics.definition import Definition

USAGE: Final = (
    Definition(
        "steno_tokens_total",
        "counter",
        ("source", "family", "model", "direction", "modality", "cached"),
        "Tokens as upstream reported them, in disjoint buckets.",
    ),
    Definition(
        "steno_cost_usd_total",
        "counter",
        ("source", "family", "model"),
        "What usages cost, in USD, where they have a price.",
    ),
    Definition(
        "steno_unpriced_total",
        "counter",
        ("source", "family", "reason"),
        "Usages that could not be priced, and why.",
    ),
)
