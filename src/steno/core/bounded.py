"""Collections that forget their oldest members, so that no conversation grows without end."""

from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from steno.core.memory import ID_BYTES, MemoryAccount
from steno.limits import Limits

ID_CHARACTERS_KEPT: Final = 64
"""Longest id that a set keeps as it is; of a longer one it keeps a digest. Real ones have 21 to 40 characters."""
FIRST_ROOM: Final = 8
"""Ids that a set is charged for when its first one comes. It doubles from there."""

_NO_MEMBERS: Final[set[str]] = set()
"""Stands in every set that has none yet. Nothing is added to it."""


class BoundedSet:
    """The newest strings that were added: the last `limit` for certain, and half as many more at most.

    There are three sets. Each new member enters the newest; once that has half of the limit, it becomes the second, the
    second becomes the third, and the third is dropped as a whole. So nothing is ever taken out of a set, and no order
    is kept beside it: `add` is on the path of every event, and a set from which members are taken grows to four times
    the size that it needs.
    """

    __slots__ = ("_full_at", "_memory", "_newest", "_oldest", "_room", "_second", "_share")

    def __init__(self, limit: int, memory: MemoryAccount | None = None) -> None:
        """Begin empty; `limit` is 1 or more. What it holds is charged to `memory`."""
        self._share = (limit + 1) // 2
        """Members of each of the three."""
        self._memory = memory or MemoryAccount()
        self._room = 0
        """Members that are charged for."""
        self._full_at = 0
        """Members of the newest at which there must be more room."""
        self._newest = self._second = self._oldest = _NO_MEMBERS

    def __contains__(self, member: str) -> bool:
        """Return whether `member` is among the newest."""
        if len(member) > ID_CHARACTERS_KEPT:
            member = _digest(member)
        return member in self._newest or member in self._second or member in self._oldest

    def __len__(self) -> int:
        """Return how many members are held."""
        return len(self._newest) + len(self._second) + len(self._oldest)

    def add(self, member: str) -> bool:
        """Add `member`, and forget the oldest past the limit. Return whether it is new; a known one keeps its age."""
        if len(member) > ID_CHARACTERS_KEPT:
            member = _digest(member)
        newest = self._newest
        if member in newest or member in self._second or member in self._oldest:
            return False
        if len(newest) == self._full_at:
            newest = self._make_room()
        newest.add(member)
        return True

    def move_to(self, memory: MemoryAccount) -> None:
        """Charge `memory` from now on, in place of the account before."""
        self._memory.charge(-ID_BYTES * self._room)
        self._memory = memory
        memory.charge(ID_BYTES * self._room)

    def _make_room(self) -> set[str]:
        """Return the newest set, another one where it is full, and be charged for what may enter it."""
        held = len(self._newest)
        if held in (0, self._share):
            self._oldest, self._second, self._newest = self._second, self._newest, set()
            held = 0
        self._full_at = min(self._share, max(FIRST_ROOM, 2 * held))
        room = len(self._oldest) + len(self._second) + self._full_at
        if room > self._room:  # after a set was dropped there is room that was charged for
            self._memory.charge(ID_BYTES * (room - self._room))
            self._room = room
        return self._newest


