"""What was said in a conversation, out of the records of an audit log. Pure.

A record names the item of what the user said. What the model said stands in the record of its response, as a list
without ids: it is joined with the messages that were added while the response ran, where there are as many of them.

What was heard of it is upstream's own report where there is one (`item.truncated`); all of it where playback reached
its end; and where playback was cut off, the share of the text that is the played share of the speech.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from steno.view.shapes import Body, Texts, characters
from steno.view.tally import OPEN_MOST, SAID
from steno.view.upstream_clock import UpstreamClock

Kind = Literal["speech", "text", "tool_call", "tool_output"]


class Said(Struct, kw_only=True):
    """One turn, call or output."""

    at: float | None
    item_id: str | None
    role: str | None
    kind: Kind
    text: str | None = None
    """Null where nothing is kept of it, or who asks may not see it."""
    characters: int | None = None
    """How long it was; null where nothing was seen of it."""
    heard: str | None = None
    """What the caller heard of it; null where that is unknown."""
    status: str | None = None


class _Response:
    """A response whose playback may still say what was heard."""

    def __init__(self) -> None:
        self.added: list[Said] = []
        """Messages that entered the conversation while it ran."""
        self.said: list[Said] = []
        self.audio_seconds: float | None = None


class Transcript:
    """The turns of a conversation so far."""

    def __init__(self, texts: Texts, clock: UpstreamClock) -> None:
        """Begin empty, and show what `texts` shows. `clock` places what is said without turns."""
        self._texts = texts
        self._clock = clock
        self._segments: list[tuple[float, int]] = []
        """What was said without turns: its place on upstream's clock, and where it stands. It is reported late."""
        self._entries: list[Said] = []
        self._items: dict[str, Said] = {}
        self._responses: dict[str | None, _Response] = {}
        self._played: dict[str | None, _Response] = {}
        """Responses that ended: their playback goes on."""
        self._calls: dict[str | None, Said] = {}
        self._claims: dict[int, int] = {}
        """Of how many responses under way an entry may be what they say, by its identity."""

    def add(self, at: float | None, fact: str, body: Body) -> None:
        """Take in one record."""
        handler = _HANDLERS.get(fact)
        if handler is not None:
            handler(self, at, body)

    def entries(self) -> list[Said]:
        """Return what was said, in order. Messages of the model that never said anything are left out."""
        self._order_segments()
        said = [each for each in self._entries if each.characters is not None or each.status or each.kind != "speech"]
        if self._segments and all(each.at is not None for each in said):
            said.sort(key=lambda each: each.at or 0)
        return said

    def _order_segments(self) -> None:
        """Let the segments stand in the order in which they were said, each where one of them stood."""
        places = [place for _, place in self._segments]
        ordered = [self._entries[place] for _, place in sorted(self._segments)]
        for place, entry in zip(places, ordered, strict=True):
            self._entries[place] = entry
        self._segments = [(start, place) for (start, _), place in zip(sorted(self._segments), places, strict=True)]

    def _item(self, at: float | None, item_id: str | None, role: str | None, kind: Kind) -> Said:
        """Return the turn that an item is; a new one is the last."""
        entry = self._items.get(item_id) if item_id is not None else None
        if entry is None:
            entry = Said(at=at, item_id=item_id, role=role, kind=kind)
            self._entries.append(entry)
            if item_id is not None:
                self._items[item_id] = entry
        return entry

    def _write(self, entry: Said, content: Any) -> None:
        if content is not None:
            entry.text, entry.characters = self._texts.text(content), characters(content)

    # Records --------------------------------------------------------------------------------------------

    def committed(self, at: float | None, body: Body) -> None:
        """What was committed is a turn of the user, whatever is known of it."""
        self._item(at, body.get("item_id"), "user", "speech")

    def item(self, at: float | None, body: Body) -> None:
        """A message enters the conversation: typed, or the place of what will be said."""
        if body.get("kind") != "message":
            return
        typed = body.get("text")
        entry = self._item(at, body.get("item_id"), body.get("role"), "text" if typed else "speech")
        entry.role = body.get("role") or entry.role
        self._write(entry, typed)
        if entry.role == "assistant" and entry.characters is None:
            self._claims[id(entry)] = self._claims.get(id(entry), 0) + len(self._responses)
            for response in self._responses.values():
                response.added.append(entry)

    def transcribed(self, at: float | None, body: Body) -> None:
        """What the user said is known, or will not be."""
        entry = self._item(at, body.get("item_id"), "user", "speech")
        self._write(entry, body.get("transcript"))
        entry.status = body.get("status")

    def response_started(self, _at: float | None, body: Body) -> None:
        """A response may say something. Past the most that are told apart the oldest is no longer waited for."""
        self._leave(body.get("response_id"))
        self._responses[body.get("response_id")] = _Response()
        if len(self._responses) > OPEN_MOST:
            self._leave(next(iter(self._responses)))

    def _leave(self, response_id: str | None) -> tuple[_Response, bool]:
        """Wait for a response no longer; return it, and whether no other one may have said what was added with it."""
        response = self._responses.pop(response_id, None) or _Response()
        alone = True
        for entry in response.added:
            self._claims[id(entry)] -= 1
            alone = alone and (entry.characters is not None or self._claims[id(entry)] == 0)
        return response, alone

    def response_finished(self, at: float | None, body: Body) -> None:
        """Take what a response says into the turns that it added, or behind all others."""
        response, alone = self._leave(body.get("response_id"))
        added = [each for each in response.added if each.characters is None]
        output = [each for each in body.get("output") or () if isinstance(each, dict) and each.get("kind") in SAID]
        match = alone and len(added) == len(output)
        for number, content in enumerate(output):
            entry = added[number] if match else self._item(at, None, "assistant", "speech")
            entry.kind = "text" if content.get("kind") == "text" else "speech"
            entry.status = body.get("status")
            self._write(entry, content)
            response.said.append(entry)
        response.audio_seconds = body.get("audio_seconds")
        if response.said:
            self._played[body.get("response_id")] = response

    def played(self, _at: float | None, body: Body) -> None:
        """All that a response said was heard, but for what was cut off."""
        response = self._played.get(body.get("response_id"))
        for entry in response.said if response else ():
            if entry.status != "truncated":
                entry.heard = entry.text

    def cleared(self, _at: float | None, body: Body) -> None:
        """Only the played share of what a response said was heard. Of several messages nobody knows which."""
        response, played = self._played.get(body.get("response_id")), body.get("played_seconds")
        if response is None or len(response.said) != 1 or not response.audio_seconds or played is None:
            return
        (entry,) = response.said
        if entry.status != "truncated" and entry.text is not None:
            entry.heard = _beginning(entry.text, played / response.audio_seconds)
            entry.status = "truncated"

    def segment(self, at: float | None, body: Body) -> None:
        """The user or the model spoke for a while. What was heard of the model is not known."""
        entry = Said(at=at, item_id=None, role=body.get("role"), kind="speech")
        self._write(entry, body.get("transcript"))
        start = body.get("start_ms")
        if isinstance(start, int | float):
            self._segments.append((start, len(self._entries)))
        self._entries.append(entry)

        def place(begin: float | None, _end: float | None) -> None:
            entry.at = entry.at if begin is None else begin

        self._clock.wait(start, body.get("end_ms"), place)

    def truncated(self, at: float | None, body: Body) -> None:
        """Upstream says how much of an item was played."""
        entry = self._item(at, body.get("item_id"), "assistant", "speech")
        entry.status = "truncated"
        entry.heard = self._texts.text(body.get("heard"))

    def message(self, at: float | None, body: Body) -> None:
        """A message of a thread is whole."""
        entry = self._item(at, body.get("message_id"), body.get("role"), "text")
        entry.status, entry.kind = body.get("status"), "text"
        self._write(entry, body.get("text"))

    def called(self, at: float | None, body: Body) -> None:
        """The model begins to call a tool."""
        entry = Said(at=at, item_id=body.get("call_id"), role="assistant", kind="tool_call")
        self._calls[body.get("call_id")] = entry
        self._entries.append(entry)

    def returned(self, at: float | None, body: Body) -> None:
        """A tool call ended, with or without an output."""
        if body.get("call_id") not in self._calls:
            self.called(at, body)
        entry = self._calls.pop(body.get("call_id"))
        entry.status = body.get("status")
        self._write(entry, body.get("arguments"))
        if body.get("output") is not None:
            output = Said(at=at, item_id=body.get("call_id"), role="tool", kind="tool_output", status=entry.status)
            self._write(output, body["output"])
            self._entries.append(output)


def _beginning(text: str, share: float) -> str:
    """Return the share of `text` that was played, cut at a word."""
    if share >= 1:
        return text
    cut = round(len(text) * max(share, 0))
    inside = 0 < cut < len(text) and not text[cut].isspace() and not text[cut - 1].isspace()
    return (text[:cut].rpartition(" ")[0] if inside else text[:cut]).rstrip()


_HANDLERS: Final[Mapping[str, Callable[[Transcript, float | None, Body], None]]] = {
    "input.committed": Transcript.committed,
    "item.added": Transcript.item,
    "transcription.finished": Transcript.transcribed,
    "response.started": Transcript.response_started,
    "response.finished": Transcript.response_finished,
    "playback.stopped": Transcript.played,
    "playback.cleared": Transcript.cleared,
    "item.truncated": Transcript.truncated,
    "segment.finished": Transcript.segment,
    "message.finished": Transcript.message,
    "tool_call.started": Transcript.called,
    "tool_call.finished": Transcript.returned,
}
"""What each record adds."""
