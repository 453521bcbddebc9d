"""Voice quality by source: what callers feel."""

from typing import Final

from tools.dashboards.panels import AUDIO, LATENCY, Board, Panel, R, S, quantile, rises, share, threshold

VOICE: Final = Board(
    "steno-voice",
    "steno / Voice quality by source",
    "What callers feel: latency, answers that do not come, interruptions.",
    (
        (
            "How long do callers wait?",
            (
                Panel(
                    "Turn latency, median",
                    "s",
                    "From the end of the user's speech to the first sound of the answer, calls of tools included.",
                    ((quantile(0.5, LATENCY), "{{source}}"),),
                    warn=0.8,
                    bad=threshold("turn_latency_seconds"),
                ),
                Panel(
                    "Turn latency, 95 of 100",
                    "s",
                    "The slowest 5 of 100 turns take longer.",
                    ((quantile(0.95, LATENCY), "{{source}}"),),
                    warn=0.8,
                    bad=threshold("turn_latency_seconds"),
                ),
                Panel(
                    "Turn latency, all turns",
                    "s",
                    "How many turns took how long.",
                    ((f"sum by (le) (increase({LATENCY}_bucket{{{S}}}[{R}]))", "{{le}}"),),
                    "heat",
                ),
                Panel(
                    "Time to first audio, 95 of 100",
                    "s",
                    "From response.created to the first audio: upstream's part of the latency.",
                    ((quantile(0.95, AUDIO, "source, model"), "{{source}} {{model}}"),),
                    bad=threshold("first_audio_seconds"),
                ),
                Panel(
                    "Time to first token, 95 of 100",
                    "s",
                    "From response.created to the first text, transcript or argument.",
                    (
                        (
                            quantile(0.95, "steno_time_to_first_token_seconds", "source, model"),
                            "{{source}} {{model}}",
                        ),
                    ),
                ),
                Panel(
                    "Length of responses, median",
                    "s",
                    "From response.created to response.done, of completed responses.",
                    (
                        (
                            quantile(0.5, "steno_response_duration_seconds", "source, model"),
                            "{{source}} {{model}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Do they get an answer?",
            (
                Panel(
                    "Turns without an answer",
                    "percentunit",
                    "Of all turns within 15 minutes: the caller spoke again or hung up before an answer began.",
                    (
                        (
                            (
                                f"sum by (source) (increase(steno_unanswered_turns_total{{{S}}}[15m]))"
                                f" / (sum by (source) (increase({LATENCY}_count{{{S}}}[15m]))"
                                f" + sum by (source) (increase(steno_unanswered_turns_total{{{S}}}[15m])))"
                            ),
                            "{{source}}",
                        ),
                    ),
                    bad=threshold("unanswered_turns_ratio"),
                ),
                Panel(
                    "Responses by outcome",
                    "none",
                    "Within 15 minutes. Cancelled: mostly a caller who spoke over the answer.",
                    (
                        (
                            f"sum by (status) (increase(steno_responses_total{{{S}}}[15m]))",
                            "{{status}}",
                        ),
                    ),
                    "stack",
                ),
                Panel(
                    "Responses that fail",
                    "percentunit",
                    "Of all responses within 15 minutes.",
                    ((share("steno_responses_total", 'status="failed"'), "{{source}}"),),
                    bad=threshold("failed_responses_ratio"),
                ),
                Panel(
                    "Why responses fail or are cut short",
                    "none",
                    "Within 15 minutes, by upstream's code or reason.",
                    (
                        (
                            rises("steno_responses_total", "source, reason", ', status=~"failed|incomplete"') + " > 0",
                            "{{source}} {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Interruptions",
                    "percentunit",
                    "Responses that broke off by each cause, of all responses within 15 minutes.",
                    (
                        (
                            (
                                f"sum by (source, reason) (increase(steno_interruptions_total{{{S}}}[15m]))"
                                " / on (source) group_left ()"
                                f" sum by (source) (increase(steno_responses_total{{{S}}}[15m]))"
                                " > 0"
                            ),
                            "{{source}} {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Turns",
                    "none",
                    "Turns of users that were answered, within 15 minutes.",
                    ((f"sum by (source) (increase({LATENCY}_count{{{S}}}[15m]))", "{{source}}"),),
                ),
            ),
        ),
        (
            "Calls",
            (
                Panel(
                    "Length of what users say, median",
                    "s",
                    "As the voice detector heard it. Very short ones hint at noise that is taken for speech.",
                    ((quantile(0.5, "steno_user_speech_duration_seconds"), "{{source}}"),),
                ),
                Panel(
                    "Length of conversations, median",
                    "s",
                    "Of conversations that ended.",
                    (
                        (
                            (
                                f"histogram_quantile(0.5, sum by (le, source, family)"
                                f" (rate(steno_conversation_duration_seconds_bucket{{{S}}}[15m])))"
                            ),
                            "{{source}} {{family}}",
                        ),
                    ),
                ),
                Panel(
                    "Sessions that are about to end",
                    "none",
                    "Sessions and runs whose deadline is near. Upstream ends them, whoever is speaking.",
                    (
                        (
                            f"sum by (source, kind, within) (steno_sessions_ending{{{S}}}) > 0",
                            "{{source}} {{kind}} {{within}}",
                        ),
                    ),
                ),
                Panel(
                    "Sessions",
                    "none",
                    "Sessions that are known and have not ended.",
                    ((f"sum by (source, kind) (steno_sessions{{{S}}}) > 0", "{{source}} {{kind}}"),),
                ),
                Panel(
                    "Without a connection",
                    "s",
                    "Seconds within 15 minutes in which a source was between two connections, and received nothing.",
                    ((f"sum by (source) (increase(steno_stream_gap_seconds_total{{{S}}}[15m]))", "{{source}}"),),
                    bad=threshold("gap_seconds"),
                ),
                Panel(
                    "Missed events",
                    "none",
                    "Within 15 minutes, by why. Counts and costs of their conversations are too low.",
                    (
                        (
                            f"sum by (source, reason) (increase(steno_missed_events_total{{{S}}}[15m]))",
                            "{{source}} {{reason}}",
                        ),
                    ),
                    bad=1,
                ),
            ),
        ),
    ),
)
