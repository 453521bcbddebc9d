"""The state of a session that answers its client: configuration, items, tasks, and what is to be sent.

Time is that of its tasks (`tasks`): it stands still while the session waits for its client.
"""

from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.interactive.configuration import ResponseOptions
from steno.simulate.interactive.hearing import Hearing
from steno.simulate.interactive.items import Entry, Items
from steno.simulate.steps import Ids
from steno.simulate.tasks import Running, Tasks
from steno.simulate.voice_session import SESSION_SECONDS
from steno.simulate.voice_usage import Ledger

BASE_TOKENS: Final = 90
"""What the model reads beside instructions, tools and items."""


class Answer(msgspec.Struct, eq=False):
    """A response in progress: its options, its output so far, and what of it was sent."""

    id: str
    options: ResponseOptions
    output: list[dict[str, Any]]
    text_tokens: int = 0
    audio_tokens: int = 0
    audio_ms: int = 0
    playing_since: float | None = None
    """When the caller began to hear it, in a call."""


def base_tokens(configuration: dict[str, Any]) -> int:
    """Return the tokens of instructions and tools."""
    tools = len(msgspec.json.encode(configuration["tools"])) // 6 if configuration.get("tools") else 0
    return BASE_TOKENS + len(configuration.get("instructions", "")) // 4 + tools


class State(Tasks):
    """The state of one session. `handlers`, `turns` and `answers` say what happens in it."""

    def __init__(self, rng: Random, started_at: int, configuration: dict[str, Any], call_id: str | None) -> None:
        """Begin at the Unix second `started_at`. `call_id` is that of a call, whose sound goes another way."""
        super().__init__()
        self.rng = rng
        self.out: list[dict[str, Any]] = []
        """Events that are to be sent."""
        self.call_id = call_id
        self.items = Items()
        self.hearing = Hearing()
        self.active: Answer | None = None
        """The response of the conversation that is in progress."""
        self.playing: Answer | None = None
        """In a call: the response that the caller hears."""
        self.answers: dict[str, tuple[Answer, Running]] = {}
        """All responses in progress by id, those outside of the conversation too."""
        self.speech_id = ""
        """The id of the item that the caller's speech will be."""
        self.utterances = 0
        self.rate_limits_sent = False
        self.ended = False
        """Whether the session is over: the call was hung up."""
        self._started_at = started_at
        self._ids = Ids(rng)
        self.configuration = {**configuration, "id": self.new_id("sess"), "expires_at": started_at + SESSION_SECONDS}
        self.conversation_id = self.new_id("conv")
        self.ledger = Ledger(instruction_tokens=base_tokens(configuration))

    @property
    def transcribes(self) -> bool:
        """Whether this is a session for transcription, which has no responses."""
        return bool(self.configuration["type"] == "transcription")

    # Ids and events.

    def new_id(self, prefix: str) -> str:
        """Return an id of the present second."""
        return self._ids.dated(prefix, self._started_at + self.now)

    def new_call_id(self) -> str:
        """Return the id of a function call."""
        return self._ids.call()

    def emit(self, kind: str, **members: Any) -> None:
        """Send an event."""
        self.out.append({"type": kind, "event_id": self.new_id("event"), **members})

    def emit_delta(self, kind: str, where: dict[str, Any], delta: str) -> None:
        """Send a delta of text, padded as upstream pads it."""
        self.emit(kind, **where, delta=delta, obfuscation=self._ids.padding(delta))

    # Items.

    def add_item(self, entry: Entry, previous: Any = None) -> str | None:
        """Add an item to the conversation, after `previous` where it is given. Returns the id of the one before it.

        Raises `EventRefusedError`.
        """
        entry.item["id"] = entry.item["id"] or self.new_id("item")
        before = self.items.insert(self.items.place(previous, entry.item["id"]), entry)
        self.emit("conversation.item.added", previous_item_id=before, item=dict(entry.item))
        return before

    def finish_item(self, entry: Entry) -> None:
        """Say that an item of the conversation is complete."""
        self.emit("conversation.item.done", previous_item_id=self.items.before(entry), item=dict(entry.item))

    def add_whole_item(self, entry: Entry, previous: Any = None) -> None:
        """Add an item that is complete from the start. Raises `EventRefusedError`."""
        before = self.add_item(entry, previous)
        self.emit("conversation.item.done", previous_item_id=before, item=dict(entry.item))
        self.ledger.read(entry.text_tokens)
