"""A session of the simulated Live API, and what it sent."""

import base64
from random import Random
from typing import Any

from steno.simulate.live.session import LiveSession
from steno.simulate.steps import audio_base64
from steno.simulate.voice_scripts import SCRIPTS

STARTED_AT = 1_790_000_000
SCRIPT = SCRIPTS[0]
Event = dict[str, Any]
FORECAST = {
    "type": "function",
    "name": "lookup_forecast",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
RESPONSES = {"type": "responses", "responses": {"model": "gpt-5.6-sol", "tools": [FORECAST]}}
QUESTION = {"type": "predicate", "name": "urgent", "instructions": "Is it urgent?"}
DECISIONS = {"type": "decisions", "decisions": {"model": "gpt-5.6-sol", "questions": [QUESTION]}}


class Play:
    """A session over a websocket whose client asks and listens."""

    def __init__(self, **session: Any) -> None:
        self.session = LiveSession(Random(7), STARTED_AT, script=SCRIPT)
        self.begun = self.send("session.start", session={"model": "gpt-live-1", **session})

    def send(self, kind: str, **members: Any) -> list[Event]:
        """Send an event. Returns what comes at once."""
        self.session.receive({"type": kind, **members})
        return self.session.take()

    def rest(self) -> list[Event]:
        """Return what comes until nothing more is due."""
        came: list[Event] = []
        while self.session.due() is not None:
            self.session.advance()
            came += self.session.take()
        return came

    def speak(self, milliseconds: int = 1_000) -> list[Event]:
        """Speak, then say nothing for a second. Returns all that comes of it."""
        events = self.send("session.input_audio.append", audio=audio_base64(0, milliseconds))
        silence = base64.b64encode(bytes(48 * 1_000)).decode()
        return events + self.send("session.input_audio.append", audio=silence) + self.rest()


def of(events: list[Event], kind: str) -> list[Event]:
    """Return the events of a type."""
    return [event for event in events if event["type"] == kind]


def text_of(events: list[Event], side: str) -> str:
    """Return what was said on one side."""
    return "".join(event["delta"] for event in of(events, f"session.{side}_transcript.delta"))
