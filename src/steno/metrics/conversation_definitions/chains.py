"""Metrics of responses that follow one another: what is billed once more, and how long an answer takes."""

from typing import Final

from steno.metrics.buckets import CHAIN_SECONDS, GAP_SECONDS, IN_FLIGHT, ROUNDS
from steno.metrics.definition import Definition

CHAINS: Final = (
    Definition(
        "steno_resent_tokens_total",
        "counter",
        ("source", "model", "cached"),
        "Input tokens that the response before in the chain had in its context too, and that are billed once more.",
    ),
    Definition(
        "steno_tool_rounds",
        "histogram",
        ("source", "model"),
        "Responses that ended with calls which the client runs, for each answer of a chain.",
        ROUNDS,
    ),
    Definition(
        "steno_chain_answer_seconds",
        "histogram",
        ("source", "model"),
        "From the first request after an answer to the end of the next answer, across tool rounds.",
        CHAIN_SECONDS,
    ),
    Definition(
        "steno_response_gap_seconds",
        "histogram",
        ("source", "kind"),
        "From the end of a response to the request of the next one of its chain, by what it ended with.",
        GAP_SECONDS,
    ),
    Definition(
        "steno_responses_in_flight",
        "histogram",
        ("source",),
        "Responses in progress on a connection, over its lanes, as each one begins; itself included.",
        IN_FLIGHT,
    ),
    Definition(
        "steno_steers_total",
        "counter",
        ("source", "status"),
        "What upstream said of input for responses in progress.",
    ),
    Definition(
        "steno_warm_ups_total",
        "counter",
        ("source", "model"),
        "Responses that only prepared a context. They are no answers, and not in steno_responses_total.",
    ),
    Definition(
        "steno_refusals_total",
        "counter",
        ("source", "model"),
        "Messages of the model that are refusals.",
    ),
)
