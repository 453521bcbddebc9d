"""What the plays about responses share: events of one response, numbered as upstream numbers them."""

import itertools
from typing import Any

from tests.core.helpers import Event

MODEL = "gpt-5"


def usage(put: int, got: int, cached: int = 0, reasoning: int = 0) -> Event:
    """What a response was billed by."""
    return {
        "input_tokens": put,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": got,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": put + got,
    }


def response(key: str, status: str = "in_progress", **members: Any) -> Event:
    """A response object."""
    return {"id": key, "object": "response", "status": status, "model": MODEL, "output": [], "usage": None, **members}


class Told:
    """The events of one response, on a lane or on none."""

    def __init__(self, key: str = "resp_1", lane: str | None = None, **members: Any) -> None:
        """Begin before its first event; `members` are those of its object."""
        self.key = key
        self.lane = lane
        self.members = members
        self.numbers = itertools.count()

    def event(self, kind: str, **members: Any) -> Event:
        """An event of the response."""
        lane = {} if self.lane is None else {"stream_id": self.lane}
        return {"type": f"response.{kind}", **members, "sequence_number": next(self.numbers), **lane}

    def created(self, **members: Any) -> Event:
        """`response.created`."""
        return self.event("created", response=response(self.key, **{**self.members, **members}))

    def ended(self, status: str = "completed", *output: Event, **members: Any) -> Event:
        """The event that ends it."""
        whole = response(self.key, status, **{**self.members, "output": list(output), **members})
        return self.event(status, response=whole)

    def added(self, item: Event, index: int = 0) -> Event:
        """`response.output_item.added`."""
        return self.event("output_item.added", output_index=index, item=item)

    def done(self, item: Event, index: int = 0) -> Event:
        """`response.output_item.done`."""
        return self.event("output_item.done", output_index=index, item=item)

    def delta(self, piece: str, kind: str = "output_text", item: str = "msg_1", **members: Any) -> Event:
        """A delta."""
        place = {"item_id": item, "output_index": 0, "content_index": 0}
        return self.event(f"{kind}.delta", **{**place, **members}, delta=piece)

    def about(self, kind: str, item: str, **members: Any) -> Event:
        """An event of an item."""
        return self.event(kind, item_id=item, output_index=0, **members)


def message(key: str = "msg_1", text: str = "Hi.", **members: Any) -> Event:
    """The final form of a message."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": key, "type": "message", "status": "completed", "role": "assistant", "content": content, **members}


def call(key: str = "fc_1", call_id: str = "call_1", arguments: str = "{}", **members: Any) -> Event:
    """The final form of a function call."""
    whole = {"id": key, "type": "function_call", "status": "completed", "name": "look_up", "call_id": call_id}
    return {**whole, "arguments": arguments, **members}


def create(said: Any = "Hello", **members: Any) -> Event:
    """`response.create`, which a client says."""
    return {"type": "response.create", "model": MODEL, "input": said, **members}


def output_of(call_id: str = "call_1", output: str = "21 degrees") -> Event:
    """The output of a function call, in the input of a request."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def whole(key: str = "resp_1", *output: Event, lane: str | None = None, **members: Any) -> list[Event]:
    """A response that begins and completes."""
    told = Told(key, lane, **{name: members.pop(name) for name in ("previous_response_id",) if name in members})
    return [told.created(), told.ended("completed", *(output or (message(f"msg_{key}"),)), **members)]


def connection() -> list[Event]:
    """A connection with a question, a tool round, two lanes at once, a steer, a warm-up, and all kinds of calls."""
    return [
        create("Weather?"),
        *_tool_round(),
        *_lanes(),
        create([], generate=False, previous_response_id="resp_2"),
        *whole("resp_w", message("msg_w"), usage=usage(9, 0), previous_response_id="resp_2"),
        *_steered(),
        *_built_in(),
        {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 3, "reset_at": 1_790_000_100}}},
        {"type": "error", "error": {"code": "server_error", "message": "Gone."}, "status": 500},
        {"type": "keepalive", "sequence_number": 7},
    ]


