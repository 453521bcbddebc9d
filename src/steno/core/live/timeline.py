"""Who spoke when in a Live session, on upstream's clock: segments, double talk and turn latency.

Theory of operation
-------------------

Upstream reports no turns. Words come in fragments, of the user and of the model, each with its place on a clock of
milliseconds since the session began. Both speak when they like. What is made of it:

*Segment.* Fragments of one speaker that follow each other with pauses of at most `PAUSE_MS`. The clock goes by 200 ms.
In recordings, pauses within a sentence reach 600 ms; 800 ms and more stand between two things that are said.

*Its end.* A segment is over when a fragment of the same speaker comes after a longer pause, when the session ends, or
when the clock has gone on by `SETTLED_MS` since its last word. That is twice the pause, since the clock is also told by
events that are ahead of the words: audio is reflected up to 400 ms before its transcript.

*Double talk.* The time in which both speak: where a fragment of one covers time that fragments of the other cover. Each
new fragment is held against the newest `RUNS` connected pieces of the other's speech, so that the sum does not depend
on whose words come first.

*Turn latency.* From the end of the user's segment to the beginning of the first segment of the model behind it. It is
decided when the model's segment is over, for then the user's last words have come, too. A model that begins while the
user still speaks answers nothing by that: there the time is double talk, and its next segment may be the answer. What
the user heard, and when, is not on the wire: these are times at the server.

Fragments without a place have words alone: a segment of them ends when the other one speaks, and has no times. A
fragment that lies before the present segment, by more than a pause, is a segment of its own.

A session may be followed twice by one source, on its own connection and on a sideband. Both carry the same words, each
in order. Whichever is ahead is believed: a fragment from the other one counts only where it begins after all words that
came so far.
"""

from typing import Final

from steno.core.memory import MemoryAccount
from steno.core.transcript import Entry

PAUSE_MS: Final = 700
SETTLED_MS: Final = 2 * PAUSE_MS
RUNS: Final = 64
"""Connected pieces of one speaker's words that those of the other are held against. Words of both
come within a second of each other, in which there are five pieces at most."""
RUN_BYTES: Final = 128

USER: Final = "user"
MODEL: Final = "assistant"


class Segment(Entry):
    """What one speaker said without a longer pause. Its text is its only part."""

    __slots__ = ("answered", "double_ms", "end_ms", "key", "role", "start_ms")

    def __init__(self, key: str, role: str) -> None:
        """Begin without words."""
        super().__init__()
        self.key = key
        self.role = role
        self.start_ms: int | None = None
        self.end_ms: int | None = None
        self.double_ms = 0
        self.answered = False
        """Whether the model has answered it: one segment of the user has one answer."""

    def cover(self, start: int, end: int) -> None:
        """Let a fragment from `start` to `end` be part of it."""
        self.start_ms = start if self.start_ms is None else min(self.start_ms, start)
        self.end_ms = end if self.end_ms is None else max(self.end_ms, end)


class Runs:
    """When one speaker spoke: pieces of time that do not touch, in order, the newest `RUNS` of them."""

    __slots__ = ("_memory", "_pieces", "forgotten_ms")

    def __init__(self, memory: MemoryAccount) -> None:
        """Begin in silence. What is held is charged to `memory`."""
        self._pieces: list[tuple[int, int]] = []
        self._memory = memory
        self.forgotten_ms = 0
        """Up to where pieces were forgotten: what comes of it late counts no more."""

    def add(self, start: int, end: int) -> list[tuple[int, int]]:
        """Add the time from `start` to `end`. Return what of it is new, in pieces."""
        start = max(start, self.forgotten_ms)
        if start >= end:
            return []
        pieces = self._pieces
        if not pieces or start > pieces[-1][1]:  # as most fragments do, it follows all others
            pieces.append((start, end))
            self._memory.charge(RUN_BYTES)
            self._forget()
            return [(start, end)]
        return self._insert(start, end)

    def _insert(self, start: int, end: int) -> list[tuple[int, int]]:
        """Add time that touches what is there, or stands between it."""
        new: list[tuple[int, int]] = []
        before, after, at, joined_start, joined_end = [], [], start, start, end
        for first, last in self._pieces:
            if last < start:
                before.append((first, last))
            elif first > end:
                after.append((first, last))
            else:
                if first > at:
                    new.append((at, first))
                at = max(at, last)
                joined_start, joined_end = min(joined_start, first), max(joined_end, last)
        if at < end:
            new.append((at, end))
        pieces = [*before, (joined_start, joined_end), *after]
        self._memory.charge(RUN_BYTES * (len(pieces) - len(self._pieces)))
        self._pieces = pieces
        self._forget()
        return new

    def _forget(self) -> None:
        if len(self._pieces) > RUNS:
            self.forgotten_ms = self._pieces.pop(0)[1]
            self._memory.charge(-RUN_BYTES)

    def shared(self, others: list[tuple[int, int]]) -> int:
        """Return how many milliseconds of `others` are in it."""
        total = 0
        for start, end in others:
            for first, last in reversed(self._pieces):
                if last <= start:
                    break
                total += max(0, min(end, last) - max(start, first))
        return total

    def clear(self) -> None:
        """Forget all."""
        self._memory.charge(-RUN_BYTES * len(self._pieces))
        self._pieces = []
        self.forgotten_ms = 0


