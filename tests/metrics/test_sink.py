"""Facts in, numbers out."""

from typing import Any

from msgspec.structs import replace

from steno.core import facts
from steno.core.billing.prices import parse
from steno.core.facts import CacheWrite, Cost, Fact, Origin, Tokens
from steno.metrics.definitions import CONVERSATION_METRICS, METRICS
from steno.metrics.sink import COUNTERS, Histogram, Metrics, series_of

ORIGIN = Origin(at=0, source="relay", stream="relay/1/1", conversation="relay/1/1", family="realtime")


def response(**changes: object) -> facts.ResponseFinished:
    values: dict[str, object] = {
        "response_id": "resp_1",
        "status": "completed",
        "reason": None,
        "conversation_id": None,
        "model": "gpt-realtime",
        "items": 1,
        "output": (),
        "audio_seconds": None,
        "duration_seconds": 2.0,
        "time_to_first_token_seconds": 0.25,
        "time_to_first_audio_seconds": 0.3,
        "turn_latency_seconds": 0.7,
        "tokens": (),
    }
    return facts.ResponseFinished(**{**values, **changes})  # type: ignore[arg-type]  # a play names what it changes


def told(*said: Fact, label_values: int = 100) -> Metrics:
    metrics = Metrics(label_values)
    for fact in said:
        metrics.emit(ORIGIN, fact)
    return metrics


def numbers(metrics: Metrics) -> dict[str, dict[tuple[str, ...], float]]:
    """What was counted, without what stands at 0."""
    counted = {name: {key: value for key, value in by.items() if value} for name, by in metrics.numbers.items()}
    return {name: values for name, values in counted.items() if values}


def observed(metrics: Metrics) -> dict[str, tuple[int, float]]:
    """Metric to how many observations there are over all labels, and their sum."""
    sums = {
        name: (sum(sum(each.counts) for each in by.values()), sum(each.sum for each in by.values()))
        for name, by in metrics.histograms.items()
    }
    return {name: (count, total) for name, (count, total) in sums.items() if count}


def test_completed_response() -> None:
    """A response that was completed is counted, priced or not, and timed."""
    metrics = told(response(tokens=(Tokens("gpt-realtime", "input", "audio", True, 5),), cost=Cost(usd="0.0000025")))

    assert numbers(metrics) == {
        "steno_responses_total": {("relay", "gpt-realtime", "completed", "none"): 1},
        "steno_tokens_total": {("relay", "realtime", "gpt-realtime", "input", "audio", "true"): 5},
        "steno_cost_usd_total": {("relay", "realtime", "gpt-realtime"): 0.0000025},
    }
    assert observed(metrics) == {"steno_response_duration_seconds": (1, 2.0)}


def started(output: str, **changes: Any) -> facts.ResponseOutputStarted:
    values = {"response_id": "resp_1", "model": "gpt-realtime", "after_seconds": None, **changes}
    return facts.ResponseOutputStarted(output=output, **values)


def test_first_output_is_observed_when_it_happens() -> None:
    """No end of a response is needed for it."""
    metrics = told(
        started("text", after_seconds=0.25),
        started("audio", after_seconds=0.3, turn_latency_seconds=0.7),
    )

    assert observed(metrics) == {
        "steno_time_to_first_token_seconds": (1, 0.25),
        "steno_time_to_first_audio_seconds": (1, 0.3),
        "steno_turn_latency_seconds": (1, 0.7),
    }


def test_interrupted_response_is_counted_and_not_averaged_in() -> None:
    """What a caller cut off says nothing of how long answers take; its tokens are billed all the same."""
    metrics = told(
        response(
            status="cancelled",
            reason="turn_detected",
            tokens=(Tokens("gpt-realtime", "output", "text", False, 3),),
            cost=Cost(unpriced="unknown_model"),
        ),
        facts.ResponseInterrupted(response_id="resp_1", reason="turn_detected", model="gpt-realtime"),
    )

    assert numbers(metrics) == {
        "steno_responses_total": {("relay", "gpt-realtime", "cancelled", "turn_detected"): 1},
        "steno_interruptions_total": {("relay", "gpt-realtime", "turn_detected"): 1},
        "steno_tokens_total": {("relay", "realtime", "gpt-realtime", "output", "text", "false"): 3},
        "steno_unpriced_total": {("relay", "realtime", "unknown_model"): 1},
    }
    assert observed(metrics) == {}


def test_durations_that_are_not_known() -> None:
    """No time is no observation."""
    metrics = told(response(duration_seconds=None), started("text"), started("audio", turn_latency_seconds=0.5))

    assert observed(metrics) == {"steno_turn_latency_seconds": (1, 0.5)}


