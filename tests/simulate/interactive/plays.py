"""A session under test: client events in, server events out, until it waits for its client again."""

import base64
import json
from random import Random
from typing import Any

from steno.simulate.interactive.configuration import new_session
from steno.simulate.interactive.session import RealtimeSession
from steno.simulate.interactive.sound import sound_base64

STARTED_AT = 1_790_000_000
Event = dict[str, Any]

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a town.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
}
HANGUP = {"type": "function", "name": "end_conversation", "parameters": {"type": "object", "properties": {}}}


class Play:
    """One session, and all that it has sent."""

    def __init__(self, configuration: Event | None = None, *, seed: int = 7, call_id: str | None = None) -> None:
        """Begin a session, and take what it sends at once."""
        self.session = RealtimeSession(
            Random(seed), STARTED_AT, configuration or new_session("gpt-realtime"), call_id=call_id
        )
        self.sent = self.session.take()

    def send(self, kind: str, **members: Any) -> list[Event]:
        """Send a client event. Returns what it leads to at once."""
        return self.raw(json.dumps({"type": kind, **members}))

    def raw(self, frame: str | bytes) -> list[Event]:
        """Send a frame. Returns what it leads to at once."""
        self.session.receive(frame)
        return self._take()

    def step(self) -> list[Event]:
        """Let the next thing that is due happen."""
        self.session.advance()
        return self._take()

    def rest(self) -> list[Event]:
        """Let everything happen that is due, and return it."""
        events: list[Event] = []
        while self.session.due() is not None:
            events += self.step()
        return events

    def ask(self, kind: str, **members: Any) -> list[Event]:
        """Send a client event. Returns all that it leads to."""
        return self.send(kind, **members) + self.rest()

    def until(self, kind: str) -> list[Event]:
        """Let things happen up to an event of a kind."""
        events: list[Event] = []
        while not any(event["type"] == kind for event in events):
            assert self.session.due() is not None
            events += self.step()
        return events

    def configure(self, **session: Any) -> list[Event]:
        return self.send("session.update", session={"type": "realtime", **session})

    def say(self, text: str) -> list[Event]:
        """Add a message of the user in writing."""
        content = [{"type": "input_text", "text": text}]
        return self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    def speak(self, loud_ms: int, quiet_ms: int = 0) -> list[Event]:
        """Append sound: a tone, then silence."""
        events = self.send("input_audio_buffer.append", audio=tone(loud_ms)) if loud_ms else []
        return events + (self.send("input_audio_buffer.append", audio=silence(quiet_ms)) if quiet_ms else [])

    def _take(self) -> list[Event]:
        events = self.session.take()
        self.sent += events
        return events


def tone(length_ms: int) -> str:
    """Return a tone without a pause: the model's swells from silence, so its loud part is repeated."""
    loud = base64.b64decode(sound_base64("audio/pcm", 100, 20))
    return base64.b64encode(loud * (length_ms // 20)).decode()


def silence(length_ms: int) -> str:
    return base64.b64encode(bytes(48 * length_ms)).decode()


def kinds(events: list[Event]) -> list[str]:
    """Return the types of events, each run of the same type once."""
    found: list[str] = []
    for event in events:
        if not found or found[-1] != event["type"]:
            found.append(event["type"])
    return found


def errors(events: list[Event]) -> list[Event]:
    return [event["error"] for event in events if event["type"] == "error"]


def done(events: list[Event]) -> Event:
    """Return the response of the only `response.done`."""
    [response] = [event["response"] for event in events if event["type"] == "response.done"]
    found: Event = response
    return found
