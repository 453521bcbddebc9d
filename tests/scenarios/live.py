"""Scenarios of Live sessions: words on the server's clock, delegated work, and the ways in which they end."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any, Final

from steno.simulate.steps import Step
from tests.scenarios.scenario import Scenario, scenario

MODEL: Final = "gpt-live-1"
BACKEND: Final = "gpt-5.6-sol"
GRID_MS: Final = 200
"""The length of a fragment of words."""


class Line:
    """A Live session whose clock goes on with what is said."""

    def __init__(self, rng: Random, started_at: int) -> None:
        """Begin at 0."""
        self.id = f"live_u{rng.randrange(9)}_{rng.randrange(16**12):012x}"
        self.steps: list[Step] = []
        self._numbers = count(rng.randrange(1_000, 9_000))
        self._behind_seconds = 0.0
        self.session = {
            "id": self.id,
            "expires_at": started_at + 7_200,
            "model": MODEL,
            "instructions": "Be brief, and hand on what you do not know.",
            "audio": {"output": {"voice": "marin"}, "format": {"type": "audio/pcm", "rate": 24_000}},
            "delegation": {"type": "responses", "responses": {"model": BACKEND}},
            "status": "active",
            "input": [],
        }

    def send(self, kind: str, **members: Any) -> None:
        """Let an event come."""
        event = {"event_id": f"event_{next(self._numbers)}", "type": kind, **members}
        self.steps.append(Step(self._behind_seconds, event))
        self._behind_seconds = 0.02

    def start(self) -> None:
        """Begin the session."""
        self.send("session.started", session=self.session)

    def say(self, who: str, text: str, from_ms: int) -> int:
        """Let `input` (the user) or `output` (the model) say `text`, a word a fragment. Returns when it is over."""
        for number, word in enumerate(text.split()):
            start = from_ms + GRID_MS * number
            delta = word if number == 0 else f" {word}"
            self._behind_seconds = GRID_MS / 1_000
            self.send(f"session.{who}_transcript.delta", delta=delta, start_ms=start, end_ms=start + GRID_MS)
        return from_ms + GRID_MS * len(text.split())

    def backend(self, delegation: str, kind: str, **members: Any) -> None:
        """Pass an event of the backend on."""
        self._behind_seconds = 0.05
        self.send("response.event", delegation_id=delegation, event={"type": kind, **members})

    def used(self, seconds: float, **members: Any) -> None:
        """Report how long the session has lasted."""
        self.send(
            "session.usage.updated",
            usage={"seconds": seconds, **members},
            context_window={"usage_ratio": round(seconds / 2_000, 6)},
        )

    def close(self, reason: str, seconds: float, **members: Any) -> None:
        """End the session."""
        self.send("session.closed", reason=reason, session=self.session, usage={"seconds": seconds, **members})


def _response(key: str, status: str, **members: Any) -> dict[str, Any]:
    return {"id": key, "object": "response", "status": status, "model": BACKEND, "output": [], "usage": None, **members}


def _usage(tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 19,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens + 19,
    }


def live_call(rng: Random, started_at: int) -> Iterator[Step]:
    """A Live session hands a question on, whose backend calls a tool and answers in a second response."""
    line = Line(rng, started_at)
    line.start()
    asked = line.say("input", "What will the weather be in Oslo?", 600)
    line.send(
        "session.delegation.created",
        offset_ms=asked,
        delegation={"id": "item_1", "type": "delegation", "response_id": "resp_1", "target": "responses"},
    )
    line.backend("item_1", "response.created", response=_response("resp_1", "in_progress"))
    told = line.say("output", "I am looking it up.", asked + 200)
    call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "forecast"}
    line.backend("item_1", "response.output_item.added", output_index=0, item={**call, "arguments": ""})
    line.backend("item_1", "response.output_item.done", output_index=0, item={**call, "arguments": '{"city":"Oslo"}'})
    line.backend("item_1", "response.completed", response=_response("resp_1", "completed", usage=_usage(805)))
    line.backend("item_1", "response.created", response=_response("resp_2", "in_progress"))
    line.backend("item_1", "response.output_text.delta", output_index=0, delta="Rain, ")
    content = [{"type": "output_text", "text": "Rain, 14 degrees."}]
    line.backend("item_1", "response.output_item.done", item={"id": "msg_1", "type": "message", "content": content})
    line.backend("item_1", "response.completed", response=_response("resp_2", "completed", usage=_usage(846)))
    line.say("output", "It will rain, at 14 degrees.", told + 1_000)
    line.used(14.0)
    line.close("close_requested", 15.0)
    yield from line.steps


def live_double_talk(rng: Random, started_at: int) -> Iterator[Step]:
    """User and model of a Live session speak at once, and the connection ends before upstream says so."""
    line = Line(rng, started_at)
    line.start()
    line.say("input", "Can you remind me what my name is?", 600)
    line.say("output", "You mentioned your name is Ada.", 1_400)
    line.say("input", "Right.", 4_000)
    line.used(7)
    line.used(7)
    yield from line.steps


def live_telephone(rng: Random, started_at: int) -> Iterator[Step]:
    """A Live session rings somebody, decides something, is paused, and ends when the other one hangs up."""
    line = Line(rng, started_at)
    line.start()
    line.send("transport.ringing", session_id=line.id)
    line.send("transport.answered", session_id=line.id)
    line.send("transport.dtmf.received", event="1")
    line.send("transport.dtmf.sent", event="2")
    line.send("session.input_audio.muted")
    line.send("session.input_audio.unmuted")
    over = line.say("input", "Is anybody there?", 600)
    line.send(
        "session.delegation.created",
        offset_ms=over,
        delegation={"id": "item_1", "type": "delegation", "target": "decisions"},
    )
    decision = {"model": BACKEND, "answers": [{"type": "predicate", "probability": 0.97}], "usage": _usage(60)}
    line.send("decision.event", delegation_id="item_1", event={"type": "decision.completed", "decision": decision})
    line.send(
        "session.delegation.created",
        offset_ms=over,
        delegation={"id": "item_2", "type": "delegation", "target": "client"},
    )
    line.send("session.commentary.appended", start_ms=over + 400, end_ms=over + 400)
    line.say("output", "Yes, I am.", over + 600)
    line.send("session.paused")
    line.used(30.0, active_seconds=10, paused_seconds=20)
    line.send("session.resumed")
    line.send("error", error={"type": "invalid_request_error", "code": "unknown_parameter", "message": "No such."})
    line.close("remote_hangup", 31.0, active_seconds=11, paused_seconds=20)
    yield from line.steps


def live_call_that_is_not_made(rng: Random, started_at: int) -> Iterator[Step]:
    """A Live session rings somebody who is busy."""
    line = Line(rng, started_at)
    line.start()
    line.send("transport.ringing", session_id=line.id)
    error = {"type": "call_error", "code": "busy", "message": "Busy here"}
    line.send("transport.failed", session_id=line.id, error=error)
    line.close("connection_lost", 0)
    yield from line.steps


SCENARIOS: Final[tuple[Scenario, ...]] = tuple(
    map(scenario, (live_call, live_double_talk, live_telephone, live_call_that_is_not_made))
)
