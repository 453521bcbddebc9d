"""A connection to the simulated Responses API, and what it sent."""

from random import Random
from typing import Any

from steno.simulate.responses.session import ResponsesSession
from steno.simulate.responses.store import Store

STARTED_AT = 1_790_000_000
Event = dict[str, Any]
CITY = {
    "type": "function",
    "name": "get_temperature",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Play:
    """A connection whose client asks and listens."""

    def __init__(self, seed: int = 7, store: Store | None = None) -> None:
        self.session = ResponsesSession(Random(seed), STARTED_AT, Store() if store is None else store)

    def send(self, kind: str = "response.create", **members: Any) -> list[Event]:
        """Send an event. Returns what comes at once."""
        model = {"model": "gpt-5.6-sol"} if kind == "response.create" else {}
        self.session.receive({"type": kind, **model, **members})
        return self.session.take()

    def rest(self) -> list[Event]:
        """Return what comes until nothing more is due."""
        came: list[Event] = []
        while self.session.due() is not None:
            self.session.advance()
            came += self.session.take()
        return came

    def until(self, kind: str) -> list[Event]:
        """Return what comes up to an event of a kind."""
        came: list[Event] = []
        while kind not in [event["type"] for event in came]:
            self.session.advance()
            came += self.session.take()
        return came

    def ask(self, **members: Any) -> list[Event]:
        """Send a request. Returns all that comes of it."""
        return self.send(**members) + self.rest()


def kinds(events: list[Event]) -> list[str]:
    """Return the types of events, each run of the same type once, without `response.`."""
    found: list[str] = []
    for event in events:
        kind = event["type"].removeprefix("response.")
        if not found or found[-1] != kind:
            found.append(kind)
    return found


def outcome(events: list[Event]) -> Event:
    """Return the response of the last event."""
    response: Event = events[-1]["response"]
    return response
