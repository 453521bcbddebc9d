"""Collections that forget their oldest members, so that no conversation grows without end."""

from collections import OrderedDict, deque
from collections.abc import Iterator

from steno.limits import Limits


class BoundedSet:
    """The newest strings that were added, at most `limit` of them.

    An ordered dict alone would do, but one that loses its first key at each insertion searches past the deleted keys
    every time, and `add` is called once an event.
    """

    __slots__ = ("_limit", "_members", "_order")

    def __init__(self, limit: int) -> None:
        """Begin empty; `limit` is 1 or more."""
        self._limit = limit
        self._members: set[str] = set()
        self._order: deque[str] = deque()
        """The members in the order of their addition."""

    def __contains__(self, member: str) -> bool:
        """Return whether `member` is among the newest."""
        return member in self._members

    def __len__(self) -> int:
        """Return how many members are held."""
        return len(self._order)

    def add(self, member: str) -> bool:
        """Add `member` and forget the oldest past the limit. Return whether it is new; a known one keeps its age."""
        members = self._members
        if member in members:
            return False
        members.add(member)
        order = self._order
        order.append(member)
        if len(order) > self._limit:
            members.discard(order.popleft())
        return True


class LinkedKeys:
    """Keys in an order in which each can be moved and removed in one step, however many there are."""

    __slots__ = ("_after", "_before")

    def __init__(self) -> None:
        """Begin empty."""
        self._after: dict[str | None, str | None] = {None: None}
        """Each key to the next one. None stands before the first and behind the last."""
        self._before: dict[str | None, str | None] = {None: None}

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in order."""
        key = self._after[None]
        while key is not None:
            yield key
            key = self._after[key]

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._after) - 1

    def newest(self, most: int) -> list[str]:
        """Return the last keys in order, at most `most` of them."""
        keys: list[str] = []
        key = self._before[None]
        while key is not None and len(keys) < most:
            keys.append(key)
            key = self._before[key]
        return keys[::-1]

    def append(self, key: str) -> None:
        """Add the new `key` as the last."""
        self._insert(key, self._before[None])

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
        key = self._after[None]
        if key is None:
            raise LookupError("there is no key")
        self.remove(key)
        return key

    def _insert(self, key: str, before: str | None) -> None:
        after = self._after[before]
        self._after[before] = self._before[after] = key
        self._before[key], self._after[key] = before, after


class _RawObjects:
    """Upstream's objects of one kind as the bytes that came, none longer than `limits.object_bytes`."""

    __slots__ = ("dropped", "limits", "objects")

    objects: deque[bytes] | dict[str, bytes]

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.dropped = 0
        """How many objects were too long to be kept, or were dropped later."""

    def drop_all(self) -> None:
        """Drop all objects, and count them as dropped."""
        self.dropped += len(self.objects)
        self.objects.clear()


class BoundedObjects(_RawObjects):
    """The newest raw objects, at most `limits.kept_objects`."""

    __slots__ = ()

    objects: deque[bytes]

    def __init__(self, limits: Limits) -> None:
        """Begin empty."""
        super().__init__(limits)
        self.objects = deque(maxlen=limits.kept_objects)

    def add(self, raw: bytes) -> None:
        """Keep one object, unless it is too long. Past the limit the oldest is dropped."""
        if len(raw) > self.limits.object_bytes:
            self.dropped += 1
            return
        if len(self.objects) == self.objects.maxlen:
            self.dropped += 1
        self.objects.append(raw)


class LatestById(_RawObjects):
    """The latest raw object of each id, at most `limits.kept_objects`, in the order in which the ids came first."""

    __slots__ = ()

    objects: OrderedDict[str, bytes]

    def __init__(self, limits: Limits) -> None:
        """Begin empty."""
        super().__init__(limits)
        self.objects = OrderedDict()

    def put(self, key: str, raw: bytes) -> None:
        """Keep `raw` as the latest object of the id `key`, unless it is too long. Past the limit the oldest id goes."""
        if len(raw) > self.limits.object_bytes:
            self.dropped += 1
            self.objects.pop(key, None)  # what is kept of this id is not the latest any more
            return
        self.objects[key] = raw
        if len(self.objects) > self.limits.kept_objects:
            self.objects.popitem(last=False)
            self.dropped += 1
