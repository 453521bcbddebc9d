"""Records wait for others, in order and within bounds. A full queue reports it, or drops records and counts them."""

import threading
from concurrent.futures import Future
from time import monotonic
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steno.audit.record import entry, time_of
from steno.audit.writing.queue import Call, Closing, Queue, QueueEntry, Rotation, Shed
from tests.audit.helpers import AT, NEVER, said, terms

SIZE = len(said(1))


def queue(**changes: Any) -> Queue:
    """Return a queue whose records do not wait for others."""
    return Queue(**{"queue_bytes": 1 << 20, "flush_bytes": 1 << 20, "flush_seconds": 0.0, "sheds": False, **changes})


def size_of(taken: QueueEntry) -> int:
    """Return how many of the queue's bytes it takes."""
    return len(taken) if isinstance(taken, bytes) else taken.size


def take(waiting: Queue) -> list[QueueEntry] | None:
    """Take what there is, waiting for it."""
    return waiting.take(monotonic() + NEVER)


def test_what_was_put_is_taken_in_order() -> None:
    waiting = queue()
    rotation, call = Rotation(AT, terms()), Call(lambda: None, Future())
    waiting.put(said(1))
    assert waiting.command(rotation)
    waiting.put(said(2))
    assert waiting.command(call)

    assert take(waiting) == [said(1), rotation, said(2), call]
    assert waiting.bytes == 2 * SIZE
    assert not waiting.written(2 * SIZE)
    assert waiting.bytes == 0


def test_taking_waits_no_longer_than_it_is_asked_to() -> None:
    waiting = queue(flush_seconds=NEVER)
    waiting.put(said(1))

    assert waiting.take(monotonic()) == []
    waiting.close(Closing(AT, in_order=True))
    assert take(waiting) == [said(1)]
    assert take(waiting) is None


def test_flush_bytes_of_records_do_not_wait() -> None:
    waiting = queue(flush_seconds=NEVER, flush_bytes=2 * SIZE)
    waiting.put(said(1))
    assert waiting.take(monotonic()) == []
    waiting.put(said(2))

    assert take(waiting) == [said(1), said(2)]


def test_a_record_wakes_the_thread_that_waits_for_one() -> None:
    waiting = queue()
    taken: list[list[QueueEntry] | None] = []
    thread = threading.Thread(target=lambda: taken.append(take(waiting)))
    thread.start()
    waiting.put(said(1))
    thread.join(30)

    assert taken == [[said(1)]]


class Woken(threading.Condition):
    """Counts how often the thread that waits is woken."""

    times = 0

    def notify(self, n: int = 1) -> None:
        self.times += 1
        super().notify(n)


@given(
    st.lists(st.sampled_from(["put", "shed", "command", "take", "write"]), max_size=80),
    st.integers(1, 8 * SIZE),
    st.integers(1, 8 * SIZE),
)
def test_the_thread_is_woken_by_the_first_entry_and_by_enough_and_the_sender_stopped_once_it_is_full(
    steps: list[str], queue_bytes: int, flush_bytes: int
) -> None:
    waiting = queue(queue_bytes=queue_bytes, flush_bytes=flush_bytes)
    enough = min(queue_bytes, flush_bytes)
    waiting._changed = woken = Woken(waiting._lock)
    length, unwritten = 0, 0
    for step in steps:
        times, began, full, size, before = woken.times, waiting.since is not None, waiting.full, waiting.bytes, length
        match step:
            case "put":
                assert waiting.put(said(1)) == (not full and size + SIZE >= queue_bytes)
                length += SIZE
            case "shed":
                waiting.put_or_shed(said(1), "b")
                length += waiting.bytes - size
                assert waiting.full == full
            case "command":
                waiting.command(Rotation(AT, terms()))
            case "take":
                unwritten += sum(map(size_of, waiting.take(0.0) or []))
                length = 0
            case "write":
                waiting.written(unwritten)
                unwritten = 0
        assert waiting.bytes == length + unwritten
        if waiting.since is not None and (not began or before < enough <= length):
            assert woken.times > times


def test_records_that_are_no_reason_wake_nobody() -> None:
    waiting = queue(flush_bytes=100 * SIZE)
    waiting._changed = woken = Woken(waiting._lock)
    for _ in range(300):
        waiting.put(said(1))

    assert woken.times == 2


