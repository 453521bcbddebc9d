"""A session and a client that plays its part: the time of each step, and what the client is answered."""

from collections.abc import Iterator
from random import Random

from steno.simulate.playing import played
from steno.simulate.responses.session import ResponsesSession
from steno.simulate.responses.store import Store
from steno.simulate.rooms import Event

WARM = {"type": "response.create", "model": "m", "generate": False}


def test_a_client_takes_its_time_and_the_clock_of_the_session_goes_with_it() -> None:
    session = ResponsesSession(Random(1), 1_000, Store())
    ended = 0

    def react(event: Event) -> Iterator[tuple[float, Event]]:
        nonlocal ended
        ended += event["type"] == "response.completed"
        if event["type"] == "response.completed" and ended < 3:
            yield 10.0, WARM

    steps = list(played(session, react, [(2.5, WARM)]))

    begun = [step for step in steps if step.event["type"] == "response.created"]
    assert [step.after_seconds for step in begun] == [2.5, 10.0, 10.0]
    assert [step.event["response"]["created_at"] for step in begun] == [1_002, 1_012, 1_022]


def test_what_comes_to_nothing_ends() -> None:
    session = ResponsesSession(Random(1), 1_000, Store())

    assert list(played(session, lambda _event: ())) == []
    (refused,) = played(session, lambda _event: (), [(1.0, {"type": "x"})])
    assert (refused.after_seconds, refused.event["type"]) == (1.0, "error")