class Speaker:
    """One of the two who speak in a session."""

    __slots__ = ("end_ms", "role", "runs", "segment", "stream")

    def __init__(self, role: str, memory: MemoryAccount) -> None:
        """Begin in silence."""
        self.role = role
        self.runs = Runs(memory)
        self.segment: Segment | None = None
        """What is being said."""
        self.end_ms = 0
        """Up to where words have come."""
        self.stream: str | None = None
        """Where the words came from that are ahead."""

    def repeats(self, stream: str, start: int | None) -> bool:
        """Return whether a fragment of `stream` that begins at `start` came before, on another stream."""
        if stream == self.stream:
            return False
        if self.stream is not None and start is not None and start < self.end_ms:
            return True
        self.stream = stream
        return False

    def is_apart(self, start: int | None, end: int | None, *, after_other: bool) -> bool:
        """Return whether a fragment is no part of the present segment.

        `after_other` tells whether the other one has spoken since: without a place on the clock, that is what counts.
        """
        segment = self.segment
        if segment is None:
            return True
        if start is None or end is None or segment.start_ms is None or segment.end_ms is None:
            return after_other
        return start - segment.end_ms > PAUSE_MS or segment.start_ms - end > PAUSE_MS


class Timeline:
    """The clock of a session, both speakers, and whose turn was answered when."""

    __slots__ = ("_newest_user", "_user_before", "clock_ms", "double_talk_ms", "last_role", "model", "user")

    def __init__(self, memory: MemoryAccount) -> None:
        """Begin at 0, in silence."""
        self.clock_ms = 0
        self.user = Speaker(USER, memory)
        self.model = Speaker(MODEL, memory)
        self.last_role: str | None = None
        self.double_talk_ms = 0
        self._newest_user: Segment | None = None
        self._user_before: Segment | None = None

    def of(self, role: str) -> Speaker:
        """Return one of the speakers."""
        return self.user if role == USER else self.model

    def begin(self, speaker: Speaker, segment: Segment) -> None:
        """Let `segment` be what the speaker says now."""
        speaker.segment = segment
        if speaker.role == USER:
            self._newest_user, self._user_before = segment, self._newest_user

    def say(self, speaker: Speaker, segment: Segment, start: int, end: int) -> None:
        """Let a fragment of `segment` stand from `start` to `end`, and count what both say at once."""
        other = self.model if speaker.role == USER else self.user
        segment.cover(start, end)
        speaker.end_ms = max(speaker.end_ms, end)
        both = other.runs.shared(speaker.runs.add(start, end))
        if both:
            self.double_talk_ms += both
            segment.double_ms += both
            if other.segment is not None:
                other.segment.double_ms += both
        self.go_on(end)

    def go_on(self, at_ms: int) -> None:
        """Let the clock stand at `at_ms`, unless it is later already."""
        self.clock_ms = max(self.clock_ms, at_ms)

    def is_settled(self, segment: Segment | None) -> bool:
        """Return whether the clock has gone on so far that no more of `segment` will come."""
        return segment is not None and segment.end_ms is not None and self.clock_ms - segment.end_ms >= SETTLED_MS

    def latency_ms(self, segment: Segment) -> int | None:
        """Return how long the user waited for a segment of the model that is over; None where it answers nothing."""
        if segment.role != MODEL or segment.start_ms is None:
            return None
        asked = self._last_of_user(segment.start_ms)
        if asked is None or asked.answered or asked.end_ms is None or asked.end_ms > segment.start_ms:
            return None
        asked.answered = True
        return segment.start_ms - asked.end_ms

    def _last_of_user(self, before_ms: int) -> Segment | None:
        """Return the last segment of the user that begins before a time."""
        found: Segment | None = None
        for each in (self._newest_user, self._user_before):
            start = each.start_ms if each is not None else None
            if start is not None and start < before_ms and (found is None or start > (found.start_ms or 0)):
                found = each
        return found
