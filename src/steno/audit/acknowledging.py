"""Messages of senders that are acknowledged: which were fed, which are on the disk, and which a sender sends again.

A sender may number its messages over several connections, under an id of its own. Then a window is kept of it: the last
message that was fed, and the last of which all is on the disk. What it sends again from before is not fed. A window
outlives its connections, up to limits of number and age, and the process, since the log has cursors (`log.cursor`).

After a kill the log may have some records of messages behind the cursor. The sender sends these messages again, and
what they lead to is compared with the records: by fact, conversation and event, in order. What is recorded already is
not recorded again, but that a conversation was opened: its state was lost, and it begins anew. So a message may lead to
other facts than it did: a delta begins a response that had begun before, and what was a duplicate is none. That says
nothing of the messages behind it. Only where many in a row lead to nothing that is recorded, none of the rest is. The
number of a session in the name of a conversation (`#2`) is left out of the comparison: sessions count from 1 again.
Where a process is killed before all of that has come again, the log has what it recorded behind what was left of the
ones before. So the records of each process are a part, which is passed by and counted on its own.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from steno.audit.writing.cursor_recovery import RecordKey, RecoveredWindow, is_compared, renamed, session_left_out
from steno.audit.writing.progress import NOTHING_ENDED, Ended, Progress
from steno.core.facts import NAMES, Fact, Origin
from steno.limits import RESUME_IDS, RESUME_SECONDS, RESUME_UNLIKE
from steno.timestamps import SECOND, Micros
from steno.wire.secrets import mask_text

Found = tuple[list[RecordKey | None], int]
"""A part of the records of a sender, and a place in it."""


class Window:
    """What is known of a sender that has an id."""

    def __init__(
        self,
        key: tuple[str, str],
        progress: Progress,
        flushed: int,
        recorded: Iterable[Iterable[RecordKey]] = (),
        stream: str = "",
    ) -> None:
        """Go on where `progress` ended."""
        self.key = key
        """Its source and its id."""
        self.progress = progress
        self.flushed = flushed
        """The last message of which all is on the disk."""
        self.recorded: list[list[RecordKey | None]] = [list(part) for part in recorded]
        """Records of messages that were not fed in this process; None where one was led to again. Those of each process
        are a part, which is in the order of the messages."""
        self.stream = stream
        """The stream in the names of the conversations in them."""
        self.used_at: Micros = 0
        self.connection: Followed | None = None

    def attach(self, stream: str) -> None:
        """Feed messages to `stream` from now on. Conversations that are named by their stream are renamed by that."""
        former, self.stream = self.stream, stream
        self.recorded = [[key and renamed(key, former, stream) for key in part] for part in self.recorded]

    @property
    def left(self) -> tuple[int, ...]:
        """How many records of each part are left at its end."""
        return tuple(map(len, self.recorded))

    def find(self, key: RecordKey) -> Found | None:
        """Use up the first record `key`; return its part and its place there, None where there is none."""
        for part in self.recorded:
            if key in part:
                place = part.index(key)
                part[place] = None
                return part, place
        return None

    def pass_by(self, found: Found) -> None:
        """Use up the records of the messages before that of the record that was found."""
        part, place = found
        part[:place] = [None] * place

    def shorten(self) -> None:
        """Leave out what was used up at the beginning of each part: a cursor says how many are left at its end."""
        for part in self.recorded:
            del part[: next((place for place, key in enumerate(part) if key), len(part))]

    def clear(self) -> None:
        """Leave out all records: none of their messages will come again."""
        for part in self.recorded:
            part.clear()


class Writer(Protocol):
    """What records go to: an `AuditWriter`."""

    @property
    def idle(self) -> bool:
        """Whether all that was submitted is on the disk."""

    @property
    def drops(self) -> bool:
        """Whether a record that comes now is dropped."""

    def take_whole(self, *, whole: bool) -> None:
        """Drop none from now on, until this is called again without `whole`."""

    @property
    def shed_records(self) -> int:
        """Records that were dropped so far."""

    def progress(self, name: str | None = None, ended: Ended = NOTHING_ENDED) -> Progress:
        """Return what follows the messages of a sender."""


class Acknowledgements:
    """All senders whose messages are acknowledged. Lives in the event loop."""

    def __init__(self, writer: Writer, now: Callable[[], Micros], recovered: Iterable[RecoveredWindow] = ()) -> None:
        """Know what was `recovered` from the log."""
        self.tick: Callable[[Micros], None] = lambda _: None
        """Lets time go on in the pipeline."""
        self._writer = writer
        self._now = now
        self._windows: OrderedDict[tuple[str, str], Window] = OrderedDict()
        """By source and id, the one that was used longest ago first."""
        self.resumed: dict[str, Followed] = {}
        """Stream to the connection whose messages may have been recorded before. The sink looks at each record's."""
        for each in recovered:
            self._recover(each)

    def _recover(self, found: RecoveredWindow) -> None:
        progress = self._writer.progress(found.name, Ended(found.frame, tuple(map(len, found.parts))))
        progress.stream = found.stream
        key = (found.source, found.name)
        window = Window(key, progress, found.frame, found.parts, found.stream)
        window.used_at = self._now() if found.at is None else found.at
        self._windows[window.key] = window

    def senders(self) -> list[Progress]:
        """Return what is known of the senders that have an id. Called by any thread."""
        return [window.progress for window in list(self._windows.values())]

    def follow(self) -> "Followed":
        """Return what acknowledges the messages of one connection that has no id."""
        return Followed(self, self._writer, self._writer.progress(), None, 1)

    def resume(self, source: str, name: str, first: int) -> "Followed | None":
        """Return what acknowledges the messages of the sender `name` of `source`, the first of which is number `first`.

        Another connection of that sender is left behind. None where too many senders are connected.
        """
        self._forget()
        window = self._windows.get((source, name))
        if window is None:
            if not self._make_room():
                return None
            window = Window((source, name), self._writer.progress(name, Ended(first - 1, ())), first - 1)
            self._windows[window.key] = window
        window.used_at = self._now()
        self._windows.move_to_end(window.key)
        if window.connection:
            window.connection.replace()
        window.connection = Followed(self, self._writer, window.progress, window, first)
        return window.connection

    def _forget(self) -> None:
        """Forget senders that were away too long."""
        since = self._now() - int(RESUME_SECONDS * SECOND)
        for key, window in list(self._windows.items()):
            if window.used_at >= since:
                return
            if window.connection is None:
                del self._windows[key]

    def _make_room(self) -> bool:
        if len(self._windows) < RESUME_IDS:
            return True
        for key, window in self._windows.items():
            if window.connection is None:
                del self._windows[key]
                return True
        return False

    def left(self, window: Window) -> None:
        """Note that the sender of `window` is connected no more."""
        window.connection, window.used_at = None, self._now()
        self._windows.move_to_end(window.key)
        self.resumed.pop(window.stream, None)

    def is_recorded(self, origin: Origin, fact: Fact) -> bool:
        """Return whether the log has this fact from before a kill. Called for records of streams in `resumed`."""
        connection = self.resumed.get(origin.stream or "")
        return connection is not None and connection.is_recorded(origin, fact)


