"""Steering: what a client adds to a response that is in progress, until a successor has read it."""

from typing import Any, Final

import msgspec

from steno.simulate.interactive.checks import array, either, text, thing
from steno.simulate.interactive.errors import missing
from steno.simulate.interactive.items import Entry
from steno.simulate.responses.objects import Object, event
from steno.simulate.responses.request import INPUT_ITEMS_MAX, entries_of

PENDING_MAX: Final = 8
"""Steering inputs that wait for the successor of one response."""
_OUTPUTS: Final = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "shell_call_output",
    "shell_call": "shell_call_output",
}


class Steer(msgspec.Struct, frozen=True):
    """Steering input."""

    previous_response_id: str
    given: Any
    """As it was sent."""
    read: list[Entry]
    id: str | None = None

    def named(self) -> Object:
        """Return the members that name it in events."""
        return {"id": self.id, "previous_response_id": self.previous_response_id}


def steer_of(asked: Object) -> Steer:
    """Return what an event steers. Raises `EventRefusedError`."""
    if "previous_response_id" not in asked:
        raise missing("previous_response_id")
    given = either(str, text, array(thing, INPUT_ITEMS_MAX))("input", asked.get("input"))
    target = text("previous_response_id", asked["previous_response_id"])
    return Steer(target, given, entries_of("input", given))


def refused(steer: Steer, code: str, message: str, sequence: int = 0, lane: str | None = None) -> Object:
    """Return the event that hands steering input back."""
    error = {"type": "invalid_request_error", "code": code, "message": message}
    back = {"input": steer.given, "previous_response_id": steer.previous_response_id}
    members: Object = {"stream_id": lane} if lane is not None else {}
    return event("response.steer.failed", error=error, sequence_number=sequence, steer=back, **members)


def required_input(response: Object) -> list[Object]:
    """Return the inputs that a response waits for, without what the client has to fill in."""
    return [stub for each in response["output"] if (stub := _stub(each))]


def _stub(item: Object) -> Object | None:
    kind = item["type"]
    if kind == "mcp_approval_request":
        return {"type": "mcp_approval_response", "approval_request_id": item["id"]}
    if kind not in _OUTPUTS:
        return None
    stub = {"type": _OUTPUTS[kind], "call_id": item["call_id"]}
    return {**stub, "name": item["name"]} if kind == "function_call" else stub
