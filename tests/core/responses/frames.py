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
