"""Marks say how far senders are at one place among the records, also in the middle of a message."""

from time import monotonic
from typing import Any

from steno.audit.writing.progress import Ended, Progress
from steno.audit.writing.queue import Closing, Queue, QueueEntry
from tests.audit.helpers import AT, NEVER, said
from tests.audit.writing.test_queue import queue


def marks(taken: list[QueueEntry] | None) -> list[Any]:
    """Return what was taken, with marks as how far each sender is."""
    return [
        entry if isinstance(entry, bytes) else [(mark.frame, mark.records, sum(mark.former)) for mark in entry.marks]  # type: ignore[union-attr]  # no other entries are put
        for entry in taken or []
    ]


def take(waiting: Queue, *, restate: bool = False) -> list[Any]:
    return marks(waiting.take(monotonic() + NEVER, restate=restate))


def feed(waiting: Queue, progress: Progress, number: int, *records: bytes) -> None:
    progress.begin(number, ())
    for record in records:
        waiting.put(record)
    progress.end(number, ())


def test_a_mark_stands_behind_what_was_put() -> None:
    """One for all messages, and one for a message that led to nothing."""
    waiting = queue()
    progress = Progress(waiting, "a")
    feed(waiting, progress, 1, said(1), said(2))
    feed(waiting, progress, 2, said(3))
    assert take(waiting) == [said(1), said(2), said(3), [(2, 0, 0)]]
    feed(waiting, progress, 3)

    assert take(waiting) == [[(3, 0, 0)]]


def test_a_mark_in_the_middle_of_a_message_counts_its_records() -> None:
    waiting = queue()
    progress, other = Progress(waiting, "a"), Progress(waiting, "b")
    feed(waiting, progress, 1, said(1))
    feed(waiting, other, 7, said(2))
    progress.begin(2, ())
    waiting.put(said(3))
    waiting.put(said(4))
    first = take(waiting)
    waiting.put(said(5))
    progress.end(2, ())

    assert first == [said(1), said(2), said(3), said(4), [(1, 2, 0), (7, 0, 0)]]
    assert take(waiting) == [said(5), [(2, 0, 0)]]


def test_what_the_log_has_from_before_a_kill_is_counted_apart() -> None:
    waiting = queue()
    progress = Progress(waiting, "a", Ended(4, (1, 2)))
    progress.state_now()
    progress.begin(5, (1, 2))
    waiting.put(said(1))
    assert take(waiting) == [[(4, 0, 3)], said(1)]
    assert marks([*waiting._marks(restate=False)]) == []
    progress.end(5, (0, 1))

    assert take(waiting) == [[(5, 0, 1)]]


def test_a_message_that_is_given_up_is_not_fed() -> None:
    """As where records of it were dropped: those of others are not counted as its own."""
    waiting = queue()
    progress = Progress(waiting, "a")
    feed(waiting, progress, 1, said(1))
    progress.begin(2, ())
    waiting.put(said(2))
    progress.give_up()
    waiting.put(said(3))

    assert take(waiting) == [said(1), said(2), said(3), [(1, 0, 0)]]


def test_all_senders_are_marked_where_they_are_stated_again() -> None:
    waiting = queue()
    senders = [Progress(waiting, "a", Ended(4, ())), Progress(waiting, "b", Ended(2, (1,)))]
    waiting.senders = lambda: senders
    waiting.put(said(1))

    assert take(waiting, restate=True) == [said(1), [(4, 0, 0), (2, 0, 1)]]


def test_what_nobody_is_to_look_at_wakes_nobody() -> None:
    waiting = queue()
    progress = Progress(waiting)
    progress.begin(1, ())
    progress.end(1, (), quietly=True)

    assert waiting.take(monotonic()) == []
    waiting.close(Closing(AT, in_order=True))
    assert waiting.take(monotonic()) is None
