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
    Definition(
        "steno_cache_write_tokens_total",
        "counter",
        ("source", "family", "model", "kind"),
        "Input tokens that were written to the prompt cache, by how long they are kept; part of those not cached.",
    ),
    Definition(
        "steno_reasoning_tokens_total",
        "counter",
        ("source", "family", "model"),
        "Output tokens that were reasoning, where upstream reports it; part of those of text.",
    ),
    Definition(
        "steno_response_service_tiers_total",
        "counter",
        ("source", "family", "model", "kind"),
        "Responses by the service tier that they were served by, where upstream names it.",
    ),
    Definition(
        "steno_billed_tool_calls_total",
        "counter",
        ("source", "family", "model", "kind"),
        "Calls of built-in tools that are billed beside the tokens of a response.",
    ),
)
