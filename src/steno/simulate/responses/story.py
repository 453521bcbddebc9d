"""An agent at work, as its connection carries it, for those who only listen.

A programmer's assistant works by its tools on one lane, round after round, and a reviewer on another beside it. Within
a session of 15 seconds there is a warm-up, a tool loop, a steered answer and its successor, tools of the provider and
of another server, an incomplete answer, a failure, and a chain that is not known any more.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from steno.simulate.interactive.items import Entry
from steno.simulate.playing import played
from steno.simulate.responses.moves import Move
from steno.simulate.responses.request import Asked
from steno.simulate.responses.scripts import JOBS, REPOSITORY, TOOLS, Job, Round
from steno.simulate.responses.session import ResponsesSession
from steno.simulate.responses.store import Store
from steno.simulate.steps import Step

Event = dict[str, Any]

_TERMINAL: Final = ("response.completed", "response.incomplete", "response.failed")
_OUTPUTS: Final = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
_TOOL_SECONDS: Final = (0.2, 0.9)
_USER_SECONDS: Final = (0.8, 1.6)
_STEERED_AFTER: Final = 6  # deltas of text


def session(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield the frames of one connection that began at the Unix second `started_at`.

    The frames are a function of the state of `rng` and of `started_at` alone.
    """
    clients = {job.lane: Client(rng, job) for job in JOBS}
    moves = {lane: client.moves for lane, client in clients.items()}

    def plan(_rng: Random, asked: Asked, _read: Sequence[Entry]) -> list[Move]:
        return moves[asked.lane].popleft()

    first = [sent for client in clients.values() for sent in client.first()]
    connection = ResponsesSession(rng, started_at, Store(), plan)
    yield from played(connection, lambda event: clients[event.get("stream_id")].react(event), first)


class Client:
    """The client of one lane."""

    def __init__(self, rng: Random, job: Job) -> None:
        self._rng = rng
        self._job = job
        self._rounds = deque(job.rounds)
        self._round = self._rounds[0]
        self._deltas = 0
        self._response_id = ""
        self._over = False
        self.moves = deque(_moves_of(job))
        """What the model does in each response of the lane that it generates."""

    def first(self) -> list[tuple[float, Event]]:
        """Return the first request."""
        return [(self._rng.uniform(0.1, 0.4), self._request(None))]

    def react(self, event: Event) -> list[tuple[float, Event]]:
        """Return what follows an event of this lane."""
        kind = event["type"]
        if kind == "response.output_text.delta" and self._round.steers:
            return self._steer()
        if kind == "response.created":
            self._response_id = event["response"]["id"]
        if kind not in _TERMINAL or _is_steered(event["response"]):
            return []
        if not self._rounds:
            return self._gone() if self._job.lane is None and kind == "response.completed" else []
        calls = [each for each in event["response"]["output"] if each["type"] in _OUTPUTS]
        seconds = self._rng.uniform(*(_TOOL_SECONDS if calls else _USER_SECONDS))
        return [(seconds, self._request(event["response"]))]

    def _steer(self) -> list[tuple[float, Event]]:
        self._deltas += 1
        if self._deltas != _STEERED_AFTER:
            return []
        steer = {"type": "response.steer", "previous_response_id": self._response_id, "input": self._round.steers}
        return [(0.0, steer)]

    def _request(self, before: Event | None) -> Event:
        """Return the next request. It continues the response `before`, where that has not failed."""
        self._round = self._rounds.popleft()
        chained = {"previous_response_id": before["id"]} if before and before["status"] != "failed" else {}
        lane = {"stream_id": self._job.lane} if self._job.lane is not None else {}
        plain = {
            "model": self._job.model,
            "tools": TOOLS,
            "service_tier": self._job.tier,
            "reasoning": {"effort": "low"},
        }
        given = {"input": _input(self._round, before), **chained, **lane}
        return {"type": "response.create", **plain, **given, **self._round.members}

    def _gone(self) -> list[tuple[float, Event]]:
        """Return a request that continues what is not known any more."""
        if self._over:
            return []
        self._over = True
        gone = f"resp_{'0' * 50}"
        return [(0.4, {"type": "response.create", "model": self._job.model, "input": "", "previous_response_id": gone})]


def _moves_of(job: Job) -> Iterator[list[Move]]:
    """Yield what the model does in each response: a warm-up has none, a steered one has a successor."""
    for each in job.rounds:
        if each.moves:
            yield list(each.moves)
        if each.steers:
            yield list(job.then)


def _is_steered(response: Event) -> bool:
    """Return whether a successor follows by itself."""
    return (response["incomplete_details"] or {}).get("reason") == "steered"


def _input(asked: Round, before: Event | None) -> list[Event]:
    """Return the input of a request: the output of the tool that was called, or what the user says."""
    if before is None:
        told = {"type": "message", "role": "developer", "content": REPOSITORY}
        return [told, {"type": "message", "role": "user", "content": asked.says}]
    calls = [each for each in before["output"] if each["type"] in _OUTPUTS]
    if calls:
        return [{"type": _OUTPUTS[call["type"]], "call_id": call["call_id"], "output": asked.says} for call in calls]
    return [{"type": "message", "role": "user", "content": asked.says}]