def test_a_queue_becomes_full_once_and_takes_what_comes_all_the_same() -> None:
    waiting = queue(queue_bytes=2 * SIZE)

    assert [waiting.put(said(number)) for number in range(4)] == [False, True, False, False]
    assert (waiting.full, waiting.bytes) == (True, 4 * SIZE)
    assert [waiting.written(SIZE) for _ in range(4)] == [False, False, True, False]
    assert (waiting.full, waiting.shed_records) == (False, 0)


def test_a_queue_becomes_full_again_by_what_waits_since_it_was_full() -> None:
    waiting = queue(queue_bytes=8 * SIZE, flush_bytes=SIZE)
    for number in range(6):
        waiting.put(said(number))
    take(waiting)

    assert [waiting.put(said(number)) for number in range(3)] == [False, True, False]
    assert waiting.written(6 * SIZE)
    assert [waiting.put(said(number)) for number in range(5)] == [False, False, False, False, True]


def test_what_was_shed_is_declared_in_its_place_when_there_is_room() -> None:
    waiting = queue(queue_bytes=2 * SIZE, sheds=True)
    for number in range(5):
        waiting.put(said(number))
    assert take(waiting) == [said(0), said(1)]
    waiting.put(said(5))
    assert waiting.written(2 * SIZE)
    waiting.put(said(6))

    assert take(waiting) == [Shed(4, AT, AT, {}), said(6)]
    assert waiting.shed_records == 4


def test_what_was_shed_is_declared_at_the_end() -> None:
    waiting = queue(queue_bytes=SIZE, sheds=True)
    for number in range(3):
        waiting.put(said(number))
    waiting.close(Closing(AT, in_order=True))

    assert take(waiting) == [said(0), Shed(2, AT, AT, {})]
    assert take(waiting) is None


def test_what_must_stay_whole_is_taken_although_it_is_full() -> None:
    waiting = queue(queue_bytes=2 * SIZE, sheds=True)
    waiting.whole = True
    for number in range(3):
        waiting.put(said(number))
    waiting.whole = False
    drops = waiting.drops
    waiting.put(said(3))

    assert take(waiting) == [said(0), said(1), said(2)]
    assert (drops, waiting.shed_records) == (True, 1)


def test_commands_are_taken_although_it_is_full() -> None:
    waiting = queue(queue_bytes=SIZE, sheds=True)
    waiting.put(said(0))

    assert waiting.command(Rotation(AT, terms()))
    assert waiting.shed_records == 0


def test_what_comes_after_the_end_is_refused() -> None:
    waiting = queue()
    waiting.put(said(1))

    assert waiting.end() == [said(1)]
    assert not waiting.command(Rotation(AT, terms()))


def test_a_wait_ends_when_the_queue_is_given_up() -> None:
    waiting = queue()
    assert not waiting.wait_given_up(0.0)
    waiting.give_up()

    assert waiting.wait_given_up(NEVER)


def test_a_command_takes_no_room() -> None:
    assert [each.size for each in (Rotation(AT, terms()), Shed(2, AT, AT, {}))] == [0, 0]


@given(st.lists(st.sampled_from(["put", "take", "write"]), max_size=60), st.integers(1, 5 * SIZE))
def test_what_was_shed_and_what_was_taken_is_all_that_was_put(steps: list[str], queue_bytes: int) -> None:
    waiting = queue(queue_bytes=queue_bytes, sheds=True)
    put, taken, unwritten = 0, list[QueueEntry](), 0
    for step in steps:
        match step:
            case "put":
                waiting.put(said(put, at=AT + put))
                put += 1
            case "take":
                new = waiting.take(0.0) or []
                taken += new
                unwritten += sum(map(size_of, new))
            case "write":
                waiting.written(unwritten)
                unwritten = 0
        assert waiting.bytes < queue_bytes + 2 * SIZE
    waiting.close(Closing(None, in_order=True))
    taken += take(waiting) or []

    expected = 0
    for item in taken:
        if isinstance(item, Shed):
            assert (item.first_at, item.last_at) == (AT + expected, AT + expected + item.count - 1)
            expected += item.count
        else:
            assert item == said(expected, at=AT + expected)
            expected += 1
    assert expected == put


# Sources that shed ----------------------------------------------------------------------------------------


def of(source: str, number: int) -> bytes:
    """Return an entry of a source, at a time of its own."""
    return entry(AT + number, "x", f"{source}/a", f"{source}/1/1", f"{number:06}", b"{}")


ENTRY = len(of("a", 0))