def test_label_values_are_bounded() -> None:
    """Past its number of values a label says `other`, and those that were known keep their name."""
    metrics = told(*(response(model=f"model-{n}") for n in (1, 2, 3, 4, 1)), label_values=2)

    assert numbers(metrics)["steno_responses_total"] == {
        ("relay", "model-1", "completed", "none"): 2,
        ("relay", "model-2", "completed", "none"): 1,
        ("relay", "other", "completed", "none"): 2,
    }


def test_one_source_does_not_use_up_the_label_values_of_another() -> None:
    """However many models it invents."""
    metrics = Metrics(2)
    for source, model in [("relay", f"model-{n}") for n in range(5)] + [("desk", "a"), ("desk", "b"), ("desk", "c")]:
        metrics.emit(replace(ORIGIN, source=source), response(model=model))

    assert [(source, model) for source, model, *_ in metrics.numbers["steno_responses_total"]] == [
        ("relay", "model-0"),
        ("relay", "model-1"),
        ("relay", "other"),
        ("desk", "a"),
        ("desk", "b"),
        ("desk", "other"),
    ]


def test_priced_models_are_always_shown() -> None:
    """Past the budget under the name of their price, so that invented dates add no series."""
    prices = parse(b'{"gpt-realtime": {"input_cost_per_token": 0.000004}}')
    models = ["invented", "gpt-realtime", "gpt-realtime-2025-08-28", "openai/gpt-realtime-2025-12-15", "invented-too"]
    metrics = Metrics(1, prices)
    for model in models:
        metrics.emit(ORIGIN, response(model=model))

    assert {model: count for (_, model, *_), count in metrics.numbers["steno_responses_total"].items()} == {
        "invented": 1,
        "gpt-realtime": 3,
        "other": 1,
    }


def test_invented_codes_push_out_no_closed_reason() -> None:
    """Codes of failures are upstream's and have a budget. Reasons of a closed list need none."""
    failures = [response(status="failed", reason=f"code-{n}") for n in range(3)]
    cut_off = response(status="cancelled", reason="turn_detected")
    interrupted = facts.ResponseInterrupted(response_id="resp_1", reason="turn_detected", model="gpt-realtime")
    metrics = told(*failures, cut_off, interrupted, label_values=2)

    reasons = [reason for *_, reason in metrics.numbers["steno_responses_total"]]
    assert reasons == ["code-0", "code-1", "other", "turn_detected"]
    assert list(metrics.numbers["steno_interruptions_total"]) == [("relay", "gpt-realtime", "turn_detected")]


def test_no_model_is_unknown() -> None:
    """Where nobody tells the model, the label says so."""
    metrics = told(response(model=None))

    assert list(metrics.numbers["steno_responses_total"]) == [("relay", "unknown", "completed", "none")]


def test_runs_steps_tools_errors_and_limits() -> None:
    """Everything else that has a number."""
    metrics = told(
        facts.RunFinished(
            run_id="run_1", status="completed", reason=None, model="gpt-4o", duration_seconds=3.0, tokens=()
        ),
        facts.RunStepFinished(
            step_id="step_1",
            run_id="run_1",
            kind="tool_calls",
            status="completed",
            reason=None,
            duration_seconds=1.0,
            prompt_tokens=None,
            completion_tokens=None,
        ),
        facts.ToolCallFinished(
            call_id="call_1",
            kind="function",
            name="look_up",
            status="completed",
            duration_seconds=0.2,
            arguments=None,
            output=None,
        ),
        facts.UpstreamErred(code="session_expired", kind=None, message=None),
        facts.RateLimitReported(kind="tokens", limit=100, remaining=60, reset_seconds=1.5),
        facts.RateLimitReported(kind="tokens", limit=100, remaining=40, reset_seconds=1.5),
        facts.ConversationClosed(
            family="realtime",
            reason="disconnected",
            duration_seconds=None,
            events=1,
            responses=0,
            runs=0,
            tokens=(),
        ),
        facts.TranscriptionFinished(
            item_id="item_1",
            status="completed",
            code=None,
            model="whisper-1",
            transcript=None,
            seconds=3.0,
            tokens=(),
            cost=Cost(usd="0.0003"),
        ),
    )

    assert numbers(metrics) == {
        "steno_runs_total": {("relay", "gpt-4o", "completed"): 1},
        "steno_run_steps_total": {("relay", "tool_calls", "completed"): 1},
        "steno_tool_calls_total": {("relay", "function", "look_up", "completed"): 1},
        "steno_upstream_errors_total": {("relay", "realtime", "session_expired"): 1},
        "steno_rate_limit_remaining": {("relay", "tokens"): 40},
        "steno_rate_limit_limit": {("relay", "tokens"): 100},
        "steno_conversations_closed_total": {("relay", "realtime", "disconnected"): 1},
        "steno_cost_usd_total": {("relay", "realtime", "whisper-1"): 0.0003},
    }
    assert observed(metrics) == {
        "steno_run_duration_seconds": (1, 3.0),
        "steno_run_step_duration_seconds": (1, 1.0),
        "steno_tool_call_duration_seconds": (1, 0.2),
    }


