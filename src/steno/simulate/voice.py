"""A voice session in the Realtime GA protocol: which turns a call has, and in which order.

`session` is the entry point. Within the first 16 seconds of every session there is a turn of each kind: an answer, a
function call, an interruption, an incomplete answer, a failure. There is also an event of an unknown type.
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

_CHAT_UNTIL_SECONDS: Final = 16.5  # then the goodbye follows, which takes two to four seconds

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
    """Yield the frames of one session, 18 to 25 seconds long, that began at the Unix second `started_at`.

    The frames are a function of the state of `rng` and of `started_at` alone. They end where the service would close
    the connection.
    """
    setup = _setup(rng)
    s = VoiceSession(rng, started_at, setup)
    exchanges = itertools.cycle(rng.sample(setup.script.exchanges, len(setup.script.exchanges)))
    s.open()
    turns = _turns(s, next(exchanges).caller)
    unknown_after = rng.randrange(len(turns))
    for n, play_turn in enumerate(turns):
        play_turn()
        if n == unknown_after:
            _send_unknown_event(s)
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
        # More than the short answers take, less than the long ones.
        max_output_tokens=rng.choice((64, 68, "inf", "inf")),
        phased=phased,
    )


def _turns(s: VoiceSession, unanswered: str) -> list[Callable[[], None]]:
    """Return the turns that every session has, in random order. The first one never fails."""
    script = s.setup.script
    long_answers = s.rng.sample(script.long_answers, 2)
    turns: list[Callable[[], None]] = [
        partial(look_up, s, s.rng.choice(script.lookups)),
        partial(barge_in, s, long_answers[0]),
        partial(cut_short, s, long_answers[1]),
    ]
    s.rng.shuffle(turns)
    failure = partial(fail, s, unanswered, s.rng.choice(_ERRORS))
    turns.insert(s.rng.randint(1, len(turns)), failure)
    return turns


def _send_unknown_event(s: VoiceSession) -> None:
    """Send an event of a type that no protocol version has. Readers must skip what they do not know."""
    s.send(s.now - 0.05, "session.presence.updated", presence={"state": "listening"})
