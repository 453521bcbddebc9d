"""The caller of a simulated call: says a few lines, waits for each answer, says goodbye, and hangs up."""

from typing import Final

from steno.simulate.interactive.state import State
from steno.simulate.interactive.turns import speech_started, speech_stopped
from steno.simulate.tasks import Task
from steno.simulate.voice_scripts import SCRIPTS

TURNS: Final = 4
"""What a caller says before the goodbye."""
_WORD_MS: Final = 180
_PREFIX_MS: Final = 300
_LOOKS_SECONDS: Final = 0.25  # how often the caller notices whether the answer has ended


def call(s: State) -> Task:
    """Play a call to its end."""
    script = s.rng.choice(SCRIPTS)
    lines = [exchange.caller for exchange in s.rng.sample(script.exchanges, min(TURNS, len(script.exchanges)))]
    for line in (*lines, script.goodbye.caller):
        yield s.rng.uniform(0.6, 1.2)
        yield from _say(s, line)
        while s.active or s.playing:
            yield _LOOKS_SECONDS
    yield 0.5
    s.ended = True


def _say(s: State, line: str) -> Task:
    length_ms = len(line.split()) * _WORD_MS
    start_ms = round(s.now * 1000)
    speech_started(s, max(start_ms - _PREFIX_MS, 0))
    yield length_ms / 1000
    speech_stopped(s, start_ms + length_ms, length_ms + _PREFIX_MS, line)
