"""The type of scenarios, and what most of them are built from."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.assistants_objects import Desk, Thread
from steno.simulate.assistants_scripts import OFFICES
from steno.simulate.server import Close
from steno.simulate.steps import Step, pieces
from steno.simulate.voice_scripts import SCRIPTS
from steno.simulate.voice_session import OpenResponse, Setup, VoiceSession

Make = Callable[[Random, int], Iterator[Step]]
"""Yields the steps of a scenario that begins at a Unix second. The frames are a function of both arguments."""
Change = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns an event in another dialect."""

LINE: Final = "Are you open?"
ANSWER: Final = "Yes."
"""The turn of scenarios in which the text does not matter."""


class Scenario(msgspec.Struct, frozen=True):
    """Something that real traffic does and that a reader may handle wrongly."""

    name: str
    about: str
    """What it is, in a sentence."""
    make: Make
    close: Close | None = None
    """How the connection ends, where that is not with code 1000."""


def scenario(make: Make, close: Close | None = None) -> Scenario:
    """Return a scenario with the name and the docstring of a function."""
    return Scenario(make.__name__, _sentence(make), make, close)


def voice_scenario(play: Callable[[VoiceSession], None], close: Close | None = None, **setup: Any) -> Scenario:
    """Return a scenario of one voice session that was just opened. `setup` is its configuration."""

    def make(rng: Random, started_at: int) -> Iterator[Step]:
        s = voice(rng, started_at, **setup)
        s.open()
        play(s)
        yield from s.steps(to_the_end=True)

    return Scenario(play.__name__, _sentence(play), make, close)


def thread_scenario(play: Callable[[Desk, Thread], Iterator[Step]], close: Close | None = None) -> Scenario:
    """Return a scenario of one thread."""

    def make(rng: Random, started_at: int) -> Iterator[Step]:
        desk = Desk(rng, started_at, rng.choice(OFFICES))
        yield from play(desk, desk.new_thread())

    return Scenario(play.__name__, _sentence(play), make, close)


def _sentence(play: Callable[..., Any]) -> str:
    return (play.__doc__ or "").strip()


def voice(rng: Random, started_at: int, **setup: Any) -> VoiceSession:
    """Return a voice session with the usual configuration, except for `setup`."""
    usual: dict[str, Any] = {
        "script": rng.choice(SCRIPTS),
        "model": "gpt-realtime",
        "voice": "marin",
        "transcription_model": "gpt-4o-mini-transcribe",
        "silence_ms": 200,
        "max_output_tokens": "inf",
        "phased": False,
    }
    return VoiceSession(rng, started_at, Setup(**{**usual, **setup}))


def changed(change: Change, steps: Iterator[Step]) -> Iterator[Step]:
    """Yield steps with each event in another dialect."""
    for step in steps:
        yield Step(step.after_seconds, change(step.event))


# Turns in writing, which take a third of the frames of speech --------------------------------------------------


def type_in(s: VoiceSession, text: str) -> str:
    """Let the user type `text`. Returns the item's id."""
    item_id = s.new_id("item", s.now)
    content = [{"type": "input_text", "text": text}]
    s.add_client_item(
        s.now, {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": content}
    )
    s.ledger.read(len(pieces(text)))
    s.now += 0.05
    return item_id


def write(s: VoiceSession, response: OpenResponse, text: str, *, final: str | None = None, phase: str = "") -> None:
    """Send a written message of a response. Its terminal objects have the text `final`, where that differs."""
    index = begin_text(s, response, phase)
    for piece in pieces(text):
        write_piece(s, response, index, piece)
    finish_text(s, response, index, text if final is None else final)


def begin_text(s: VoiceSession, response: OpenResponse, phase: str = "") -> int:
    """Open a written message of a response. Returns its output index."""
    item_id = s.new_id("item", s.now)
    s.now += 0.2
    item = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    index = s.add_output_item(s.now, response, {**item, "phase": phase} if phase else item)
    part = {"type": "text", "text": ""}
    s.send(s.now + 0.002, "response.content_part.added", **part_of(response, index), part=part)
    s.now += 0.002
    return index


def write_piece(s: VoiceSession, response: OpenResponse, index: int, piece: str) -> None:
    """Send a delta of a written message."""
    s.now += s.rng.uniform(0.01, 0.03)
    s.send_delta(s.now, "response.output_text.delta", part_of(response, index), piece)
    response.text_tokens += 1


def finish_text(s: VoiceSession, response: OpenResponse, index: int, text: str, status: str = "completed") -> None:
    """End a written message with `text`."""
    where = part_of(response, index)
    s.now += 0.02
    s.send(s.now, "response.output_text.done", **where, text=text)
    s.send(s.now + 0.001, "response.content_part.done", **where, part={"type": "text", "text": text})
    content = [{"type": "output_text", "text": text}]
    s.finish_output_item(s.now + 0.002, response, index, status=status, content=content)
    s.now += 0.01


def part_of(response: OpenResponse, index: int) -> dict[str, Any]:
    """Return the members that name the only part of an item of a response."""
    item_id = response.output[index]["id"]
    return {"response_id": response.id, "item_id": item_id, "output_index": index, "content_index": 0}


def answer_in_writing(s: VoiceSession, text: str) -> OpenResponse:
    """Send a response that says `text`. Returns the ended response."""
    response = s.begin_response(s.now)
    write(s, response, text)
    s.end_response(s.now, response, "completed")
    s.now += 0.05
    return response