def test_a_response_counts_its_tier_its_cache_and_its_reasoning() -> None:
    """Where upstream reports them. A tier of tomorrow is `other`."""
    metrics = told(
        response(service_tier="flex", reasoning_tokens=7, cache_writes=(CacheWrite("30m", 5), CacheWrite("12h", 2))),
        response(service_tier="turbo", reasoning_tokens=0),
        response(),
    )
    of = ("relay", "realtime", "gpt-realtime")

    assert {name: by for name, by in numbers(metrics).items() if name != "steno_responses_total"} == {
        "steno_response_service_tiers_total": {(*of, "flex"): 1, (*of, "other"): 1},
        "steno_reasoning_tokens_total": {of: 7},
        "steno_cache_write_tokens_total": {(*of, "30m"): 5, (*of, "12h"): 2},
    }
    warm_up = told(response(warm_up=True, service_tier="flex", cache_writes=(CacheWrite("30m", 5),)))
    assert warm_up.numbers["steno_response_service_tiers_total"] == {}, "it is no response"
    assert warm_up.numbers["steno_cache_write_tokens_total"][(*of, "30m")] == 5, "and is billed"
    silent = told(response(reasoning_tokens=0))
    assert dict(silent.numbers["steno_cache_write_tokens_total"]) == {(*of, "30m"): 0, (*of, "12h"): 0}


def test_built_in_tools_are_billed_beside_the_tokens_of_a_response() -> None:
    """By the call, or by the tokens of the model that drew."""
    drawn = (Tokens("painter", "output", "image", False, 100),)
    metrics = told(
        facts.ToolCallsBilled(
            response_id="resp_1", kind="web_search", model="sol", calls=3, tokens=(), cost=Cost(usd="0.03")
        ),
        facts.ToolCallsBilled(
            response_id="resp_1",
            kind="image_generation",
            model="painter",
            calls=1,
            tokens=drawn,
            cost=Cost(unpriced="no_usage"),
        ),
    )

    assert numbers(metrics) == {
        "steno_billed_tool_calls_total": {
            ("relay", "realtime", "sol", "web_search"): 3,
            ("relay", "realtime", "painter", "image_generation"): 1,
        },
        "steno_tokens_total": {("relay", "realtime", "painter", "output", "image", "false"): 100},
        "steno_cost_usd_total": {("relay", "realtime", "sol"): 0.03},
        "steno_unpriced_total": {("relay", "realtime", "no_usage"): 1},
    }


def test_playback_answers_a_turn_where_no_audio_is_carried() -> None:
    """On a sideband it is the start of playback that the caller waited for."""
    metrics = told(facts.PlaybackStarted(response_id="resp_1", model="gpt-realtime", turn_latency_seconds=0.9))

    assert observed(metrics) == {"steno_turn_latency_seconds": (1, 0.9)}


def test_bound_belongs_to_its_bucket() -> None:
    """An observation that equals a bound is not above it, as Prometheus has it."""
    histogram = Histogram((0.5, 1.0))
    for value in (0.5, 0.6, 1.0, 1.1):
        histogram.observe(value)

    assert histogram.counts == [1, 2, 1]


def test_facts_without_a_number_are_not_forgotten() -> None:
    """Each fact either has a row in the table, or is known to be for the audit log alone."""
    for_the_log_alone = {
        facts.StreamOpened, facts.StreamClosed, facts.FrameRejected, facts.EventRejected,
        facts.SessionNearsEnd, facts.SessionExpired, facts.SessionCancelled,
        facts.SpeechStarted, facts.InputCommitted,
        facts.InputTimedOut, facts.DtmfReceived, facts.ItemAdded, facts.ItemTruncated, facts.ItemDeleted,
        facts.DeltasDiffered, facts.PlaybackStopped,
        facts.PlaybackCleared, facts.ToolsListed,
        facts.ApprovalRequested, facts.ApprovalGiven, facts.ThreadCreated, facts.ThreadDeleted,
        facts.RunActionRequired,
        facts.RunStepStarted, facts.RunStepAbandoned, facts.MessageFinished,
        facts.SessionPaused, facts.SessionResumed, facts.InputMuted, facts.InputUnmuted, facts.ContextAppended,
        facts.DelegationOpened, facts.CallRang, facts.CallAnswered, facts.CallFailed, facts.DtmfSent,
    }  # fmt: skip

    assert set(facts.NAMES) == for_the_log_alone | set(COUNTERS)
    assert not for_the_log_alone & set(COUNTERS)


