"""A voice session in the Realtime GA protocol: which turns a call has, and in which order.

`session` is the only name others need. Within the first 16 seconds of every session something of everything
happens: an answer, a function call, an interruption, an answer cut short, a failure, an unknown event.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, Final

from steno.simulate.steps import Step
from steno.simulate.voice_scripts import SCRIPTS
from steno.simulate.voice_session import Setup, VoiceSession
from steno.simulate.voice_turns import barge_in, chat, cut_short, fail, look_up

_CHAT_UNTIL_SECONDS: Final = 16.5  # then the caller says goodbye, which takes two to four seconds more

_ERRORS: Final[tuple[dict[str, Any], ...]] = (
    {
        "type": "server_error",
        "code": None,
        "message": "The simulated model stopped before it could answer.",
    },
    {
        "type": "invalid_request_error",
        "code": "rate_limit_exceeded",
        "message": "The simulated rate limit is used up; try again in a second.",
    },
)


def session(rng: Random, started_at: int) -> Iterator[Step]:
    """Play one session, of 18 to 25 seconds, that began at the unix second `started_at`.

    The frames are a function of the state of `rng` and of `started_at` alone. They end where the service
    would close the connection.
    """
    setup = _setup(rng)
    s = VoiceSession(rng, started_at, setup)
    exchanges = itertools.cycle(rng.sample(setup.script.exchanges, len(setup.script.exchanges)))
    s.open()
    stories = _stories(s, next(exchanges).caller)
    unknown_after = rng.randrange(len(stories))
    for n, story in enumerate(stories):
        story()
        if n == unknown_after:
            _be_present(s)
        yield from s.steps()
    while s.now < _CHAT_UNTIL_SECONDS:
        chat(s, next(exchanges))
        yield from s.steps()
    chat(s, setup.script.goodbye)
    yield from s.steps(to_the_end=True)


def _setup(rng: Random) -> Setup:
    phased = rng.choice((True, False))
    return Setup(
        script=rng.choice(SCRIPTS),
        model="gpt-realtime-2.1" if phased else "gpt-realtime",
        voice=rng.choice(("alloy", "marin", "cedar")),
        transcription_model=rng.choice(("gpt-realtime-whisper", "gpt-4o-mini-transcribe")),
        silence_ms=500 if phased else 200,
        # Above what the short answers take, below the long ones.
        max_output_tokens=rng.choice((64, 68, "inf", "inf")),
        phased=phased,
    )


def _stories(s: VoiceSession, unanswered: str) -> list[Callable[[], None]]:
    """Choose the stories that every session has, and their order; no call begins by failing."""
    script = s.setup.script
    long_answers = s.rng.sample(script.long_answers, 2)
    stories: list[Callable[[], None]] = [
        partial(look_up, s, s.rng.choice(script.lookups)),
        partial(barge_in, s, long_answers[0]),
        partial(cut_short, s, long_answers[1]),
    ]
    s.rng.shuffle(stories)
    failure = partial(fail, s, unanswered, s.rng.choice(_ERRORS))
    stories.insert(s.rng.randint(1, len(stories)), failure)
    return stories


def _be_present(s: VoiceSession) -> None:
    """Send an event of a type that no protocol version has: readers must pass over what they do not know."""
    s.send(s.now - 0.05, "session.presence.updated", presence={"state": "listening"})