def test_a_source_that_sheds_has_half_of_the_queue_and_the_others_have_the_rest() -> None:
    """The first record that is dropped is reported, and however many follow, the queue is not full."""
    waiting = queue(queue_bytes=4 * ENTRY)

    assert [waiting.put_or_shed(of("b", number), "b") for number in range(5)] == [False, False, True, False, False]
    assert (waiting.bytes, waiting.full, waiting.shed_records) == (2 * ENTRY, False, 3)
    assert [waiting.put(of("a", number)) for number in (5, 6)] == [False, True]
    assert not waiting.put_or_shed(of("b", 7), "b")
    assert (waiting.bytes, waiting.full, waiting.shed_records) == (4 * ENTRY, True, 4)


def test_what_a_source_shed_is_declared_with_its_name_before_its_next_record() -> None:
    """Those of others stand before it, though they came later: theirs are not missing."""
    waiting = queue(queue_bytes=4 * ENTRY)
    for number, source in enumerate(("b", "b", "b", "c", "b")):
        waiting.put_or_shed(of(source, number), source)
    waiting.put(of("a", 5))
    assert take(waiting) == [of("b", 0), of("b", 1), of("a", 5)]
    assert not waiting.written(3 * ENTRY)
    waiting.put_or_shed(of("b", 6), "b")

    assert take(waiting) == [Shed(3, AT + 2, AT + 4, {"b": 2, "c": 1}), of("b", 6)]


def test_a_short_record_that_fits_follows_what_was_shed() -> None:
    waiting = queue(queue_bytes=4 * ENTRY)
    waiting.put_or_shed(of("b", 0), "b")
    waiting.put_or_shed(of("b", 1) + b" " * ENTRY, "b")
    waiting.put_or_shed(of("b", 2), "b")

    assert take(waiting) == [of("b", 0), Shed(1, AT + 1, AT + 1, {"b": 1}), of("b", 2)]


class Heavy:
    """A record whose encoding is more work than the queue holds."""

    at: int | None = AT
    size = 100 * ENTRY

    def entry(self, *, brief: bool = False) -> bytes:
        return of("b", 0)


def test_a_record_that_is_more_work_than_its_half_holds_takes_that_half() -> None:
    """It is recorded where nothing else waits, and leaves the other half to those who wait."""
    waiting = queue(queue_bytes=4 * ENTRY)
    heavy, dropped = Heavy(), Heavy()

    assert not waiting.put_or_shed(heavy, "b")
    assert waiting.put_or_shed(dropped, "b")
    assert (waiting.bytes, waiting.full) == (2 * ENTRY, False)
    assert take(waiting) == [heavy]
    waiting.written(size_of(heavy))
    assert waiting.bytes == 0


@given(
    st.lists(st.sampled_from(["wait", "shed", "other", "take", "write"]), max_size=80),
    st.integers(4 * ENTRY, 12 * ENTRY),
    st.booleans(),
)
def test_whatever_sources_shed_the_others_lose_nothing_and_each_gap_stands_where_they_are_missing(
    steps: list[str], queue_bytes: int, sheds: bool
) -> None:
    waiting = queue(queue_bytes=queue_bytes, sheds=sheds)
    sent: dict[str, list[bytes]] = {"wait": [], "shed": [], "other": []}
    taken, unwritten = list[QueueEntry](), 0
    for number, step in enumerate(steps):
        if step == "take":
            new = waiting.take(0.0) or []
            taken += new
            unwritten += sum(map(size_of, new))
        elif step == "write":
            waiting.written(unwritten)
            unwritten = 0
        elif step == "wait":
            if not waiting.full:  # else it waits
                sent[step].append(of(step, number))
                waiting.put(sent[step][-1])
        else:
            before, full = waiting.bytes, waiting.full
            sent[step].append(of(step, number))
            waiting.put_or_shed(sent[step][-1], step)
            assert waiting.full == full
            assert waiting.bytes == before or waiting.bytes <= queue_bytes // 2
        assert waiting.bytes < queue_bytes + ENTRY + 10
    waiting.close(Closing(None, in_order=True))
    taken += take(waiting) or []

    left = {source: list(reversed(entries)) for source, entries in sent.items()}
    for item in taken:
        if isinstance(item, Shed):
            assert sum(item.sources.values()) == item.count
            for source, count in item.sources.items():
                gone = [left[source].pop() for _ in range(count)]
                assert all(item.first_at <= time_of(each) <= item.last_at for each in gone)  # type: ignore[operator]
        else:
            assert isinstance(item, bytes)
            source = item.split(b'"conversation":"')[1].split(b"/")[0].decode()
            assert left[source].pop() == item
    assert not any(left.values())
