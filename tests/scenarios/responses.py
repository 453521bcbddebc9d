"""Scenarios of the Responses API: chains, lanes, steering, warm-ups, archives, and how a connection ends."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, Final

from steno.simulate.playing import Sent, played
from steno.simulate.responses.moves import Fail, Function, Move, Refuse, Say
from steno.simulate.responses.session import ResponsesSession
from steno.simulate.responses.store import Store
from steno.simulate.steps import Step
from tests.scenarios.scenario import Scenario, changed, scenario

Event = dict[str, Any]

MODEL: Final = "gpt-5.6-luna"
CAP: Final = {
    "type": "invalid_request_error",
    "code": "websocket_connection_limit_reached",
    "message": "The connection has lasted for 60 minutes.",
    "param": None,
}
_CALL: Final = Function("stock_of", '{"article":"twine"}')


def _create(**members: Any) -> Event:
    return {"type": "response.create", "model": MODEL, "input": "Hello.", "reasoning": {"effort": "none"}, **members}


def _play(rng: Random, started_at: int, moves: Iterable[Move], *requests: tuple[float, Event]) -> Iterator[Step]:
    """Yield what a connection sends for `requests`; each response has one of the `moves`."""
    left = iter(moves)
    session = ResponsesSession(rng, started_at, Store(), lambda *_: [next(left)])
    yield from played(session, lambda _event: (), requests)


def chain_without_a_link(rng: Random, started_at: int) -> Iterator[Step]:
    """A client sends its whole input again after a tool call, so that no response names the one before it."""
    yield from _play(rng, started_at, (_CALL, Say("17.")), (0.1, _create()), (3.0, _create()))


def lanes_mixed(rng: Random, started_at: int) -> Iterator[Step]:
    """Two lanes of one connection interleave, and each response counts its events from 0."""
    requests = ((0.1, _create(stream_id="a")), (0.2, _create(stream_id="b")))
    yield from _play(rng, started_at, (Say("One, two, three."), Say("Four, five, six.")), *requests)


def steered(rng: Random, started_at: int) -> Iterator[Step]:
    """A response is cut short for what its client adds, and a successor follows by itself."""
    left = iter((Say("One, two, three, four."), Say("Five.")))
    session = ResponsesSession(rng, started_at, Store(), lambda *_: [next(left)])
    begun: list[str] = []

    def react(event: Event) -> Sent:
        if event["type"] == "response.created":
            begun.append(event["response"]["id"])
        if event["type"] == "response.output_text.delta" and event.get("delta") == "One":
            yield 0.0, {"type": "response.steer", "previous_response_id": begun[0], "input": "Shorter."}

    yield from played(session, react, [(0.1, _create())])


def warm_up(rng: Random, started_at: int) -> Iterator[Step]:
    """A request only warms up: its response completes at once without output, and is no answer."""
    yield from _play(rng, started_at, (), (0.1, _create(generate=False)))


def refused_chain(rng: Random, started_at: int) -> Iterator[Step]:
    """A request continues a response that was evicted, which is an error and no response."""
    yield from _play(rng, started_at, (), (0.1, _create(previous_response_id="resp_evicted")))


def refusal(rng: Random, started_at: int) -> Iterator[Step]:
    """A message is a refusal: it has other deltas and another part."""
    yield from _play(rng, started_at, (Refuse("I cannot do that."),), (0.1, _create()))


def failure_after_an_error(rng: Random, started_at: int) -> Iterator[Step]:
    """An error event comes before the end of the response that it failed: both are about the same."""
    yield from _play(rng, started_at, (Fail("server_error", "It stopped."),), (0.1, _create()))


def archived_without_sequence(rng: Random, started_at: int) -> Iterator[Step]:
    """An archive has no `sequence_number`, so that names and objects alone tell the family."""

    def without(event: Event) -> Event:
        return {name: value for name, value in event.items() if name not in {"sequence_number", "obfuscation"}}

    yield from changed(without, _play(rng, started_at, (Say("Yes."),), (0.1, _create())))


def stream_resumed(rng: Random, started_at: int) -> Iterator[Step]:
    """A stream that was resumed sends events again that had come before."""
    steps = list(_play(rng, started_at, (Say("Yes, we are."),), (0.1, _create())))
    yield from steps[:6]
    yield from steps[3:]


def rate_limits_of_agents(rng: Random, started_at: int) -> Iterator[Step]:
    """A backend of agents sends its own event with the rate limits before each response."""
    windows = {
        name: {"used_percent": rng.randrange(100), "window_minutes": minutes, "reset_at": started_at + minutes * 60}
        for name, minutes in (("primary", 300), ("secondary", 10_080))
    }
    yield Step(0.05, {"type": "codex.rate_limits", **windows})
    yield from _play(rng, started_at, (Say("Yes."),), (0.1, _create()))


def connection_cap(rng: Random, started_at: int) -> Iterator[Step]:
    """A connection reaches its 60 minutes: an error says so, then it is closed with 1001."""
    yield from _play(rng, started_at, (Say("Yes."),), (0.1, _create()))
    yield Step(1.0, {"type": "error", "status": 400, "error": CAP})


def broken_off_in_a_call(rng: Random, started_at: int) -> Iterator[Step]:
    """The connection breaks off while the arguments of a function are written."""
    steps = list(_play(rng, started_at, (_CALL,), (0.1, _create())))
    yield from steps[:5]


SCENARIOS: Final[tuple[Scenario, ...]] = (
    scenario(chain_without_a_link),
    scenario(lanes_mixed),
    scenario(steered),
    scenario(warm_up),
    scenario(refused_chain),
    scenario(refusal),
    scenario(failure_after_an_error),
    scenario(archived_without_sequence),
    scenario(stream_resumed),
    scenario(rate_limits_of_agents),
    scenario(connection_cap, (1001, "")),
    scenario(broken_off_in_a_call, (None, "")),
)