def _tool_round() -> list[Event]:
    one, two = Told("resp_1"), Told("resp_2", previous_response_id="resp_1")
    made = call(arguments='{"city":"Bonn"}')
    text = message("msg_2", "21 degrees")
    return [
        one.created(),
        one.event("in_progress", response=response("resp_1")),
        one.added({**made, "arguments": "", "status": "in_progress"}),
        one.delta('{"city":', "function_call_arguments", "fc_1"),
        one.delta('"Bonn"}', "function_call_arguments", "fc_1"),
        one.about("function_call_arguments.done", "fc_1", arguments='{"city":"Bonn"}'),
        one.done(made),
        one.ended("completed", made, usage=usage(50, 15)),
        create([output_of()], previous_response_id="resp_1"),
        two.created(),
        two.added(message("msg_2", content=[], status="in_progress")),
        two.event("content_part.added", item_id="msg_2", content_index=0, part={"type": "output_text", "text": ""}),
        two.delta("21 ", item="msg_2"),
        two.delta("degrees", item="msg_2"),
        two.about("output_text.done", "msg_2", content_index=0, text="21 degrees"),
        two.about("content_part.done", "msg_2", content_index=0, part={"type": "output_text", "text": "21 degrees"}),
        two.done(text),
        two.ended("completed", text, usage=usage(80, 9, cached=64, reasoning=4)),
    ]


def _lanes() -> list[Event]:
    told = [Told(f"resp_{lane}", lane) for lane in "ab"]
    begun = [create("Hi", stream_id=each.lane) for each in told] + [each.created() for each in told]
    words = [each.delta(piece, item=f"msg_{each.lane}") for piece in ("Good ", "day") for each in told]
    ended = [
        each.ended("completed", message(f"msg_{each.lane}", "Good day"), usage=usage(7, 3)) for each in reversed(told)
    ]
    return [*begun, *words, *ended]


def _steered() -> list[Event]:
    told = Told("resp_5")
    steer = {"id": "steer_1", "previous_response_id": "resp_5"}
    reason = {"incomplete_details": {"reason": "steered"}}
    return [
        create("Write"),
        told.created(),
        told.delta("Once ", item="msg_5"),
        {"type": "response.steer", "previous_response_id": "resp_5", "input": "Shorter!"},
        told.event("steer.accepted", steer=steer),
        told.event("steer.pending", steer=steer, reason="waiting_for_required_input", required_input=[]),
        told.ended("incomplete", message("msg_5", "Once "), usage=usage(20, 2), **reason),
        told.event("steer.failed", steer=steer, error={"code": "response_not_active"}),
        *whole("resp_6", message("msg_6"), usage=usage(25, 5), previous_response_id="resp_5"),
    ]


def _built_in() -> list[Event]:
    told = Told("resp_7")
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    remote = {"id": "mcp_1", "type": "mcp_call", "name": "find", "arguments": "{}", "output": "found"}
    thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Sums"}]}
    no = message("msg_7", content=[{"type": "refusal", "refusal": "No."}])
    ask = {"id": "mcpr_1", "type": "mcp_approval_request", "name": "pay", "arguments": "{}"}
    return [
        told.created(),
        told.delta("Sums", "reasoning_summary_text", "rs_1", summary_index=0),
        told.done(thought),
        told.added({**search, "status": "in_progress"}, 1),
        told.about("web_search_call.searching", "ws_1"),
        told.about("web_search_call.completed", "ws_1"),
        told.done(search, 1),
        told.added({**remote, "output": None}, 2),
        told.about("mcp_call.in_progress", "mcp_1"),
        told.about("mcp_call_arguments.done", "mcp_1", arguments="{}"),
        told.about("mcp_call.failed", "mcp_1"),
        told.done(remote, 2),
        told.delta("No.", "refusal", "msg_7"),
        told.about("refusal.done", "msg_7", content_index=0, refusal="No."),
        told.done(no, 3),
        told.done(ask, 4),
        told.ended("completed", thought, search, remote, no, ask, usage=usage(90, 40)),
    ]
