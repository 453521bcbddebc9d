"""The state of a Live session: its timeline, what both sides say on it, and what it has used.

The timeline counts milliseconds from the session's start in ticks of 200. A tick has the sound of the voice, and the
words that either side has said in it: there are no turns and no items. Over a websocket the timeline moves on with the
sound that the client sends, and while the voice speaks. In a call it moves on by itself.
"""

import base64
import functools
from collections import deque
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.interactive.hearing import Hearing
from steno.simulate.interactive.items import Entry
from steno.simulate.interactive.sound import bytes_a_ms, sound_base64
from steno.simulate.live.configuration import Event
from steno.simulate.responses.answers import Plan
from steno.simulate.responses.store import Kept
from steno.simulate.steps import Ids
from steno.simulate.tasks import Task, Tasks
from steno.simulate.voice_scripts import Script

TICK_MS: Final = 200
USAGE_SECONDS: Final = 15
"""How often the usage is reported."""
_CONTEXT_MS: Final = 1_360_000
"""A timeline of this length fills the context window: the recordings had 1.03 % after 14 seconds."""
_WORDS_A_TICK: Final = (1, 1, 2)
_PAUSE_CHANCE: Final = 0.1  # that a tick between two words has none
_FIRST_IN_EVENT: Final = frozenset({"session.started", "response.event"})
"""Events that begin with their `event_id`; the others end with it."""


class Usage:
    """The time that a session has used."""

    def __init__(self, *, standby: bool) -> None:
        """Count standby apart, where the session has it."""
        self._standby = standby
        self.paused_ms = 0
        self.reported_ms = 0

    def shown(self, ms: int) -> Event:
        """Return the usage at a time of the timeline: whole seconds, cumulative."""
        seconds = ms // 1000
        if not self._standby:
            return {"seconds": float(seconds)}
        paused = min(self.paused_ms // 1000, seconds)
        return {"seconds": float(seconds), "active_seconds": seconds - paused, "paused_seconds": paused}


class Delegation(msgspec.Struct, eq=False):
    """A task that was delegated."""

    id: str | None
    target: str
    last: Kept | None = None
    """The last response of its backend."""
    waits: bool = False
    """Whether it waits for its client."""
    open: bool = True
    """Whether nothing was answered yet."""


class State(Tasks):
    """The state of one session. `handlers`, `turns` and `delegation` say what happens in it."""

    def __init__(self, rng: Random, started_at: int, script: Script, plan: Plan, *, call: bool, standby: bool) -> None:
        """Begin at the Unix second `started_at`. A call moves on by itself; `standby` says whether it may pause."""
        super().__init__()
        self.rng = rng
        self.script = script
        self.plan = plan
        self.call = call
        self.ms = 0
        """The present of the timeline."""
        self.out: list[Event] = []
        self.session: Event | None = None
        """What was started, as events show it."""
        self.ended = False
        self.muted = False
        self.paused = False
        self.hearing = Hearing()
        self.utterances = 0
        self.caller: deque[str] = deque()
        """What the caller says in the next ticks of a call; an empty text is silence."""
        self.voice: deque[str] = deque()
        """What the voice says in the next ticks."""
        self.usage = Usage(standby=standby)
        self.delegations: dict[str | None, Delegation] = {}
        """Tasks that were delegated, and under None what no delegation names."""
        self.given: list[Entry] = []
        """Items of the client that the backend has not read."""
        self.ids = Ids(rng)
        self._started_at = started_at
        self._ticking = False
        self._spoken_ms = 0

    @property
    def second(self) -> int:
        """The Unix second of its clock."""
        return self._started_at + int(self.now)

    @property
    def busy(self) -> bool:
        """Whether somebody speaks, or a task is under way."""
        return bool(self.voice or self.caller) or any(each.open for each in self.delegations.values())

    # Ids and events.

    def new_id(self, prefix: str) -> str:
        """Return an id of the present second."""
        return self.ids.dated(prefix, self.second)

    def emit(self, kind: str, **members: Any) -> None:
        """Send an event, with its id where the service has it."""
        identity = {"event_id": self.new_id("event")}
        if kind in _FIRST_IN_EVENT:
            self.out.append({**identity, "type": kind, **members})
        else:
            self.out.append({"type": kind, **members, **identity})

    def answer_to(self, asked: Event) -> Event:
        """Return the member that names the client event which is answered, where it has an id."""
        event_id = asked.get("event_id")
        return {"client_event_id": event_id[:512]} if isinstance(event_id, str) else {}

    # The timeline.

    def say(self, words: str) -> None:
        """Let the voice say something, after what it is saying."""
        self.voice.extend(chunks(self.rng, words))
        if not self._ticking and not self.call:
            self._ticking = True
            self.begin(self._speak())

    def _speak(self) -> Task:
        """Move the timeline on while the voice speaks, over a websocket."""
        while self.voice and not self.ended:
            yield TICK_MS / 1000
            self.tick()
        self._ticking = False

    def tick(self) -> None:
        """Move the timeline on by a tick."""
        where = {"start_ms": self.ms, "end_ms": self.ms + TICK_MS}
        heard = self.caller.popleft() if self.caller else ""
        said = self.voice.popleft() if self.voice else ""
        self.ms += TICK_MS
        if self.call:
            self.out.append({"type": "session.input_audio.append", "audio": self._sound(loud=bool(heard))})
        self._emit_sound(where, loud=bool(said))
        if heard and not self.muted:
            self.emit("session.input_transcript.delta", **where, delta=heard)
        if said:
            self.emit("session.output_transcript.delta", **where, delta=said)
        self.report()

    def _emit_sound(self, where: Event, *, loud: bool) -> None:
        self.out.append({"type": "session.output_audio.delta", "delta": self._sound(loud=loud), **where})

    def _sound(self, *, loud: bool) -> str:
        kind = ((self.session or {}).get("audio", {}).get("format") or {}).get("type", "audio/pcm")
        if not loud:
            return silence(kind)
        self._spoken_ms += TICK_MS
        return sound_base64(kind, self._spoken_ms, TICK_MS)

    def report(self) -> None:
        """Report the usage, where it is time."""
        if self.ms - self.usage.reported_ms < USAGE_SECONDS * 1000:
            return
        self.usage.reported_ms += USAGE_SECONDS * 1000
        ratio = {"usage_ratio": round(self.ms / _CONTEXT_MS, 6)}
        self.emit("session.usage.updated", usage=self.usage.shown(self.ms), context_window=ratio)

    def close(self, reason: str, asked: Event | None = None) -> None:
        """End the session."""
        if self.ended:
            return
        self.ended = True
        if self.session is not None:
            final = {"reason": reason, "session": self.session, "usage": self.usage.shown(self.ms)}
            self.emit("session.closed", **final, **self.answer_to(asked or {}))


def chunks(rng: Random, words: str) -> list[str]:
    """Return what is said in each tick: a word or two with the space before them, now and then nothing."""
    left = deque(words.split())
    found: list[str] = []
    while left:
        taken = " ".join(left.popleft() for _ in range(min(rng.choice(_WORDS_A_TICK), len(left))))
        found.append(f" {taken}" if found else taken)
        if left and rng.random() < _PAUSE_CHANCE:
            found.append("")
    return found


@functools.cache
def silence(kind: str) -> str:
    """Return a tick of silence in the format `kind`, as base64."""
    quiet = {"audio/pcm": b"\0", "audio/pcmu": b"\xff"}.get(kind, b"\xd5")
    return base64.b64encode(quiet * bytes_a_ms(kind) * TICK_MS).decode()
