"""Calls with the Live API, as a sideband sees them, for those who only listen.

Each is a session that answers its client, with a client that plays its part: it configures a Responses model with the
function of its business, and sends the output whenever that is called.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

import msgspec

from steno.simulate.interactive.items import Entry
from steno.simulate.live.callers import Line
from steno.simulate.live.configuration import Event
from steno.simulate.live.session import LiveSession
from steno.simulate.playing import React, played
from steno.simulate.responses.answers import Plan
from steno.simulate.responses.moves import Function, Move, Say, moves
from steno.simulate.responses.request import Asked
from steno.simulate.steps import Step
from steno.simulate.voice_scripts import SCRIPTS, Script

_WORKS_SECONDS: Final = 0.4  # the client, for the output of a function


def webrtc(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield the frames of one call from a browser, 25 to 40 seconds long, that began at the Unix second `started_at`.

    The caller says nothing for a while, so that the session pauses. The frames are a function of the state of `rng` and
    of `started_at` alone.
    """
    return _call(rng, started_at, "webrtc")


def sip(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield the frames of one call by telephone: it rings, is answered, and the caller presses a key."""
    return _call(rng, started_at, "sip")


def _call(rng: Random, started_at: int, line: Line) -> Iterator[Step]:
    script = rng.choice(SCRIPTS)
    session = LiveSession(rng, started_at, script=script, plan=plan_of(script), call=configuration(script), line=line)
    yield Step(0.0, session.snapshot())
    session.join()
    yield from played(session, answering(script))


def configuration(script: Script) -> Event:
    """Return the configuration of a session that delegates to a Responses model with the function of a business."""
    backend = {
        "model": "gpt-5.6-sol",
        "instructions": script.instructions,
        "tools": [script.tool],
        "tool_choice": "auto",
        "reasoning": {"effort": "low"},
    }
    return {
        "model": "gpt-live-1",
        "instructions": "Delegate what you cannot answer, and say that you are looking it up.",
        "audio": {"output": {"voice": "marin"}},
        "delegation": {"type": "responses", "responses": backend},
    }


def plan_of(script: Script) -> Plan:
    """Return what a Responses model does for the callers of a business: it looks up, and then answers."""
    name = str(script.tool["name"])

    def plan(rng: Random, asked: Asked, read: Sequence[Entry]) -> list[Move]:
        last = read[-1].said if read else ""
        for lookup in script.lookups:
            if last == lookup.caller:
                return [Function(name, msgspec.json.encode(lookup.arguments).decode())]
            if last == lookup.output:
                return [Say(lookup.agent)]
        return moves(rng, asked, read)

    return plan


def answering(script: Script) -> React:
    """Return a client that sends the output of each call of the function of a business."""
    outputs = {msgspec.json.encode(each.arguments).decode(): each.output for each in script.lookups}

    def react(event: Event) -> Iterator[tuple[float, Event]]:
        inner = event.get("event") if event["type"] == "response.event" else None
        item = inner["item"] if inner and inner["type"] == "response.output_item.done" else {}
        if item.get("type") == "function_call":
            output = outputs.get(item["arguments"], "{}")
            given = {"type": "function_call_output", "call_id": item["call_id"], "output": output}
            yield _WORKS_SECONDS, {"type": "response.item.create", "item": given}
            yield _WORKS_SECONDS, {"type": "response.create"}

    return react
