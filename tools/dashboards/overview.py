"""Overview: is it well, and what does it cost."""

from typing import Final

from tools.dashboards.panels import LATENCY, Board, P, Panel, R, S, quantile, rates, threshold

OVERVIEW: Final = Board(
    "steno-overview",
    "steno / Overview",
    "Is it well, and what does it cost?",
    (
        (
            "Is it well?",
            (
                Panel(
                    "Sources that are down",
                    "none",
                    "Sources that are not connected, do not listen, or cannot read their file. /readyz says why.",
                    ((f"count(steno_source_ready{{{S}}} == 0) or vector(0)", ""),),
                    "stat",
                    bad=1,
                    width=4,
                ),
                Panel(
                    "Alerts",
                    "none",
                    "Alerts of steno that fire now.",
                    (('count(ALERTS{alertname=~"Steno.*", alertstate="firing"}) or vector(0)', ""),),
                    "stat",
                    warn=1,
                    width=4,
                ),
                Panel(
                    "Open conversations",
                    "none",
                    "Voice sessions, threads and chats that are open.",
                    ((f"sum(steno_conversations{{{S}}})", ""),),
                    "stat",
                    width=4,
                ),
                Panel(
                    "Turn latency, 95 of 100",
                    "s",
                    "From the end of the user's speech to the first sound of the answer, within 15 minutes.",
                    ((f"histogram_quantile(0.95, sum by (le) (rate({LATENCY}_bucket{{{S}}}[15m])))", ""),),
                    "stat",
                    warn=0.8,
                    bad=threshold("turn_latency_seconds"),
                    width=4,
                ),
                Panel(
                    "Responses that fail",
                    "percentunit",
                    "Of all responses within 15 minutes.",
                    (
                        (
                            (
                                f'sum(increase(steno_responses_total{{{S}, status="failed"}}[15m]))'
                                f" / sum(increase(steno_responses_total{{{S}}}[15m]))"
                            ),
                            "",
                        ),
                    ),
                    "stat",
                    warn=0.01,
                    bad=threshold("failed_responses_ratio"),
                    width=4,
                ),
                Panel(
                    "Oldest record not on the disk",
                    "s",
                    "Of the audit log. Some seconds are usual; a value that rises means that the disk takes no writes.",
                    ((f"max(steno_audit_unflushed_seconds{{{P}}})", ""),),
                    "stat",
                    warn=5,
                    bad=threshold("unflushed_seconds"),
                    width=4,
                ),
                Panel(
                    "Events",
                    "eps",
                    "Events of all families, by source. A line at 0 beside open conversations is a stalled stream.",
                    ((rates("steno_events_total", "source"), "{{source}}"),),
                ),
                Panel(
                    "Open conversations by source",
                    "none",
                    "How busy each source is.",
                    ((f"sum by (source, family) (steno_conversations{{{S}}})", "{{source}} {{family}}"),),
                ),
                Panel(
                    "Turn latency by source, 95 of 100",
                    "s",
                    "What callers feel. The board on voice quality has more.",
                    ((quantile(0.95, LATENCY), "{{source}}"),),
                    warn=0.8,
                    bad=threshold("turn_latency_seconds"),
                ),
            ),
        ),
        (
            "What does it cost?",
            (
                Panel(
                    "Cost in the time shown",
                    "currencyUSD",
                    "By source and model, as priced by the list of steno and your own. Unpriced usages are missing.",
                    (
                        (
                            f"sort_desc(sum by (source, model) (increase(steno_cost_usd_total{{{S}}}[$__range])))",
                            "",
                        ),
                    ),
                    "table",
                ),
                Panel(
                    "Cost an hour",
                    "currencyUSD",
                    "The rate at which each source spends.",
                    ((f"sum by (source) (rate(steno_cost_usd_total{{{S}}}[{R}])) * 3600", "{{source}}"),),
                    bad=threshold("usd_per_hour"),
                ),
                Panel(
                    "Usages without a price",
                    "none",
                    "Within an hour, by why. They are missing from the cost: nothing costs 0 because it is unknown.",
                    (
                        (
                            f"sum by (source, reason) (increase(steno_unpriced_total{{{S}}}[1h])) > 0",
                            "{{source}} {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Tokens",
                    "short",
                    "Tokens a second by direction and modality. Each token is in one bucket, so that sums are right.",
                    ((rates("steno_tokens_total", "direction, modality"), "{{direction}} {{modality}}"),),
                    "stack",
                ),
                Panel(
                    "Input from the cache",
                    "percentunit",
                    "Of the input tokens, those that upstream had cached, and bills at a lower rate.",
                    (
                        (
                            (
                                "sum by (source)"
                                f' (increase(steno_tokens_total{{{S}, direction="input", cached="true"}}[15m]))'
                                f' / sum by (source) (increase(steno_tokens_total{{{S}, direction="input"}}[15m]))'
                            ),
                            "{{source}}",
                        ),
                    ),
                ),
                Panel(
                    "Conversations that ended",
                    "none",
                    "Within 15 minutes, by why.",
                    (
                        (
                            f"sum by (source, reason) (increase(steno_conversations_closed_total{{{S}}}[15m])) > 0",
                            "{{source}} {{reason}}",
                        ),
                    ),
                    "stack",
                ),
            ),
        ),
    ),
)
