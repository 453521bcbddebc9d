"""Scenarios of calls with the Live API: standby, keys, usage that goes back, and an end without a word.

They are seen by a sideband, without the sound: it takes more room than all the rest.
"""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.live.callers import Line
from steno.simulate.live.session import LiveSession
from steno.simulate.playing import Sent, played
from steno.simulate.responses.moves import Say
from steno.simulate.steps import Step
from steno.simulate.voice_scripts import SCRIPTS, Exchange, Lookup
from tests.scenarios.scenario import ANSWER, LINE, Scenario, scenario

Event = dict[str, Any]

QUESTION: Final = {"type": "choice", "name": "mood", "choices": [{"value": "calm"}, {"value": "cross"}]}
_SOUND: Final = ("session.output_audio.delta", "session.input_audio.append")
_CLIENT: Final = {"type": "client"}
_SCRIPT: Final = msgspec.structs.replace(
    SCRIPTS[0],
    lookups=(Lookup(LINE, {}, "{}", ANSWER),),
    exchanges=(Exchange(LINE, ANSWER),),
    goodbye=Exchange("Goodbye.", "Goodbye."),
)


def _call(
    rng: Random, started_at: int, line: Line, *sent: tuple[float, Event], delegation: Event = _CLIENT
) -> Iterator[Step]:
    """Yield what a sideband sees of a call to whose session a client sends what is given, without the sound."""
    call = {"model": "gpt-live-1.1", "delegation": delegation}
    session = LiveSession(rng, started_at, script=_SCRIPT, plan=lambda *_: [Say(ANSWER)], call=call, line=line)
    session.join()
    yield Step(0.1, session.snapshot())
    yield from _silent(played(session, lambda _event: (), sent))


def _silent(steps: Iterator[Step]) -> Iterator[Step]:
    """Yield steps without those that are sound, with the same time."""
    after = 0.0
    for step in steps:
        after += step.after_seconds
        if step.event["type"] not in _SOUND:
            yield Step(round(after, 3), step.event)
            after = 0.0


def _until(steps: Iterator[Step], kind: str) -> Iterator[Step]:
    """Yield steps up to one of a type."""
    for step in steps:
        yield step
        if step.event["type"] == kind:
            return


def live_standby(rng: Random, started_at: int) -> Iterator[Step]:
    """A session pauses while nobody speaks: the seconds of its standby are reported apart."""
    yield from _call(rng, started_at, "webrtc")


def live_keys(rng: Random, started_at: int) -> Iterator[Step]:
    """A call by telephone rings, is answered, and has keys pressed at both ends."""
    yield from _call(rng, started_at, "sip", (3.0, {"type": "transport.dtmf.send", "event": "#"}))


def live_cut_off(rng: Random, started_at: int) -> Iterator[Step]:
    """A session breaks off without its end: what was reported last is a lower bound."""
    yield from _until(_call(rng, started_at, "sip"), "session.usage.updated")


def live_usage_goes_back(rng: Random, started_at: int) -> Iterator[Step]:
    """The usage of a session, which is cumulative, is lower than it was."""
    for step in _call(rng, started_at, "sip"):
        yield step
        if step.event["type"] == "session.usage.updated":
            yield Step(0.5, {**step.event, "usage": {"seconds": 3.0}, "event_id": "event_back"})


def live_backend_of_no_delegation(rng: Random, started_at: int) -> Iterator[Step]:
    """The client asks the backend by itself, so that its events name no delegation."""
    backend = {"type": "responses", "responses": {"model": "gpt-5.6-sol", "reasoning": {"effort": "none"}}}
    session = {"model": "gpt-live-1", "delegation": backend}
    asked: Sent = [(0.1, {"type": "session.start", "session": session}), (0.5, {"type": "response.create"})]
    yield from _silent(played(LiveSession(rng, started_at, plan=lambda *_: [Say(ANSWER)]), lambda _event: (), asked))


def live_decisions(rng: Random, started_at: int) -> Iterator[Step]:
    """Questions are decided while the voice goes on, with a usage of their own."""
    decisions = {"type": "decisions", "decisions": {"model": "gpt-5.6-sol", "questions": [QUESTION]}}
    yield from _call(rng, started_at, "sip", delegation=decisions)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    scenario(live_standby),
    scenario(live_keys),
    scenario(live_cut_off, (None, "")),
    scenario(live_usage_goes_back),
    scenario(live_backend_of_no_delegation),
    scenario(live_decisions),
)
