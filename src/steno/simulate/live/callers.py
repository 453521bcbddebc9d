"""The caller of a simulated call: says a few lines, speaks over one answer, says goodbye, and hangs up."""

from typing import Final, Literal

from steno.simulate.live.state import TICK_MS, State, chunks
from steno.simulate.live.turns import answer, asks, next_line
from steno.simulate.tasks import Task
from steno.simulate.voice_scripts import INTERJECTIONS, Exchange

Line = Literal["websocket", "webrtc", "sip"]
"""How the sound of a session comes and goes."""

TURNS: Final = 3
"""What a caller says before the goodbye."""
_TICK_SECONDS: Final = TICK_MS / 1000
_PATIENCE_SECONDS: Final = 8.0  # with an answer that does not come
_SILENT_SECONDS: Final = 4.0  # of the caller, between two of the turns
_STANDBY_AFTER_SECONDS: Final = 2.0
_KEY: Final = "4"


def clock(s: State) -> Task:
    """Move the timeline on, for as long as the session lasts."""
    while True:
        yield _TICK_SECONDS
        if s.paused:
            s.ms += TICK_MS
            s.usage.paused_ms += TICK_MS
            s.report()
        else:
            s.tick()


def call(s: State, line: Line) -> Task:
    """Play a call to its end."""
    if line == "sip":
        yield from _ring(s)
    for turn in range(TURNS):
        yield s.rng.uniform(0.6, 1.2)
        said = next_line(s)
        yield from _say(s, said, delegated=asks(s))
        if turn == 1:
            yield from _speak_over(s)
        yield from _listen(s)
        if turn == 1 and line == "webrtc":
            yield from _stand_by(s)
        if turn == 1 and line == "sip":
            s.emit("transport.dtmf.received", event=_KEY)
    yield from _say(s, s.script.goodbye, delegated=False)
    yield from _listen(s)
    s.close("remote_hangup")


def _ring(s: State) -> Task:
    """Let the line of a telephone be answered."""
    named = {"session_id": (s.session or {}).get("id")}
    s.emit("transport.ringing", **named)
    yield s.rng.uniform(0.8, 1.6)
    s.emit("transport.answered", **named)


def _say(s: State, said: Exchange, *, delegated: bool) -> Task:
    """Say a line. The voice may begin to answer before it has ended."""
    s.caller.extend(chunks(s.rng, said.caller))
    while len(s.caller) > 1:
        yield _TICK_SECONDS
    answer(s, said, delegated=delegated)
    while s.caller:
        yield _TICK_SECONDS


def _speak_over(s: State) -> Task:
    """Speak while the voice does: it stops by itself."""
    waited = 0.0
    while not s.voice and waited < _PATIENCE_SECONDS:
        yield _TICK_SECONDS
        waited += _TICK_SECONDS
    s.caller.extend(chunks(s.rng, s.rng.choice(INTERJECTIONS)))
    yield 2 * _TICK_SECONDS
    s.voice.clear()


def _listen(s: State) -> Task:
    """Wait until the voice has said what it has to say, and no task is under way."""
    waited = quiet = 0.0
    while quiet < 1.0 and waited < _PATIENCE_SECONDS:
        yield _TICK_SECONDS
        quiet = 0.0 if s.busy else quiet + _TICK_SECONDS
        waited += _TICK_SECONDS


def _stand_by(s: State) -> Task:
    """Say nothing for a while: the session pauses, and resumes when there is speech again."""
    yield _STANDBY_AFTER_SECONDS
    s.paused = True
    s.emit("session.paused")
    yield _SILENT_SECONDS
    s.paused = False
    s.emit("session.resumed")