def test_names_follow_the_conventions() -> None:
    """One prefix, `_total` on counters alone, base units, and no label that could be an identifier."""
    allowed = {
        "source",
        "family",
        "event",
        "model",
        "tool",
        "direction",
        "modality",
        "cached",
        "status",
        "reason",
        "kind",
        "code",
        "within",
        "state",
        "target",
    }
    for name, row in METRICS.items():
        assert name.startswith("steno_")
        assert name.endswith("_total") == (row.kind == "counter")
        assert set(row.labels) <= allowed | {"version", "limit"}
        assert (row.kind == "histogram") == bool(row.buckets)
        assert list(row.buckets) == sorted(row.buckets)
    assert set(CONVERSATION_METRICS) < set(METRICS)


# Tools ------------------------------------------------------------------------------------------------------------


def finished(kind: str, name: str | None, status: str = "completed") -> facts.ToolCallFinished:
    return facts.ToolCallFinished(
        call_id="call_1", kind=kind, name=name, status=status, duration_seconds=0.5, arguments=None, output=None
    )


def test_a_tool_is_shown_by_its_name() -> None:
    """A function or a tool of an MCP server has the name that the operator gave it; upstream's own are one each."""
    metrics = told(
        finished("function", "book_berth", "failed"),
        finished("mcp", "forecast"),
        finished("mcp", None),
        finished("code_interpreter", None),
        finished("file_search", "anything"),
        finished("other", "web_search"),
    )

    assert numbers(metrics)["steno_tool_calls_total"] == {
        ("relay", "function", "book_berth", "failed"): 1,
        ("relay", "mcp", "forecast", "completed"): 1,
        ("relay", "mcp", "unknown", "completed"): 1,
        ("relay", "code_interpreter", "code_interpreter", "completed"): 1,
        ("relay", "file_search", "file_search", "completed"): 1,
        ("relay", "other", "web_search", "completed"): 1,
    }


def test_invented_tools_are_other() -> None:
    """Upstream may call what nobody declared. Its own tools take no budget."""
    names = ["book_berth", "invented_1", "invented_2", "book_berth"]
    metrics = told(*(finished("function", name) for name in names), finished("file_search", None), label_values=2)

    assert {tool: count for (_, _, tool, _), count in numbers(metrics)["steno_tool_calls_total"].items()} == {
        "book_berth": 2,
        "invented_1": 1,
        "other": 1,
        "file_search": 1,
    }


# At 0 from the start ----------------------------------------------------------------------------------------------


def opened(model: str | None, kind: str = "realtime") -> facts.SessionOpened:
    return facts.SessionOpened(session_id="sess_1", model=model, expires_at=None, kind=kind)


def at_zero(metrics: Metrics) -> dict[str, int]:
    """Metric to how many label sets of it stand at 0."""
    zero = {name: sum(value == 0 for value in by.values()) for name, by in metrics.numbers.items()}
    empty = {name: sum(not any(each.counts) for each in by.values()) for name, by in metrics.histograms.items()}
    return {name: count for name, count in {**zero, **empty}.items() if count}


OF_A_RESPONDING_MODEL = {
    "steno_responses_total": 10,
    "steno_interruptions_total": 7,
    "steno_response_duration_seconds": 1,
    "steno_time_to_first_token_seconds": 1,
    "steno_time_to_first_audio_seconds": 1,
    "steno_turn_latency_seconds": 1,
    "steno_tokens_total": 12,
    "steno_cost_usd_total": 1,
}


def test_a_model_stands_at_0_once_its_session_has_begun() -> None:
    """So that an increase sees the first response that fails, and the first cent."""
    metrics = told(opened("gpt-realtime"), opened("gpt-realtime"))

    assert at_zero(metrics) == OF_A_RESPONDING_MODEL
    assert metrics.numbers["steno_responses_total"]["relay", "gpt-realtime", "failed", "unknown"] == 0
    assert metrics.numbers["steno_interruptions_total"]["relay", "gpt-realtime", "failed"] == 0


def test_a_session_that_names_no_model_begins_none() -> None:
    """Its first response does, whatever that is called."""
    metrics = told(opened(None))
    assert at_zero(metrics) == {}

    metrics.emit(ORIGIN, facts.ResponseStarted(response_id="resp_1", conversation_id=None, model=None))
    assert at_zero(metrics) == OF_A_RESPONDING_MODEL