def _digest(member: str) -> str:
    """Return what stands for a long member. It is longer than any that is kept as it is, so that it equals none."""
    return "blake2b:" + blake2b(member.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


class LinkedKeys:
    """Keys in an order in which each can be moved and removed in one step, however many there are."""

    __slots__ = ("_after", "_before")

    def __init__(self) -> None:
        """Begin empty."""
        self._after: dict[str | None, str | None] = {}
        """Each key to the next one. None stands before the first and behind the last, once there was one."""
        self._before: dict[str | None, str | None] = {}

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in order."""
        key = self._after.get(None)
        while key is not None:
            yield key
            key = self._after[key]

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._after) - (None in self._after)

    def newest(self, most: int) -> list[str]:
        """Return the last keys in order, at most `most` of them."""
        keys: list[str] = []
        key = self._before.get(None)
        while key is not None and len(keys) < most:
            keys.append(key)
            key = self._before[key]
        return keys[::-1]

    def append(self, key: str) -> None:
        """Add the new `key` as the last."""
        self._insert(key, self._before.get(None))

    def move_behind(self, key: str, previous: str) -> None:
        """Move `key` behind another one."""
        if self._after[previous] != key:
            self.remove(key)
            self._insert(key, previous)

    def remove(self, key: str) -> None:
        """Remove `key`."""
        before, after = self._before.pop(key), self._after.pop(key)
        self._after[before], self._before[after] = after, before

    def pop_oldest(self) -> str:
        """Remove the first key and return it. Raises LookupError where there is none."""
        key = self._after.get(None)
        if key is None:
            raise LookupError("there is no key")
        self.remove(key)
        return key

    def _insert(self, key: str, before: str | None) -> None:
        after = self._after.get(before)
        self._after[before] = self._before[after] = key
        self._before[key], self._after[key] = before, after


class _RawObjects(ABC):
    """Upstream's objects of one kind as the bytes that came, none longer than `limits.object_bytes`."""

    __slots__ = ("_memory", "dropped", "limits", "objects")

    objects: deque[bytes] | dict[str, bytes]

    def __init__(self, limits: Limits, memory: MemoryAccount | None = None) -> None:
        self.limits = limits
        self.dropped = 0
        """How many objects were too long to be kept, or were dropped later."""
        self._memory = memory or MemoryAccount()
        self._memory.add_store(self)

    @abstractmethod
    def drop_oldest(self) -> None:
        """Drop the oldest object, and count it as dropped."""

    @abstractmethod
    def numbers_held(self) -> list[int]:
        """Return the number of each object in the budget of all conversations."""

    def drop_all(self) -> None:
        """Drop all objects, and count them as dropped."""
        while self.objects:
            self.drop_oldest()


_NO_OBJECTS: Final[deque[bytes]] = deque(maxlen=0)
_NO_NUMBERS: Final[deque[int]] = deque(maxlen=0)
"""Stand where nothing was kept yet: a deque of its own takes 760 bytes, and most conversations keep nothing of most
kinds."""


class BoundedObjects(_RawObjects):
    """The newest raw objects, at most `limits.kept_objects`."""

    __slots__ = ("_numbers",)

    objects: deque[bytes]

    def __init__(self, limits: Limits, memory: MemoryAccount | None = None) -> None:
        """Begin empty, and charge `memory` for what is kept."""
        super().__init__(limits, memory)
        self.objects = _NO_OBJECTS
        self._numbers = _NO_NUMBERS

    def add(self, raw: bytes) -> None:
        """Keep one object, unless it is too long. Past the limit the oldest is dropped."""
        if len(raw) > self.limits.object_bytes:
            self.dropped += 1
            return
        if self.objects is _NO_OBJECTS:
            self.objects, self._numbers = deque(), deque()
        self.objects.append(raw)
        self._numbers.append(self._memory.keep(self, raw))
        if len(self.objects) > self.limits.kept_objects:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """Drop the oldest object, and count it as dropped."""
        self._memory.release(self._numbers.popleft(), self.objects.popleft())
        self.dropped += 1

    def numbers_held(self) -> list[int]:
        """Return the number of each object in the budget of all conversations."""
        return list(self._numbers)


class LatestById(_RawObjects):
    """The latest raw object of each id, at most `limits.kept_objects`, in the order in which the ids came first."""

    __slots__ = ("_numbers",)

    objects: OrderedDict[str, bytes]

    def __init__(self, limits: Limits, memory: MemoryAccount | None = None) -> None:
        """Begin empty, and charge `memory` for what is kept."""
        super().__init__(limits, memory)
        self.objects = OrderedDict()
        self._numbers: dict[str, int] = {}

    def put(self, key: str, raw: bytes) -> None:
        """Keep `raw` as the latest object of the id `key`, unless it is too long. Past the limit the oldest id goes."""
        if len(raw) > self.limits.object_bytes:
            self.dropped += 1
            self._remove(key)  # what is kept of this id is not the latest any more
            return
        former = self.objects.get(key)
        self.objects[key] = raw
        if former is not None:
            self._memory.charge(len(raw) - len(former))
            return
        self._numbers[key] = self._memory.keep(self, raw)
        if len(self.objects) > self.limits.kept_objects:
            self.drop_oldest()

    def _remove(self, key: str) -> None:
        raw = self.objects.pop(key, None)
        if raw is not None:
            self._memory.release(self._numbers.pop(key), raw)

    def drop_oldest(self) -> None:
        """Drop the object of the oldest id, and count it as dropped."""
        self._remove(next(iter(self.objects)))
        self.dropped += 1

    def numbers_held(self) -> list[int]:
        """Return the number of each object in the budget of all conversations."""
        return list(self._numbers.values())
