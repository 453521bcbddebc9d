"""What conversations hold in memory: counted, and bounded over all of them together. Pure.

Theory of operation
-------------------

Each conversation is bounded by itself, and so is their number, but limits multiply. So what all of them hold is added
up (`MemoryBudget`), and past `Limits.conversation_bytes` the oldest kept objects are dropped, then whole conversations
are closed.

Bytes are *counted*, never measured: the length of what is kept, and a fixed charge for each object, item, id or
conversation. So the same frames lead to the same evictions in every process, in replay as in the daemon. The charges
stand below. They are what CPython takes, rounded up; `tests/test_memory.py` holds a process against them.

Counting costs the path of a delta nothing, because whoever grows is charged ahead, in steps:

- A set of ids (`BoundedSet`) is charged for room for more ids than it has, and again when that is used up.
- A transcript is charged for more characters than it has. It compares its length with the next step in place of its
  limit, which is a step too.
- All else (objects, items, calls, responses) changes on events that cost far more than the charge.

Nothing is dropped while a handler runs: a charge past the limit sets `MemoryBudget.over`, and the registry looks at it
after the event.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

CONVERSATION_BYTES: Final = 8 * 1024
"""A conversation: its counters and names, what leads to it, and its collections. Most of those are made when they are
first used; then they take what is charged here from the beginning. One that has only begun takes half of it."""
ID_BYTES: Final = 192
"""An id in a set of ids: a string of up to `ID_CHARACTERS_KEPT` characters, and its places in the set."""
OBJECT_BYTES: Final = 256
"""A kept object, besides its bytes."""
ITEM_BYTES: Final = 768
"""An item or a message, besides its key and its parts."""
PART_BYTES: Final = 640
"""A part of an item: an empty text, and the pieces that are not joined yet."""
OPEN_BYTES: Final = 512
"""A response, run, step or call in progress, besides its object and its texts."""
PIECE_BYTES: Final = 64
"""A piece of a text that is not joined, besides its characters."""
ENDED_CALL_BYTES: Final = 320
"""A tool call that ended."""
BUCKET_BYTES: Final = 384
"""A sum of tokens or seconds of one more model."""
TEXT_FACTOR: Final = 2
"""Bytes a character of a transcript: one, and as much again while pieces wait to be joined."""
WIDE_TEXT_FACTOR: Final = 5
"""The same where a text is not ASCII: one character beyond it makes all of a text take up to four bytes each."""


def text_bytes(text: str) -> int:
    """Return how many bytes `text` takes at most, besides a fixed charge."""
    return len(text) if text.isascii() else 4 * len(text)


class KeptObjects(Protocol):
    """Objects that may be dropped: those of one kind of one conversation."""

    def drop_oldest(self) -> None:
        """Drop the oldest object, and release it."""

    def numbers_held(self) -> list[int]:
        """Return the number of each object that is held; see `MemoryAccount.keep`."""


class MemoryBudget:
    """The bytes of all open conversations together, and their kept objects in order of age."""

    __slots__ = ("_kept", "_number", "bytes", "dropped_objects", "limit", "over")

    def __init__(self, limit: int) -> None:
        """Hold nothing yet; `limit` is in bytes."""
        self.bytes = 0
        self.over = False
        """Whether more is held than the limit. On the path of every event."""
        self.dropped_objects = 0
        """How many objects `drop_oldest` has dropped."""
        self.limit = limit
        self._number = 0
        self._kept: OrderedDict[int, KeptObjects] = OrderedDict()

    def charge(self, size: int) -> None:
        """Count `size` bytes more, or fewer where it is negative."""
        self.bytes += size
        self.over = self.bytes > self.limit

    def keep(self, store: KeptObjects) -> int:
        """Note that `store` holds one object more. Return its number."""
        self._number += 1
        self._kept[self._number] = store
        return self._number

    def release(self, number: int) -> None:
        """Note that the object `number` is held no more."""
        self._kept.pop(number, None)

    def drop_oldest(self) -> bool:
        """Drop the object that was kept first; return whether there was one."""
        if not self._kept:
            return False
        store = next(iter(self._kept.values()))
        store.drop_oldest()
        self.dropped_objects += 1
        return True


class MemoryAccount:
    """What one conversation is charged for. It counts in the budget of all while the conversation is open."""

    __slots__ = ("__weakref__", "_budget", "_stores", "bytes")

    def __init__(self) -> None:
        """Hold nothing yet, outside of any budget."""
        self.bytes = 0
        self._budget: MemoryBudget | None = None
        self._stores: tuple[KeptObjects, ...] = ()

    def charge(self, size: int) -> None:
        """Count `size` bytes more, or fewer where it is negative."""
        self.bytes += size
        budget = self._budget
        if budget is not None:  # `budget.charge(size)`, written out: this is called for most events that are no delta
            budget.bytes += size
            budget.over = budget.bytes > budget.limit

    def open(self, budget: MemoryBudget) -> None:
        """Count in `budget` from now on, before any object is kept."""
        self._budget = budget
        budget.charge(self.bytes)

    def close(self) -> None:
        """Count in the budget no more; its objects are nobody's to drop."""
        budget, self._budget = self._budget, None
        if budget is None:
            return
        budget.charge(-self.bytes)
        for store in self._stores:
            for number in store.numbers_held():
                budget.release(number)
        self._stores = ()  # stores and account know each other: without this they would wait for the collector

    def add_store(self, store: KeptObjects) -> None:
        """Know `store` as one whose objects count here."""
        self._stores = (*self._stores, store)

    def keep(self, store: KeptObjects, raw: bytes) -> int:
        """Charge for an object that `store` keeps. Return its number, 0 outside of a budget."""
        self.charge(OBJECT_BYTES + len(raw))
        return self._budget.keep(store) if self._budget is not None else 0

    def release(self, number: int, raw: bytes) -> None:
        """Charge no more for the object `raw`, which has this number."""
        self.charge(-OBJECT_BYTES - len(raw))
        if self._budget is not None:
            self._budget.release(number)


