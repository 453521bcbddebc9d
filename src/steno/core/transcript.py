"""The texts of a conversation: by item and part, growing by deltas, within one budget for all of them.

Both families that have a transcript use it: the items of a realtime session, and the messages of a thread.
"""

from collections.abc import Iterable
from typing import Final, Generic, NamedTuple, TypeVar

from steno.core.bounded import LinkedKeys
from steno.core.memory import (
    ITEM_BYTES,
    PART_BYTES,
    TEXT_FACTOR,
    WIDE_TEXT_FACTOR,
    MemoryAccount,
    text_bytes,
)
from steno.limits import Limits

PARTS: Final = 256
"""Parts of one item, message or step whose text is kept. Real ones have a handful. Text that upstream writes into
further parts is in the raw objects alone: an index costs nothing to send, and a part costs memory."""

PART_NOT_KEPT: Final = "part_not_kept"
"""The reason under which a text in a part beyond those is counted."""

PIECES: Final = 8
"""Pieces of a growing text before they are joined: a small string takes ten times the memory of its characters."""
CHARACTERS_A_PIECE: Final = 96
"""Characters of a text for which it may have one more piece. So the pieces take less than the text, and all characters
are copied a few times while it grows, however long it becomes."""
AHEAD_CHARACTERS: Final = 256
AHEAD_SHARE: Final = 8
"""How far ahead a transcript is charged for its characters: an eighth of those it has, and not less than 256."""


SHRINKS: Final = 16
"""The share of the budget that is made free at a time where the budget is used up: a sixteenth."""


class PartName(NamedTuple):
    """One of the names under which upstream sends a kind of part. Two of a kind are the same part, sent twice."""

    kind: str
    dialect: str


class GrowingText:
    """A text that grows by deltas. The pieces are kept, and joined when the text is read."""

    __slots__ = ("length", "most", "name", "others", "pieces", "settled")

    def __init__(self) -> None:
        """Begin empty."""
        self.pieces: list[str] = []
        self.length = 0
        self.most = PIECES
        """How many pieces it may have before they are joined."""
        self.name: PartName | None = None
        """The name that its deltas have; None while it has none, and where there is only one."""
        self.others: tuple[PartName, ...] = ()
        """The names of further kinds of deltas, where upstream mixes kinds in one part."""
        self.settled: tuple[PartName, ...] = ()
        """The names under which its final text came."""

    def append(self, piece: str) -> None:
        """Add the piece of one delta."""
        self.pieces.append(piece)
        self.length += len(piece)
        if len(self.pieces) > self.most:
            self.read()

    def replace(self, text: str) -> None:
        """Replace all pieces by `text`."""
        self.pieces = [text]
        self.length = len(text)

    def read(self) -> str:
        """Return the text so far."""
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
            self.most = PIECES + self.length // CHARACTERS_A_PIECE
        return self.pieces[0] if self.pieces else ""

    def goes_by(self, name: PartName | None) -> bool:
        """Return whether deltas of `name` are its own. The first name of a kind is; another one of that kind is not."""
        known = self.others if self.name is None else (*self.others, self.name)
        if name is None or name in known:
            return True
        if any(each.kind == name.kind for each in known):
            return False
        self.name, self.others = name, known
        return True

    def settles_by(self, name: PartName | None) -> bool:
        """Return whether the final text of `name` is its own: the first name of a kind, whichever its deltas had."""
        if name is None or name in self.settled:
            return True
        if any(each.kind == name.kind for each in self.settled):
            return False
        self.settled = (*self.settled, name)
        self.goes_by(name)  # deltas that come after it
        return True


def part_of(parts: dict[int, GrowingText], index: int) -> GrowingText | None:
    """Return the part `index`, made if it is new; None where so many parts are not kept."""
    part = parts.get(index)
    if part is None and index < PARTS:
        part = parts[index] = GrowingText()
    return part


class Entry:
    """One item or message of a transcript, and its text by part."""

    __slots__ = ("grew", "parts")

    def __init__(self) -> None:
        """Begin without text."""
        self.parts: dict[int, GrowingText] = {}
        self.grew = False
        """Whether deltas brought any of the text."""

    def text(self) -> str:
        """Return the text of all parts, in the order of their index."""
        if len(self.parts) == 1:
            return next(iter(self.parts.values())).read()
        return "".join(self.parts[index].read() for index in sorted(self.parts))

    def length(self) -> int:
        """Return how many characters are held."""
        return sum(part.length for part in self.parts.values())


E = TypeVar("E", bound=Entry)


