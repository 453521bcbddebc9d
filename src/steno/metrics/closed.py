"""The label sets that are known before anything is counted under them.

They stand at 0, since Prometheus takes a series that appears with a 1 for one that always was: `increase` would miss
the first response that failed, the first call that was evicted, the first event that was lost.

Two kinds: what is closed for every source is there from its beginning (`of_source`). What is closed but for a word that
upstream chooses, a model or a tool, is there once the word was first seen (`OF_WORDS`).
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final, get_args

from steno.core import facts
from steno.core.endings import Closing
from steno.core.family import Family
from steno.core.vocabulary import (
    CALL_ENDS,
    DELEGATION_ENDS,
    DELEGATION_TARGETS,
    INTERRUPTIONS,
    RUN_ENDS,
    SESSION_ENDS,
    STEP_ENDS,
    STEP_KINDS,
    TOOL_KINDS,
)
from steno.metrics.labels import Labels

LabelSets = Mapping[str, tuple[Labels, ...]]
"""Metric to the values of its labels, without the source and the word that upstream chose, which come first."""

SESSION_KINDS: Final = ("realtime", "transcription", "translation", "client_secret", "chatkit", "responses", "live")
METERED_KINDS: Final = ("translation", "live")
"""Kinds of sessions that are billed as a whole, so that their end is one."""
CALL_KINDS: Final = (*sorted(TOOL_KINDS), "other")
_UNSAID: Final = ("unknown", "other")
_CUT_OFF: Final = {
    "cancelled": ("turn_detected", "client_cancelled", *_UNSAID),
    "incomplete": ("max_output_tokens", "content_filter", *_UNSAID),
    "failed": ("unknown",),
}
_MODALITIES: Final = ("text", "audio", "image", "unknown")
_NOTHING_MORE: Final[tuple[Labels, ...]] = ((),)

OF_RESPONSES: Final[LabelSets] = {
    "steno_responses_total": (
        ("completed", "none"),
        *((status, reason) for status, reasons in _CUT_OFF.items() for reason in reasons),
    ),
    "steno_interruptions_total": tuple((reason,) for reason in (*sorted(INTERRUPTIONS), "failed", *_UNSAID)),
    "steno_response_duration_seconds": _NOTHING_MORE,
    "steno_time_to_first_token_seconds": _NOTHING_MORE,
    "steno_time_to_first_audio_seconds": _NOTHING_MORE,
    "steno_turn_latency_seconds": _NOTHING_MORE,
}
"""Of a model that gives responses."""

OF_RUNS: Final[LabelSets] = {
    "steno_runs_total": tuple((status,) for status in sorted(RUN_ENDS)),
    "steno_run_duration_seconds": _NOTHING_MORE,
    "steno_run_queue_seconds": _NOTHING_MORE,
    "steno_run_action_seconds": _NOTHING_MORE,
}
"""Of a model that runs."""

OF_TOOLS: Final[LabelSets] = {
    "steno_tool_calls_total": tuple((status,) for status in (*sorted(CALL_ENDS), "abandoned")),
    "steno_tool_call_duration_seconds": _NOTHING_MORE,
}
"""Of a tool of one kind."""

OF_USAGES: Final[LabelSets] = {
    "steno_tokens_total": (
        *(("input", modality, cached) for modality in _MODALITIES for cached in ("false", "true")),
        *(("output", modality, "false") for modality in _MODALITIES),
    ),
    "steno_cost_usd_total": _NOTHING_MORE,
}
"""Of a model that is billed in one family."""


OF_SESSIONS: Final[LabelSets] = {
    "steno_live_seconds_total": (("active",), ("paused",)),
    "steno_double_talk_seconds_total": _NOTHING_MORE,
    "steno_turn_latency_seconds": _NOTHING_MORE,
}
"""Of a model that speaks all the time and is billed by that."""

OF_DETAILS: Final[LabelSets] = {
    "steno_cache_write_tokens_total": (("30m",), ("12h",)),
    "steno_reasoning_tokens_total": _NOTHING_MORE,
}
"""Of a model whose responses report what their tokens were for."""

OF_CHAINS: Final[LabelSets] = {
    "steno_responses_total": (("incomplete", "steered"), ("incomplete", "max_messages")),
    "steno_interruptions_total": (("steered",), ("max_messages",)),
    "steno_resent_tokens_total": (("true",), ("false",)),
    "steno_tool_rounds": _NOTHING_MORE,
    "steno_chain_answer_seconds": _NOTHING_MORE,
    "steno_warm_ups_total": _NOTHING_MORE,
    "steno_refusals_total": _NOTHING_MORE,
}
"""Of a model whose responses follow one another."""

OF_LANES: Final[LabelSets] = {
    "steno_responses_in_flight": _NOTHING_MORE,
    "steno_response_gap_seconds": (("tool_calls",), ("answer",), ("cut_off",)),
    "steno_steers_total": (("accepted",), ("pending",), ("failed",)),
}
"""Of a source whose connections have several responses in progress."""

OF_WORDS: Final[Mapping[str, LabelSets]] = {
    "responses": OF_RESPONSES,
    "runs": OF_RUNS,
    "tools": OF_TOOLS,
    "usages": OF_USAGES,
    "sessions": OF_SESSIONS,
    "details": OF_DETAILS,
    "chains": OF_CHAINS,
    "lanes": OF_LANES,
}
"""What a word of upstream's is used for, and what is there once it was first seen."""


def of_source(families: Iterable[Family]) -> LabelSets:
    """Return what every source has from its beginning."""
    known = tuple(families)
    names = tuple(family.name for family in known)
    return {
        "steno_events_total": tuple((name, "other") for name in names),
        "steno_events_rejected_total": tuple((reason,) for reason in facts.REJECTED),
        "steno_missed_events_total": tuple((reason,) for reason in sorted(facts.MISSING)),
        "steno_stream_gap_seconds_total": _NOTHING_MORE,
        "steno_facts_omitted_total": _NOTHING_MORE,
        "steno_series_dropped_total": _NOTHING_MORE,
        "steno_conversations": tuple((name,) for name in names),
        "steno_conversations_opened_total": tuple((name,) for name in names),
        "steno_conversations_closed_total": tuple(product(names, get_args(Closing))),
        "steno_conversation_duration_seconds": tuple((name,) for name in names),
        "steno_sessions": tuple((kind,) for kind in SESSION_KINDS),
        "steno_sessions_ending": tuple(product((*SESSION_KINDS, "run"), ("60s", "300s"))),
        "steno_unanswered_turns_total": _NOTHING_MORE,
        "steno_user_speech_duration_seconds": _NOTHING_MORE,
        "steno_sessions_closed_total": tuple(product(METERED_KINDS, (*sorted(SESSION_ENDS), "unconfirmed", *_UNSAID))),
        "steno_delegations_total": tuple(product((*sorted(DELEGATION_TARGETS), "other"), sorted(DELEGATION_ENDS))),
        "steno_delegation_duration_seconds": tuple((target,) for target in (*sorted(DELEGATION_TARGETS), "other")),
        "steno_tool_calls_open": tuple((kind,) for kind in CALL_KINDS),
        "steno_run_steps_total": tuple(product((*sorted(STEP_KINDS), "other"), sorted(STEP_ENDS))),
        "steno_unpriced_total": tuple(product(names, facts.UNPRICED)),
        "steno_upstream_errors_total": tuple((family.name, code) for family in known for code in family.error_codes),
    }
