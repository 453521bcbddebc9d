"""The feature of each scenario, as a predicate over its events."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from tests.scenarios.responses_and_live_features import LIVE_CALLS, RESPONSES
from tests.simulate.shapes import Event

Events = list[Event]

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def of(events: Events, kind: str) -> Events:
    """The events of a type, or with the name of an Assistants event."""
    return [event for event in events if kind in (event.get("type"), event.get("event"))]


def kinds(events: Events) -> list[str]:
    return [str(event.get("type", event.get("event"))) for event in events]


def at(events: Events, kind: str) -> int:
    """The index of the last event of a type."""
    return max(n for n, event in enumerate(events) if kind in (event.get("type"), event.get("event")))


def ends(events: Events) -> Events:
    return [event["response"] for event in of(events, "response.done")]


def ended(events: Events, status: str, reason: str) -> bool:
    (response,) = ends(events)
    return (response["status"], response["status_details"]) == (status, {"type": status, "reason": reason})


def items(events: Events, kind: str) -> Events:
    """The ended items of a kind."""
    return [event["item"] for event in of(events, "conversation.item.done") if event["item"]["type"] == kind]


def codes(events: Events) -> list[str | None]:
    return [event["error"]["code"] for event in of(events, "error")]


def data(events: Events, kind: str) -> Events:
    return [event["data"] for event in of(events, kind)]


def alternate(events: Events, kind: str, member: str) -> bool:
    """Whether the deltas of different items or messages alternate."""
    owners = [event.get("data", event)[member] for event in of(events, kind)]
    return len(set(owners)) > 1 and sum(a != b for a, b in pairwise(owners)) > 1


def grown(events: Events, kind: str) -> str:
    return "".join(event["delta"] for event in of(events, kind))


def repeated(events: Events) -> int:
    return sum(count - 1 for count in Counter(event.get("event_id") for event in events).values())


def _no_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def _tool_deltas(events: Events) -> list[Any]:
    steps = data(events, "thread.run.step.delta")
    return [call for step in steps for call in step["delta"]["step_details"]["tool_calls"]]


def _sequence(events: Events) -> list[int]:
    return [int(event["sequence"]) for event in events]


def _identities(events: Events) -> Counter[tuple[str, str]]:
    return Counter((event["source"], event["id"]) for event in events)


REALTIME: Mapping[str, Callable[[Events], bool]] = {
    "response_done_without_created": lambda t: (
        not of(t, "response.created") and ends(t)[0]["usage"]["output_tokens"] > 0
    ),
    "response_that_no_one_created": lambda t: (
        not of(t, "response.created") and grown(t, "response.output_text.delta") == "Yes, until six."
    ),
    "failed_only_in_response_done": lambda t: (
        ends(t)[0]["status"] == "failed" and ends(t)[0]["output"][0]["status"] == "completed" and not of(t, "error")
    ),
    "cancelled_before_output": lambda t: (
        ended(t, "cancelled", "turn_detected")
        and (ends(t)[0]["output"], ends(t)[0]["usage"]["total_tokens"]) == ([], 0)
    ),
    "cancelled_during_playback": lambda t: (
        ended(t, "cancelled", "turn_detected")
        and ends(t)[0]["output"][0]["status"] == "completed"
        and at(t, "conversation.item.truncated") > at(t, "response.done")
    ),
    "cancelled_by_the_client": lambda t: ended(t, "cancelled", "client_cancelled"),
    "cut_by_the_content_filter": lambda t: ended(t, "incomplete", "content_filter"),
    "max_output_tokens_as_number_and_word": lambda t: (
        ended(t, "incomplete", "max_output_tokens")
        and {event["session"]["max_output_tokens"] for event in t if "session" in event} == {"inf", 20}
        and ends(t)[0]["usage"]["output_tokens"] == 20
    ),
    "parallel_responses": lambda t: (
        at(t, "response.created") < min(n for n, kind in enumerate(kinds(t)) if kind == "response.done")
        and [(r["conversation_id"] is None, r["metadata"]) for r in ends(t)]
        == [(True, {"topic": "mood"}), (False, None)]
    ),
    "interleaved_messages": lambda t: alternate(t, "response.output_text.delta", "item_id"),
    "two_spoken_items": lambda t: len(ends(t)[0]["output"]) == 2,
    "deltas_that_differ": lambda t: (
        grown(t, "response.output_text.delta") != ends(t)[0]["output"][0]["content"][0]["text"]
    ),
    "repeated_response_done": lambda t: ends(t)[0]["id"] == ends(t)[1]["id"] and repeated(t) == 0,
    "truncated_after_the_end": lambda t: (
        at(t, "conversation.item.truncated") > at(t, "response.done") and ends(t)[0]["status"] == "completed"
    ),
}

INPUT: Mapping[str, Callable[[Events], bool]] = {
    "late_transcription": lambda t: at(t, TRANSCRIBED) > at(t, "response.done"),
    "transcriptions_out_of_order": lambda t: (
        [event["item_id"] for event in of(t, TRANSCRIBED)]
        == [event["item_id"] for event in of(t, "input_audio_buffer.committed")][::-1]
    ),
    "repeated_transcription": lambda t: (
        [{**event, "event_id": 0} for event in of(t, TRANSCRIBED)][::-1]
        == [{**event, "event_id": 0} for event in of(t, TRANSCRIBED)]
        and len(of(t, TRANSCRIBED)) == 2
    ),
    "cumulative_transcription": lambda t: (
        [(event["status"], event["transcript"]) for event in of(t, TRANSCRIBED)]
        == [("in_progress", "Are"), ("in_progress", "Are you"), ("completed", "Are you open?")]
    ),
    "corrected_transcription": lambda t: len({event["transcript"] for event in of(t, TRANSCRIBED)}) == 2,
    "failed_transcription": lambda t: (
        of(t, "conversation.item.input_audio_transcription.failed")[0]["error"]["code"] == "DeploymentNotFound"
        and not of(t, TRANSCRIBED)
    ),
    "transcription_without_usage": lambda t: "usage" not in of(t, TRANSCRIBED)[0],
    "diarized_transcription": lambda t: (
        {event["speaker"] for event in of(t, "conversation.item.input_audio_transcription.segment")} == {"A", "B"}
    ),
    "push_to_talk": lambda t: (
        len(of(t, "input_audio_buffer.committed")) == 1 and not any("speech" in kind for kind in kinds(t))
    ),
    "idle_timeout": lambda t: at(t, "input_audio_buffer.timeout_triggered") < at(t, "response.created"),
    "input_cleared": lambda t: (
        at(t, "input_audio_buffer.cleared") > 0 and "input_audio_buffer.committed" not in kinds(t)
    ),
    "item_retrieved": lambda t: (
        max(t, key=lambda event: len(json.dumps(event)))["item"]["content"][0]["audio"] != ""
        and at(t, "conversation.item.retrieved") == len(t) - 1
    ),
    "item_deleted": lambda t: (
        of(t, "conversation.item.deleted")[0]["item_id"] in [item["id"] for item in items(t, "message")]
    ),
    "item_inserted": lambda t: (
        of(t, "conversation.item.added")[-1]["previous_item_id"] == of(t, "conversation.item.added")[0]["item"]["id"]
    ),
}

TOOLS: Mapping[str, Callable[[Events], bool]] = {
    "tool_only_response": lambda t: (
        [[item["type"] for item in r["output"]] for r in ends(t)] == [["function_call"], ["message"]]
    ),
    "interleaved_items": lambda t: (
        [item["type"] for item in ends(t)[0]["output"]] == ["message", "function_call"]
        and at(t, "response.output_item.added") < at(t, "response.content_part.done")
    ),
    "tool_that_never_answers": lambda t: len(items(t, "function_call")) == 1 and not items(t, "function_call_output"),
    "output_before_the_end": lambda t: at(t, "conversation.item.done") < at(t, "response.done"),
    "arguments_cut_by_cancellation": lambda t: (
        _no_json(ends(t)[0]["output"][0]["arguments"])
        and (ends(t)[0]["status"], ends(t)[0]["output"][0]["status"]) == ("cancelled", "incomplete")
    ),
    "mcp_tools_listed": lambda t: kinds(t)[-1] == "mcp_list_tools.completed" and len(t[-2]["item"]["tools"]) == 1,
    "mcp_tools_not_listed": lambda t: kinds(t)[-1] == "mcp_list_tools.failed" and t[-2]["item"]["tools"] == [],
    "mcp_call_completed": lambda t: (
        "response_id" not in of(t, "response.mcp_call.completed")[0] and ends(t)[0]["output"][0]["output"] is not None
    ),
    "mcp_call_failed": lambda t: (
        len(of(t, "response.mcp_call.failed")) == 1 and ends(t)[0]["output"][0]["error"]["type"] == "http_error"
    ),
    "mcp_approval": lambda t: (
        items(t, "mcp_approval_request")[0]["id"]
        == items(t, "mcp_approval_response")[0]["approval_request_id"]
        == items(t, "mcp_call")[0]["approval_request_id"]
    ),
}

SESSIONS: Mapping[str, Callable[[Events], bool]] = {
    "cancel_of_nothing": lambda t: (
        codes(t) == ["response_cancel_not_active"] and at(t, "response.done") < at(t, "error") < len(t) - 1
    ),
    "response_while_one_is_active": lambda t: (
        codes(t) == ["conversation_already_has_active_response"]
        and at(t, "response.created") < at(t, "error") < at(t, "response.done")
    ),
    "truncate_rejected": lambda t: codes(t) == [None] and "already shorter" in t[-1]["error"]["message"],
    "commit_of_nothing": lambda t: codes(t) == ["input_audio_buffer_commit_empty"],
    "insufficient_quota": lambda t: (
        codes(t) == ["insufficient_quota"]
        and [r["status_details"]["error"]["code"] for r in ends(t)] == ["insufficient_quota"] * 2
    ),
    "session_cap": lambda t: codes(t) == ["session_expired"] and t[-1]["error"]["event_id"] is None,
    "session_cap_without_error": lambda t: not of(t, "error"),
    "broken_off": lambda t: kinds(t)[-1] == "response.created",
    "beta_refused": lambda t: codes(t) == ["beta_api_shape_disabled"] and len(t) == 1,
    "second_session": lambda t: len({event["session"]["id"] for event in of(t, "session.created")}) == 2,
    "resumed_conversation": lambda t: (
        len({event["session"]["id"] for event in of(t, "session.created")}) == 2
        and len({event["response"]["conversation_id"] for event in t if "response" in event}) == 1
    ),
    "rate_limits_empty": lambda t: t[-1]["rate_limits"] == [],
    "rate_limits_of_beta": lambda t: (
        [limit["name"] for limit in t[-1]["rate_limits"]] == ["requests", "tokens"] and not of(t, "response.done")
    ),
    "transcription_session": lambda t: (
        kinds(t)[:2] == ["transcription_session.created", "transcription_session.updated"]
        and "model" not in t[0]["session"]
    ),
}

DIALECTS: Mapping[str, Callable[[Events], bool]] = {
    "beta_names": lambda t: (
        {"response.audio.delta", "response.audio_transcript.done", "conversation.item.created"} <= set(kinds(t))
        and not any("output_audio" in kind or kind.endswith("item.done") for kind in kinds(t) if "_item" not in kind)
    ),
    "voice_live": lambda t: (
        all(isinstance(event[part]["voice"], dict) for event in t for part in ("session", "response") if part in event)
        and "usage" not in of(t, TRANSCRIBED)[0]
        and next(iter(t[0])) == "event_id"
    ),
    "xai_like": lambda t: (
        of(t, "response.done")[0]["usage"]["total_tokens"] > 0
        and ends(t)[0]["usage"] == {}
        and ends(t)[0]["status_details"] == "unimplemented"
        and "conversation_id" not in ends(t)[0]
        and len(of(t, "ping")) == 1
    ),
    "azure": lambda t: (
        all(event["content"] == event["part"] for event in t if "part" in event) and not of(t, "rate_limits.updated")
    ),
    "custom_voice": lambda t: t[-1]["response"]["audio"]["output"]["voice"] == {"id": "voice_1"},
    "sideband": lambda t: (
        not {"session.created", "response.output_audio.delta"} & set(kinds(t))
        and {f"output_audio_buffer.{how}" for how in ("started", "stopped", "cleared")} <= set(kinds(t))
    ),
    "dtmf": lambda t: all("event_id" not in event for event in t[-3:]) and t[-1]["type"].startswith(" input"),
    "without_event_ids": lambda t: not any("event_id" in event for event in t),
    "duplicate_events": lambda t: repeated(t) > 2 and len({json.dumps(event) for event in t}) == len(t) - repeated(t),
    "repeated_client_ids": lambda t: (
        [event["error"]["event_id"] for event in of(t, "error")] == ["mine", "mine"] and repeated(t) == 0
    ),
    "unknown_event_types": lambda t: {"session.presence.updated", "RESPONSE.DONE"} <= set(kinds(t)),
    "responses_api_events": lambda t: (
        [event["type"] for event in t if "sequence_number" in event][:1] == ["response.created"]
    ),
    "chatkit_names": lambda t: len(of(t, "thread.created")) == 1 and "event" not in of(t, "thread.created")[0],
}

ASSISTANTS: Mapping[str, Callable[[Events], bool]] = {
    "run_completed_says_incomplete": lambda t: data(t, "thread.run.completed")[0]["status"] == "incomplete",
    "completed_with_incomplete_details": lambda t: (
        data(t, "thread.run.completed")[0]["incomplete_details"] == {"reason": "max_prompt_tokens"}
    ),
    "message_incomplete": lambda t: (
        data(t, "thread.message.incomplete")[0]["incomplete_details"] == {"reason": "content_filter"}
    ),
    "run_cancelled": lambda t: at(t, "thread.run.cancelling") < at(t, "thread.run.cancelled"),
    "run_expired": lambda t: (
        data(t, "thread.run.requires_action")[0]["expires_at"] is not None
        and kinds(t)[-1] == "thread.run.expired"
        and not of(t, "thread.run.completed")
    ),
    "error_without_done": lambda t: list(t[-1]["data"]) == ["error"] and not of(t, "done"),
    "failed_by_a_tool": lambda t: data(t, "thread.run.failed")[0]["last_error"]["code"] == "tool_user_error",
    "step_across_streams": lambda t: (
        at(t, "thread.run.requires_action")
        < kinds(t).index("thread.run.step.completed")
        < at(t, "thread.run.step.created")
    ),
    "interleaved_threads": lambda t: (
        alternate(t, "thread.message.delta", "id") and "thread_id" not in data(t, "thread.message.delta")[0]
    ),
    "interleaved_tool_calls": lambda t: (
        [call["index"] for call in _tool_deltas(t)] == [0, 1, 2] * (len(_tool_deltas(t)) // 3)
        and ["id" in call for call in _tool_deltas(t)] == [True] * 3 + [False] * (len(_tool_deltas(t)) - 3)
    ),
    "sparse_run": lambda t: t[0]["data"]["instructions"] is None and "parallel_tool_calls" not in t[0]["data"],
    "results_only_at_the_end": lambda t: (
        _tool_deltas(t)[0]["file_search"]["results"] == []
        and data(t, "thread.run.step.completed")[0]["step_details"]["tool_calls"][0]["file_search"]["results"] != []
    ),
    "message_deltas_that_differ": lambda t: (
        "".join(each["delta"]["content"][0]["text"]["value"] for each in data(t, "thread.message.delta"))
        != data(t, "thread.message.completed")[0]["content"][0]["text"]["value"]
    ),
    "bare_objects": lambda t: (
        [event["object"] for event in t] == ["thread", "thread.run", "thread.message", "thread.message"]
        and "status" not in t[-1]
    ),
}

ENVELOPES: Mapping[str, Callable[[Events], bool]] = {
    "cloud_events": lambda t: (
        {event["subject"] for event in t} == {"call-a", "call-b", "desk-1"}
        and _sequence(t) == list(range(1, len(t) + 1))
    ),
    "cloud_events_with_a_gap": lambda t: _sequence(t) == [1, 2, 5, 6, 7],
    "cloud_events_twice": lambda t: sorted(_identities(t).values()) == [1] * (len(t) - 4) + [2, 2],
    "cloud_event_ids_of_two_sources": lambda t: (
        max(_identities(t).values()) == 1 and max(Counter(event["id"] for event in t).values()) == 2
    ),
    "cloud_event_of_another_century": lambda t: (
        {"1936-01-01T00:00:00Z", "half past ten"} <= {event["time"] for event in t}
    ),
    "cloud_events_without_subject": lambda t: not any("subject" in event for event in t),
    "beta_session_reply": lambda t: set(t[0]["client_secret"]) == {"value", "expires_at"},
    "client_secret_reply": lambda t: t[0]["session"]["expires_at"] == 0 < t[0]["expires_at"],
    "chatkit_session": lambda t: [event["status"] for event in t] == ["active", "expired"],
}

HOSTILE: Mapping[str, Callable[[Events], bool]] = {
    "malformed_frames": lambda t: t == [{}] * 8,
    "drifted_members": lambda t: isinstance(t[-1]["response"]["usage"]["total_tokens"], str),
    "identifiers_of_wrong_types": lambda t: isinstance(t[0]["response"]["id"], int),
    "nested_brackets": lambda t: json.dumps(t[0]).count("[") + 1 == 201,
    "long_type_name": lambda t: len(t[0]["type"]) == 20_000,
    "many_unknown_types": lambda t: len(set(kinds(t))) == 5_000,
    "deltas_for_unknown_responses": lambda t: (
        not of(t, "response.created") and len([event for event in t if "response_id" in event]) == 4
    ),
    "indices_out_of_this_world": lambda t: {-1, 2**63} < {event.get("content_index") for event in t},
}

LIVE: Mapping[str, Callable[[Events], bool]] = {
    "live_call": lambda e: (
        [each["event"]["type"] for each in of(e, "response.event") if "response" in each["event"]]
        == ["response.created", "response.completed"] * 2
    ),
    "live_double_talk": lambda e: (
        of(e, "session.output_transcript.delta")[0]["start_ms"]
        < max(each["end_ms"] for each in of(e, "session.input_transcript.delta")[:8])
        and not of(e, "session.closed")
    ),
    "live_telephone": lambda e: [each["reason"] for each in of(e, "session.closed")] == ["remote_hangup"],
    "live_call_that_is_not_made": lambda e: kinds(e)[-2:] == ["transport.failed", "session.closed"],
}

FEATURES: Mapping[str, Callable[[Events], bool]] = {
    **REALTIME,
    **INPUT,
    **TOOLS,
    **SESSIONS,
    **DIALECTS,
    **ASSISTANTS,
    **LIVE,
    **LIVE_CALLS,
    **RESPONSES,
    **ENVELOPES,
    **HOSTILE,
}
