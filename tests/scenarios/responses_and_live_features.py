"""The features of the scenarios of Responses and Live, as predicates over their events."""

from collections.abc import Callable, Mapping
from itertools import pairwise

from tests.simulate.shapes import Event

Events = list[Event]


def _of(events: Events, kind: str) -> Events:
    return [event for event in events if event["type"] == kind]


def _responses(events: Events, kind: str) -> Events:
    return [event["response"] for event in _of(events, f"response.{kind}")]


def _sequences(events: Events) -> list[int]:
    return [event["sequence_number"] for event in events if "sequence_number" in event]


def _seconds(events: Events) -> list[float]:
    return [event["usage"]["seconds"] for event in _of(events, "session.usage.updated")]


RESPONSES: Mapping[str, Callable[[Events], bool]] = {
    "chain_without_a_link": lambda t: (
        [each["previous_response_id"] for each in _responses(t, "completed")] == [None, None]
    ),
    "lanes_mixed": lambda t: (
        len({event["stream_id"] for event in t}) == 2 and len(set(_sequences(t))) < len(_sequences(t))
    ),
    "steered": lambda t: (
        _responses(t, "incomplete")[0]["id"] == _responses(t, "completed")[0]["previous_response_id"]
        and _responses(t, "incomplete")[0]["incomplete_details"] == {"reason": "steered"}
    ),
    "warm_up": lambda t: _responses(t, "completed")[0]["output"] == [] and len(t) == 3,
    "refused_chain": lambda t: [event["error"]["code"] for event in t] == ["previous_response_not_found"],
    "refusal": lambda t: bool(_of(t, "response.refusal.done")),
    "failure_after_an_error": lambda t: [event["type"] for event in t[-2:]] == ["error", "response.failed"],
    "archived_without_sequence": lambda t: not any("sequence_number" in event or "event_id" in event for event in t),
    "stream_resumed": lambda t: any(later < earlier for earlier, later in pairwise(_sequences(t))),
    "rate_limits_of_agents": lambda t: t[0]["type"] == "codex.rate_limits",
    "connection_cap": lambda t: t[-1]["error"]["code"] == "websocket_connection_limit_reached",
    "broken_off_in_a_call": lambda t: t[-1]["type"] == "response.function_call_arguments.delta",
}

LIVE_CALLS: Mapping[str, Callable[[Events], bool]] = {
    "live_standby": lambda t: 0 < t[-1]["usage"]["paused_seconds"] < t[-1]["usage"]["active_seconds"],
    "live_keys": lambda t: (
        len(_of(t, "transport.dtmf.sent")) == len(_of(t, "transport.dtmf.received")) == 1
        and bool(_of(t, "transport.answered"))
    ),
    "live_cut_off": lambda t: not _of(t, "session.closed") and len(_seconds(t)) == 1,
    "live_usage_goes_back": lambda t: any(later < earlier for earlier, later in pairwise(_seconds(t))),
    "live_backend_of_no_delegation": lambda t: (
        bool(_of(t, "response.event")) and not any("delegation_id" in event for event in t)
    ),
    "live_decisions": lambda t: len(_of(t, "decision.event")) == len(_of(t, "session.delegation.created")) == 2,
}
