"""Collections that forget their oldest members, so that no conversation grows without end."""

from collections import deque

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

    objects: dict[str, bytes]

    def __init__(self, limits: Limits) -> None:
        """Begin empty."""
        super().__init__(limits)
        self.objects = {}

    def put(self, key: str, raw: bytes) -> None:
        """Keep `raw` as the latest object of the id `key`, unless it is too long. Past the limit the oldest id goes."""
        if len(raw) > self.limits.object_bytes:
            self.dropped += 1
            self.objects.pop(key, None)  # what is kept of this id is not the latest any more
            return
        self.objects[key] = raw
        if len(self.objects) > self.limits.kept_objects:
            del self.objects[next(iter(self.objects))]
            self.dropped += 1