class Transcript(Generic[E]):
    """The entries of a conversation in order: at most `limits.items`, with `limits.transcript_bytes` of text in all.

    Past the number of items the oldest entry goes. Past the budget the oldest entries lose their text and stay: a
    long session keeps its latest turns, and the order of all.
    """

    __slots__ = (
        "_budget",
        "_factor",
        "_items",
        "_memory",
        "_newest_last",
        "_rejected",
        "_step",
        "characters",
        "entries",
        "order",
    )

    def __init__(
        self, limits: Limits, rejected: dict[str, int], memory: MemoryAccount | None = None, *, newest_last: bool
    ) -> None:
        """Begin empty.

        Args:
            limits: how many entries are kept, and how many characters.
            rejected: the conversation's counts by reason, where a part that is not kept is counted.
            memory: what is charged for entries, parts and characters.
            newest_last: whether the entry that is being written loses its text only when all others have.
        """
        self.entries: dict[str, E] = {}
        self.order = LinkedKeys()
        """The keys of `entries`, the oldest first."""
        self.characters = 0
        """Characters held in all entries."""
        self._items = limits.items
        self._budget = limits.transcript_bytes
        self._memory = memory or MemoryAccount()
        self._step = 0
        """Characters that are charged for; at most the budget. Past it there is something to do."""
        self._factor = TEXT_FACTOR
        self._rejected = rejected
        self._newest_last = newest_last

    def add(self, key: str, entry: E) -> None:
        """Add the new entry `key` as the last one. Past the limit the oldest goes."""
        self.entries[key] = entry
        self.order.append(key)
        self._memory.charge(ITEM_BYTES + text_bytes(key))
        if len(self.order) > self._items:
            oldest = self.order.pop_oldest()
            self._release(oldest, self.entries.pop(oldest))

    def place(self, key: str, previous: str | None) -> bool:
        """Move the entry `key` behind the entry `previous`; leave it where that is unknown, and return False."""
        known = previous is not None and previous in self.entries and previous != key
        if known and previous is not None:
            self.order.move_behind(key, previous)
        return known

    def remove(self, key: str) -> None:
        """Remove the entry `key`."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.order.remove(key)
            self._release(key, entry)

    def grow(self, entry: E, index: int | None, piece: str, name: PartName | None = None) -> bool:
        """Add the piece of a delta to a part of `entry`; without an index, to the first.

        Returns:
            False where the part grows by deltas of another name: this piece has come already, or is still to come.
        """
        index = index or 0
        part = entry.parts.get(index)
        if part is None or part.name is not name:
            part = part or self._new_part(entry, index)
            if part is None:
                return True
            if not part.goes_by(name):
                return False
        # `part.append(piece)`, written out: a call less on the path of each delta.
        length = len(piece)
        part.pieces.append(piece)
        part.length += length
        if len(part.pieces) > part.most:
            part.read()
        entry.grew = True
        self.characters += length
        if self.characters > self._step:
            self._step_on(entry, part)
        return True

    def write(self, entry: E, index: int, text: str) -> None:
        """Replace a part of `entry` by `text`."""
        part = entry.parts.get(index) or self._new_part(entry, index)
        if part is None:
            return
        self.characters += len(text) - part.length
        part.replace(text)
        self._step_on(entry, part)

    def settle(self, entry: E, parts: Iterable[tuple[int, str]], further: Iterable[int] = ()) -> bool:
        """Replace what the deltas built by the final text, which stands. Return whether the deltas had led elsewhere.

        Args:
            entry: the entry that upstream sent in its final form.
            parts: the text of that form by part; parts of `entry` that are not named keep theirs.
            further: the parts of `entry` that the final form does not have. They are dropped.
        """
        differs = False
        for index in further:
            length = entry.parts.pop(index).length
            self._memory.charge(-PART_BYTES)
            self.characters -= length
            differs |= length > 0
        for index, text in parts:
            part = entry.parts.get(index)
            if part is None:
                self.write(entry, index, text)
            elif part.read() != text:  # upstream repeats the final text in up to five events
                self.write(entry, index, text)
                differs = True
        return differs and entry.grew

    def erase(self) -> None:
        """Drop the text of all entries; the entries stay."""
        for entry in self.entries.values():
            self._drop_text(entry)
        self._charge()

    def _new_part(self, entry: E, index: int) -> GrowingText | None:
        """Return the new part `index` of `entry`; None where so many are not kept, which is counted."""
        part = part_of(entry.parts, index)
        if part is None:
            self._rejected[PART_NOT_KEPT] = self._rejected.get(PART_NOT_KEPT, 0) + 1
        else:
            self._memory.charge(PART_BYTES)
        return part

    def _release(self, key: str, entry: E) -> None:
        """Charge no more for the entry `key`, which was removed."""
        self._drop_text(entry)
        self._memory.charge(-ITEM_BYTES - text_bytes(key))
        self._charge()

    def _step_on(self, entry: E, part: GrowingText) -> None:
        """Keep to the budget, and charge for the characters that there are now. `part` of `entry` was written last."""
        if self._factor == TEXT_FACTOR and not part.read().isascii():
            self._memory.charge((WIDE_TEXT_FACTOR - TEXT_FACTOR) * self._step)
            self._factor = WIDE_TEXT_FACTOR
        if self.characters > self._budget:
            self._shrink(entry)
        self._charge()

    def _charge(self) -> None:
        """Charge ahead for the characters that there are now; they may be fewer than before."""
        held = self.characters
        step = min(self._budget, held + max(AHEAD_CHARACTERS, held // AHEAD_SHARE)) if held else 0
        if step > self._step or 2 * step < self._step:
            self._memory.charge(self._factor * (step - self._step))
            self._step = step

    def _shrink(self, newest: E) -> None:
        """Drop the text of the oldest entries until the rest fits. `newest` is the entry that is being written.

        It makes room for a share of the budget, since it goes through all entries: not once for every further delta.
        """
        enough = self._budget - self._budget // SHRINKS
        for key in self.order:
            if self.characters <= enough:
                return
            entry = self.entries[key]
            if entry is not newest or (not self._newest_last and self.characters > self._budget):
                self._drop_text(entry)
        if self.characters > self._budget:
            self._drop_text(newest)

    def _drop_text(self, entry: E) -> None:
        self.characters -= entry.length()
        self._memory.charge(-PART_BYTES * len(entry.parts))
        entry.parts.clear()
