"""What the caller says, and who answers it: the voice by itself, or who it delegates to.

Nobody listens to the sound, so the words are made up. Every second utterance is a question that the voice delegates,
the first one too.
"""

import base64
import binascii
from typing import Final

from steno.simulate.interactive.errors import invalid_value
from steno.simulate.interactive.hearing import Stopped
from steno.simulate.interactive.sound import bytes_a_ms
from steno.simulate.live.delegation import decide, delegate
from steno.simulate.live.state import TICK_MS, State, chunks
from steno.simulate.tasks import Task
from steno.simulate.voice_scripts import Exchange

DETECTOR: Final = {"silence_duration_ms": 500, "prefix_padding_ms": 0}
"""When speech has ended."""
_THINKS_SECONDS: Final = (0.2, 0.5)
_INPUT: Final = "session.input_transcript.delta"


def append(s: State, encoded: str) -> None:
    """Take in sound of the caller, as base64. Raises `EventRefusedError`."""
    try:
        audio = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise invalid_value("audio", "'audio' has to be base64.") from None
    kind = (s.session or {})["audio"]["format"]["type"]
    s.out.append({"type": "session.input_audio.append", "audio": encoded})
    heard = s.hearing.append(kind, audio, DETECTOR)
    if not s.voice:
        s.ms += len(audio) // bytes_a_ms(kind)
        s.report()
    for change in heard:
        if isinstance(change, Stopped) and not s.muted:
            _utter(s, change.length_ms)


def _utter(s: State, length_ms: int) -> None:
    """Write down what was said in the last milliseconds, and answer it."""
    said = next_line(s)
    at = max(s.ms - length_ms, 0) // TICK_MS * TICK_MS
    for chunk in chunks(s.rng, said.caller):
        if chunk:
            s.emit(_INPUT, start_ms=at, end_ms=at + TICK_MS, delta=chunk)
        at += TICK_MS
    answer(s, said, delegated=asks(s))


def next_line(s: State) -> Exchange:
    """Return what the caller says next, and what the voice answers where it does not delegate."""
    s.utterances += 1
    turn = s.utterances // 2
    if not asks(s):
        return s.script.exchanges[turn % len(s.script.exchanges)]
    backend = (s.session or {})["delegation"].get("responses", {})
    names = [str(tool["name"]) for tool in backend.get("tools") or [] if "name" in tool]
    lookup = s.script.lookups[turn % len(s.script.lookups)]
    if names and s.script.tool["name"] not in names:
        return Exchange(f"Please use {names[turn % len(names)]} for me.", lookup.agent)
    return Exchange(lookup.caller, lookup.agent)


def asks(s: State) -> bool:
    """Return whether the last utterance is delegated."""
    return s.utterances % 2 == 1


def answer(s: State, said: Exchange, *, delegated: bool) -> None:
    """Answer what the caller has said."""
    s.hearing.listen()
    _trigger(s)
    s.begin(_answer(s, said, delegated=delegated))


def _answer(s: State, said: Exchange, *, delegated: bool) -> Task:
    yield s.rng.uniform(*_THINKS_SECONDS)
    if delegated:
        delegate(s, said.caller)
    else:
        s.say(said.agent)


def _trigger(s: State) -> None:
    """Decide what the session wants decided of each utterance."""
    heard = [each for each in (s.session or {}).get("triggers") or [] if each.get("event_type") == _INPUT]
    source = next((each["event_id"] for each in reversed(s.out) if each["type"] == _INPUT), None)
    if heard and source:
        decide(s, source_event_id=source, source_event_type=_INPUT, trigger_id=s.new_id("trig"))