def test_a_session_that_transcribes_has_no_responses() -> None:
    assert at_zero(told(opened("whisper-1", "transcription"))) == {"steno_tokens_total": 12, "steno_cost_usd_total": 1}


def test_runs_and_tools_stand_at_0_once_they_are_seen() -> None:
    metrics = told(
        facts.RunStarted(run_id="run_1", assistant_id=None, model="gpt-4o"),
        facts.ToolCallStarted(call_id="call_1", kind="function", name="book_berth"),
    )

    assert at_zero(metrics) == {
        "steno_runs_total": 5,
        "steno_run_duration_seconds": 1,
        "steno_run_queue_seconds": 1,
        "steno_run_action_seconds": 1,
        "steno_tool_calls_total": 3,
        "steno_tool_call_duration_seconds": 1,
        "steno_tokens_total": 12,
        "steno_cost_usd_total": 1,
    }


def test_what_was_counted_before_is_not_set_to_0() -> None:
    """A response may be the first thing that is seen of a model."""
    metrics = told(response(), facts.ResponseStarted(response_id="resp_2", conversation_id=None, model="gpt-realtime"))

    assert numbers(metrics)["steno_responses_total"] == {("relay", "gpt-realtime", "completed", "none"): 1}


# limits.series ----------------------------------------------------------------------------------------------------


def test_past_the_series_counts_are_other_and_none_is_lost() -> None:
    """Of each metric the sum over the models stays right, and so does that over the tools."""
    metrics = Metrics(1_000, series=40)
    for number in range(20):
        metrics.emit(ORIGIN, response(model=f"model-{number}", status="failed", reason=f"code-{number}"))
        metrics.emit(ORIGIN, finished("function", f"tool_{number}"))
        metrics.emit(ORIGIN, facts.UpstreamErred(code=f"code_{number}", kind=None, message=None))

    counted = numbers(metrics)
    names = ("steno_responses_total", "steno_tool_calls_total", "steno_upstream_errors_total")
    assert {name: sum(counted[name].values()) for name in names} == dict.fromkeys(names, 20)
    assert counted["steno_responses_total"]["relay", "other", "failed", "other"] > 10
    assert counted["steno_tool_calls_total"]["relay", "function", "other", "completed"] > 10
    assert counted["steno_upstream_errors_total"]["relay", "realtime", "other"] > 10
    assert (
        sum(histogram.counts[3] for histogram in metrics.histograms["steno_tool_call_duration_seconds"].values()) == 20
    )
    assert counted["steno_series_dropped_total"]["relay",] > 30


def test_zeros_take_half_of_the_series_at_most() -> None:
    """However many models are named, there is room for some that answer."""
    metrics = Metrics(1_000, series=400)
    for number in range(50):
        metrics.emit(ORIGIN, opened(f"named-{number}"))
    metrics.emit(ORIGIN, response(model="answers"))

    histograms = sum((len(by) * series_of(name)) for name, by in metrics.histograms.items())
    zeros = sum(value == 0 for by in metrics.numbers.values() for value in by.values())
    assert 150 < histograms + zeros <= 200 + series_of("steno_response_duration_seconds")
    assert numbers(metrics)["steno_responses_total"] == {("relay", "answers", "completed", "none"): 1}


def test_series_that_are_there_go_on_when_there_is_no_more_room() -> None:
    """And what has no word of upstream's in it is always let in."""
    metrics = Metrics(1_000, series=1)
    for code in ("a", "b", "a"):
        metrics.emit(ORIGIN, facts.UpstreamErred(code=code, kind=None, message=None))
    metrics.emit(replace(ORIGIN, source="desk"), facts.ConversationOpened(family="realtime"))

    assert numbers(metrics) == {
        "steno_upstream_errors_total": {("relay", "realtime", "a"): 2, ("relay", "realtime", "other"): 1},
        "steno_series_dropped_total": {("relay",): 1},
        "steno_conversations_opened_total": {("desk", "realtime"): 1},
    }


def test_a_source_named_after_an_outcome_folds_as_any_other() -> None:
    """The reason of a response is upstream's word where it failed, and by no other label."""
    metrics = Metrics(1_000, series=1)
    metrics.emit(replace(ORIGIN, source="failed"), response(model="a"))
    metrics.emit(replace(ORIGIN, source="failed"), response(model="b"))

    assert sorted(numbers(metrics)["steno_responses_total"]) == [
        ("failed", "a", "completed", "none"),
        ("failed", "other", "completed", "none"),
    ]