class Held:
    """Base of what is in progress: a response, a run, a step, a call."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        """Begin with nothing."""
        self.held = 0
        """Bytes that it is charged for."""

    def weight(self) -> int:
        """Return how many bytes it holds besides the fixed charge: its object, its texts."""
        return 0


K = TypeVar("K")
V = TypeVar("V", bound=Held)


class InProgress(dict[K, V]):
    """What is in progress in a conversation, by id. Whatever enters is charged, whatever leaves is released."""

    __slots__ = ("_key_bytes", "_memory")

    def __init__(self, memory: MemoryAccount, key_bytes: Callable[[K], int] = text_bytes) -> None:  # type: ignore[assignment]  # most keys are ids
        """Begin empty, and charge `memory`; `key_bytes` returns how many bytes an id takes."""
        super().__init__()
        self._memory = memory
        self._key_bytes = key_bytes

    def __setitem__(self, key: K, value: V) -> None:
        """Add `value`, or put it in place of another."""
        if key in self:
            del self[key]
        super().__setitem__(key, value)
        value.held = OPEN_BYTES + self._key_bytes(key) + value.weight()
        self._memory.charge(value.held)

    def __delitem__(self, key: K) -> None:
        """Remove what has this id."""
        self._memory.charge(-self[key].held)
        super().__delitem__(key)

    def pop(self, key: K, *default: Any) -> Any:
        """Remove and return what has this id, as `dict.pop`."""
        if key in self:
            self._memory.charge(-self[key].held)
        return super().pop(key, *default)

    def clear(self) -> None:
        """Remove all."""
        for value in self.values():
            self._memory.charge(-value.held)
        super().clear()

    def weigh(self, key: K) -> None:
        """Charge anew what has this id, after it changed; nothing where there is none."""
        value = self.get(key)
        if value is not None:
            weight = OPEN_BYTES + self._key_bytes(key) + value.weight()
            self._memory.charge(weight - value.held)
            value.held = weight
