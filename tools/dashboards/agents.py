"""Agents and Live calls: chains of responses, what they send again, and sessions that are spoken all the time."""

from typing import Final

from tools.dashboards.panels import Board, Panel, R, S, quantile, rates, rises, share, threshold

ANSWER: Final = "steno_chain_answer_seconds"
GAP: Final = "steno_response_gap_seconds"
DELEGATION: Final = "steno_delegation_duration_seconds"

AGENTS: Final = Board(
    "steno-agents",
    "steno / Agents and Live calls",
    "Chains of responses: how long an answer takes, and what is sent again. Live sessions: their time and their work.",
    (
        (
            "How long does an agent take?",
            (
                Panel(
                    "To an answer, median",
                    "s",
                    "From the first request after an answer to the end of the next answer, across tool rounds.",
                    ((quantile(0.5, ANSWER, "source, model"), "{{source}} {{model}}"),),
                ),
                Panel(
                    "To an answer, 95 of 100",
                    "s",
                    "The slowest 5 of 100 answers take longer.",
                    ((quantile(0.95, ANSWER, "source, model"), "{{source}} {{model}}"),),
                ),
                Panel(
                    "Tool rounds to an answer, 95 of 100",
                    "none",
                    "Responses that ended with calls which the client runs. Many are an agent that goes in circles.",
                    ((quantile(0.95, "steno_tool_rounds", "source, model"), "{{source}} {{model}}"),),
                    bad=threshold("tool_rounds"),
                ),
                Panel(
                    "Between two responses, 95 of 100",
                    "s",
                    "After tool calls: how long the client ran them. After an answer: how long the user took.",
                    ((quantile(0.95, GAP, "source, kind"), "{{source}} after {{kind}}"),),
                ),
                Panel(
                    "Responses in flight, 95 of 100",
                    "none",
                    "On one connection, over its lanes. Upstream takes 16 at once.",
                    ((quantile(0.95, "steno_responses_in_flight"), "{{source}}"),),
                    bad=16,
                ),
                Panel(
                    "Steering, warm-ups, refusals",
                    "none",
                    "In 15 minutes: input for responses in progress, responses that only prepare a context, refusals.",
                    (
                        (rises("steno_steers_total", "source, status") + " > 0", "{{source}} steer {{status}}"),
                        (rises("steno_warm_ups_total", "source") + " > 0", "{{source}} warm-up"),
                        (rises("steno_refusals_total", "source") + " > 0", "{{source}} refusal"),
                    ),
                ),
            ),
        ),
        (
            "What is billed again?",
            (
                Panel(
                    "Input that was sent again",
                    "percentunit",
                    "Of all input tokens: those that the response before in the chain had in its context too.",
                    (
                        (
                            (
                                f"sum by (source) (rate(steno_resent_tokens_total{{{S}}}[{R}]))"
                                " / sum by (source)"
                                f' (rate(steno_tokens_total{{{S}, family="responses", direction="input"}}[{R}]))'
                            ),
                            "{{source}}",
                        ),
                    ),
                ),
                Panel(
                    "Of that, from the cache",
                    "percentunit",
                    "What is sent again and not cached costs the whole rate.",
                    ((share("steno_resent_tokens_total", 'cached="true"'), "{{source}}"),),
                ),
                Panel(
                    "Written to the cache",
                    "short",
                    "Tokens a second, by how long they are kept.",
                    ((rates("steno_cache_write_tokens_total", "source, kind"), "{{source}} {{kind}}"),),
                ),
                Panel(
                    "Reasoning",
                    "percentunit",
                    "Of all output tokens, where upstream reports it.",
                    (
                        (
                            (
                                f"sum by (source, model) (rate(steno_reasoning_tokens_total{{{S}}}[{R}]))"
                                " / sum by (source, model)"
                                f' (rate(steno_tokens_total{{{S}, direction="output"}}[{R}]))'
                            ),
                            "{{source}} {{model}}",
                        ),
                    ),
                ),
                Panel(
                    "Service tiers",
                    "none",
                    "Responses within 15 minutes, by the tier that served them.",
                    ((rises("steno_response_service_tiers_total", "source, kind") + " > 0", "{{source}} {{kind}}"),),
                    "stack",
                ),
                Panel(
                    "Built-in tools that are billed",
                    "none",
                    "Calls within 15 minutes that cost beside the tokens.",
                    ((rises("steno_billed_tool_calls_total", "source, kind") + " > 0", "{{source}} {{kind}}"),),
                    "stack",
                ),
            ),
        ),
        (
            "Live sessions",
            (
                Panel(
                    "Sessions under way",
                    "none",
                    "As much of a second is billed each second: active, or paused at the lower rate.",
                    ((rates("steno_live_seconds_total", "source, state"), "{{source}} {{state}}"),),
                    "stack",
                ),
                Panel(
                    "Both speak at once",
                    "percentunit",
                    "Of the time in which sessions were active.",
                    (
                        (
                            (
                                f"sum by (source) (rate(steno_double_talk_seconds_total{{{S}}}[{R}]))"
                                f' / sum by (source) (rate(steno_live_seconds_total{{{S}, state="active"}}[{R}]))'
                            ),
                            "{{source}}",
                        ),
                    ),
                ),
                Panel(
                    "Fullest context",
                    "percentunit",
                    "Of the open sessions the one whose context is fullest.",
                    (
                        (
                            f"max by (source, model) (steno_context_window_ratio{{{S}}})",
                            "{{source}} {{model}}",
                        ),
                    ),
                    bad=threshold("context_window_ratio"),
                ),
                Panel(
                    "Delegations that stay without an answer",
                    "percentunit",
                    "Failed or orphaned, of all that ended within 15 minutes.",
                    (
                        (
                            share("steno_delegations_total", 'status!="answered"', "source, target"),
                            "{{source}} {{target}}",
                        ),
                    ),
                    bad=threshold("unanswered_delegations_ratio"),
                ),
                Panel(
                    "Delegations, 95 of 100",
                    "s",
                    "From the delegation of work to its answer. The model goes on talking meanwhile.",
                    ((quantile(0.95, DELEGATION, "source, target"), "{{source}} {{target}}"),),
                ),
                Panel(
                    "How sessions end",
                    "none",
                    "Within 15 minutes. Unconfirmed: upstream did not say so, and the bill is a lower bound.",
                    ((rises("steno_sessions_closed_total", "source, reason") + " > 0", "{{source}} {{reason}}"),),
                    "stack",
                ),
            ),
        ),
    ),
)
