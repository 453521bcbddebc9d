"""How far the messages of a sender are, for the thread that writes what they led to. Used by two threads.

The event loop numbers and feeds messages. The writing thread writes the records that they led to, whenever it has
enough of them, also in the middle of a message. Neither waits for the other, so that each side's order of steps counts:

    event loop                               writing thread, under the lock of the queue
    began = number, position of the queue    noted = False
    the message is fed: records are put      began is read
    ended = number, what is left             ended is read
    noted, where it is not

Records are put under the same lock. So a message whose end is not seen has put, until now, what lies between its
position and that of the queue; and where it is seen, all that it led to is there. A note that was not seen is taken by
the next look.
"""

from collections.abc import Callable
from typing import ClassVar, Final, NamedTuple, Protocol

from msgspec import Struct


class Notified(Protocol):
    """The queue that the records go to."""

    @property
    def position(self) -> int:
        """How many records it has taken."""

    def note(self, progress: "Progress") -> None:
        """Look at `progress` with the next records, or soon where none come."""

    def command(self, command: "Marks") -> bool:
        """Put marks among the records; False where nobody would write them."""


class Ended(NamedTuple):
    """The last message that was fed to its end."""

    number: int
    left: tuple[int, ...]
    """How many records of later messages the log has from before, of each process that fed them and was killed."""


class Began(NamedTuple):
    """The last message that began to be fed."""

    number: int
    left: tuple[int, ...]
    """As in `Ended`, before it."""
    position: int
    """That of the queue, before it."""


NOTHING_ENDED: Final = Ended(0, ())
NOTHING_BEGUN: Final = Began(0, (), 0)


class Progress:
    """The messages of one sender. `name` is what it is known by after a kill; None where it is not to be known."""

    __slots__ = ("_queue", "began", "ended", "flushed", "name", "noted", "stream", "written")

    def __init__(self, queue: Notified, name: str | None = None, ended: Ended = NOTHING_ENDED) -> None:
        """Go on after `ended`."""
        self._queue = queue
        self.name = name
        self.stream = ""
        """The stream that its messages are fed to."""
        self.began = NOTHING_BEGUN
        self.ended = ended
        self.noted = False
        self.flushed: Callable[[int], None] = lambda _: None
        """Is called in the event loop when all that the first so many messages led to is on the disk."""
        self.written: Mark | None = None
        """What the last cursor says. The writing thread's."""

    def begin(self, number: int, left: tuple[int, ...]) -> None:
        """Note that message `number` is fed from now on; `left` as in `Ended`."""
        self.began = Began(number, left, self._queue.position)

    def end(self, number: int, left: tuple[int, ...], *, quietly: bool = False) -> None:
        """Note that message `number` was fed, and that all it led to was put; `quietly` where nobody is to look."""
        self.ended = Ended(number, left)
        if not (self.noted or quietly):
            self.noted = True
            self._queue.note(self)

    def state_now(self) -> None:
        """Put a mark among the records here, so that what its stream says from here on is known to be its."""
        self.give_up()  # where our own code failed at a message
        self._queue.command(Marks((self.mark(self._queue.position),)))

    def give_up(self) -> None:
        """Note that the message that began is none of those that were fed."""
        self.began = NOTHING_BEGUN

    def mark(self, position: int) -> "Mark":
        """Return how far it is at `position` of the queue, which does not change meanwhile."""
        self.noted = False
        began = self.began
        ended = self.ended
        if began.number > ended.number:
            return Mark(self, self.stream, ended.number, position - began.position, began.left)
        return Mark(self, self.stream, ended.number, 0, ended.left)


class Mark(NamedTuple):
    """How far a sender was at one place among the records."""

    progress: Progress
    stream: str
    frame: int
    """All that its messages up to this one led to stands before."""
    records: int
    """So many records of the next message stand before, too."""
    former: tuple[int, ...]
    """So many records of later messages, of each process that was killed, stand before as well."""


class Marks(Struct, frozen=True):
    """Stands among records: how far senders are there."""

    size: ClassVar[int] = 0
    marks: tuple[Mark, ...]
    restated: bool = False
    """Whether these are all senders that have a name."""
