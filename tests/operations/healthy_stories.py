"""Stories of calls and runs in which nothing goes wrong: those of the demo fail on purpose."""

import itertools
from collections.abc import Iterator
from random import Random

from steno.simulate import assistants, voice
from steno.simulate.assistants_objects import Desk
from steno.simulate.assistants_scripts import OFFICES
from steno.simulate.live import story as live
from steno.simulate.responses import story as responses
from steno.simulate.server import Story
from steno.simulate.steps import Step
from steno.simulate.voice_session import VoiceSession
from steno.simulate.voice_turns import chat, look_up


def call(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield a call of ten turns, of which three use a tool; each is answered, and none is cut short."""
    session = VoiceSession(rng, started_at, voice._setup(rng))
    exchanges = itertools.cycle(session.setup.script.exchanges)
    session.open()
    for turn in range(10):
        if turn % 3 == 1:
            look_up(session, rng.choice(session.setup.script.lookups))
        else:
            chat(session, next(exchanges))
        yield from session.steps()
    yield from session.steps(to_the_end=True)


def office(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield the runs of a thread, all of which complete."""
    desk = Desk(rng, started_at, rng.choice(OFFICES))
    thread = desk.new_thread()
    desk.wait(0.1, 0.3)
    yield desk.emit("thread.created", thread.object)
    for play in (assistants.answer, assistants.call_function, assistants.run_code, assistants.answer):
        yield from play(desk, thread)
        desk.wait(0.2, 0.6)


STORIES = {
    "/well/realtime": call,
    "/well/assistants": office,
    "/well/live": live.webrtc,
    "/demo/realtime": voice.session,
    "/demo/assistants": assistants.stream,
    "/demo/responses": responses.session,
    "/demo/live": live.webrtc,
}
"""The stories by path: those of the demo, and healthy ones below /well."""


def find(target: str) -> Story | None:
    """Return the story of a target."""
    make = STORIES.get(target.partition("?")[0])
    return Story(make) if make else None