class Followed:
    """The messages of one connection. For each: `begin`, feed it, `end`."""

    def __init__(
        self, all_: Acknowledgements, writer: Writer, progress: Progress, window: Window | None, first: int
    ) -> None:
        """Begin before message `first`."""
        self._all = all_
        self._writer = writer
        self._progress = progress
        self._window = window
        self._number = first - 1
        self._shed = 0
        self._facts = 0
        """Facts of the message that is fed that say whether it is one of those that were recorded before."""
        self._found: list[Found] = []
        """The places of the records that it led to again."""
        self._unlike = 0
        """How many messages in a row led to facts, none of which was recorded before."""
        self._replaced = False
        self.acknowledge: Callable[[int], None] = lambda _: None
        """Is called when all that the first so many messages led to is on the disk."""
        self.replaced: Callable[[], None] = lambda: None
        """Is called when another connection goes on in the place of this one."""
        self.missing = max(0, first - 1 - progress.ended.number) if window else 0
        """How many messages of a sender that is known never came, before the first of this connection."""
        if window and self.missing:  # what came before will not come again
            window.clear()
            progress.ended = Ended(first - 1, window.left)
        self.duplicates = 0
        """Messages that were fed before and came again."""

    @property
    def flushed(self) -> int:
        """The last message of which all is on the disk, as of now."""
        return self._window.flushed if self._window else self._number

    def attach(self, stream: str) -> None:
        """Feed messages to `stream`, which has begun: before the first message, or in the middle of one."""
        self._progress.stream = stream
        self._progress.flushed = self._flushed
        if self._window:
            self._all.resumed.pop(self._window.stream, None)
            self._window.attach(stream)
            if any(self._window.left):
                self._all.resumed[stream] = self
            self._progress.state_now()
            if self._number > self._progress.ended.number:
                self._progress.begin(self._number, self._left)

    @property
    def full(self) -> bool:
        """Whether records of a message would be dropped. It is not to be fed: the next time it would be a duplicate."""
        return self._writer.drops

    def begin(self, at: Micros) -> bool:
        """Return whether the next message, of time `at`, is to be fed; False where it was fed before."""
        self._number += 1
        if self._replaced or self._number <= self._progress.ended.number:
            self.duplicates += 1
            return False
        self._all.tick(at)  # what is due by then is none of what the message leads to
        self._shed = self._writer.shed_records
        self._writer.take_whole(whole=True)
        self._facts = 0
        self._found.clear()
        self._progress.begin(self._number, self._left)
        return True

    @property
    def _left(self) -> tuple[int, ...]:
        return self._window.left if self._window else ()

    def end(self) -> bool:
        """Note that the message was fed. False where records were dropped even so: it is never acknowledged."""
        self._writer.take_whole(whole=False)
        if self._writer.shed_records != self._shed:
            self._progress.give_up()
            return False
        if self._window and any(self._window.left):
            self._compared(self._window)
        self._progress.end(self._number, self._left, quietly=self.idle)
        return True

    def _compared(self, window: Window) -> None:
        for found in self._found:
            window.pass_by(found)
        window.shorten()
        if self._found:
            self._unlike = 0
        elif self._facts:
            self._unlike += 1
        if self._unlike > sum(window.left) + RESUME_UNLIKE:  # they are behind all that was recorded
            window.clear()
        if not any(window.left):
            self._all.resumed.pop(window.stream, None)

    def is_recorded(self, origin: Origin, fact: Fact) -> bool:
        """Return whether the log has this fact from before a kill."""
        window = self._window
        if window is None:
            return False
        key = (NAMES[type(fact)], session_left_out(_masked(origin.conversation)), _masked(origin.event_id))
        if not is_compared(key):
            return False
        self._facts += 1
        found = window.find(key)
        if found is None:
            return False
        self._found.append(found)
        return True

    def _flushed(self, number: int) -> None:
        if self._window:
            self._window.flushed = max(self._window.flushed, number)
        self.acknowledge(number)

    def replace(self) -> None:
        """Feed nothing from now on: the sender goes on over another connection."""
        self._replaced = True
        self.leave()
        self.replaced()

    @property
    def idle(self) -> bool:
        """Whether all that the messages so far led to is on the disk, and nothing is to be written for them."""
        return self._window is None and self._writer.idle

    @property
    def number(self) -> int:
        """The number of the last message."""
        return self._number

    def leave(self) -> None:
        """End with the connection. What was fed is acknowledged to the next one of the same sender."""
        self.acknowledge = lambda _: None
        self._writer.take_whole(whole=False)
        if self._window and self._window.connection is self:
            self._progress.give_up()  # where our own code failed at its last message
            self._all.left(self._window)


def _masked(name: str | None) -> str | None:
    """Return a name as a record has it."""
    return None if name is None else mask_text(name)
