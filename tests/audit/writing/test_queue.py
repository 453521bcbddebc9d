"""Records wait for company, in order and within bounds; a full queue says so, or sheds and says what."""

import threading
from concurrent.futures import Future
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.writing.queue import Call, Closing, Queue, QueueEntry, Rotation, Shed, moment_of, size_of
from tests.audit.helpers import AT, said

NEVER = 3600.0
SIZE = len(said(1))


def queue(**changes: Any) -> Queue:
    """Return a queue whose records do not wait for company."""
    return Queue(**{"queue_bytes": 1 << 20, "flush_bytes": 1 << 20, "flush_seconds": 0.0, "sheds": False, **changes})


def test_what_was_put_is_taken_in_order() -> None:
    waiting = queue()
    rotation, call = Rotation(AT, "c0ffee"), Call(lambda: None, Future())
    waiting.put(said(1))
    assert waiting.command(rotation)
    waiting.put(said(2))
    assert waiting.command(call)

    assert waiting.take(None) == [said(1), rotation, said(2), call]
    assert waiting.bytes == 2 * SIZE
    assert not waiting.written(2 * SIZE)
    assert waiting.bytes == 0


def test_nothing_is_waited_for_longer_than_told() -> None:
    waiting = queue(flush_seconds=NEVER)
    waiting.put(said(1))

    assert waiting.take(monotonic()) == []
    waiting.close(Closing(AT, in_order=True))
    assert waiting.take(None) == [said(1)]
    assert waiting.take(None) is None


def test_enough_does_not_wait() -> None:
    waiting = queue(flush_seconds=NEVER, flush_bytes=2 * SIZE)
    waiting.put(said(1))
    assert waiting.take(monotonic()) == []
    waiting.put(said(2))

    assert waiting.take(None) == [said(1), said(2)]


def test_what_waits_for_something_is_woken_by_it() -> None:
    waiting = queue()
    taken: list[list[QueueEntry] | None] = []
    thread = threading.Thread(target=lambda: taken.append(waiting.take(None)))
    thread.start()
    waiting.put(said(1))
    thread.join(30)

    assert taken == [[said(1)]]


def test_a_full_queue_says_so_once_and_takes_what_comes_all_the_same() -> None:
    waiting = queue(queue_bytes=2 * SIZE)

    assert [waiting.put(said(number)) for number in range(4)] == [False, True, False, False]
    assert (waiting.full, waiting.bytes) == (True, 4 * SIZE)
    assert [waiting.written(SIZE) for _ in range(4)] == [False, False, True, False]
    assert (waiting.full, waiting.shed_facts) == (False, 0)


def test_a_full_queue_that_sheds_says_what_when_there_is_room() -> None:
    waiting = queue(queue_bytes=2 * SIZE, sheds=True)
    for number in range(5):
        waiting.put(said(number))
    assert waiting.take(None) == [said(0), said(1)]
    waiting.put(said(5))
    assert waiting.written(2 * SIZE)
    waiting.put(said(6))

    assert waiting.take(None) == [Shed(4, said(2), said(5)), said(6)]
    assert waiting.shed_facts == 4


def test_what_was_shed_is_said_at_the_end() -> None:
    waiting = queue(queue_bytes=SIZE, sheds=True)
    for number in range(3):
        waiting.put(said(number))
    waiting.close(Closing(AT, in_order=True))

    assert waiting.take(None) == [said(0), Shed(2, said(1), said(2))]
    assert waiting.take(None) is None


def test_commands_are_taken_although_it_is_full() -> None:
    waiting = queue(queue_bytes=SIZE, sheds=True)
    waiting.put(said(0))

    assert waiting.command(Rotation(AT, "c0ffee"))
    assert waiting.shed_facts == 0


def test_what_comes_after_the_end_is_refused() -> None:
    waiting = queue()
    waiting.put(said(1))

    assert waiting.end() == [said(1)]
    assert not waiting.command(Rotation(AT, "c0ffee"))


def test_giving_up_is_waited_for() -> None:
    waiting = queue()
    assert not waiting.gives_up(0.0)
    waiting.give_up()

    assert waiting.gives_up(NEVER)


@pytest.mark.parametrize("at", [AT, None])
def test_size_and_time_of_a_fact(at: int | None) -> None:
    assert (size_of(said(1, at=at)), moment_of(said(1, at=at))) == (len(said(1, at=at)), at)


@given(st.lists(st.sampled_from(["put", "take", "write"]), max_size=60), st.integers(1, 5 * SIZE))
def test_what_was_shed_and_what_was_taken_is_all_that_was_put(steps: list[str], queue_bytes: int) -> None:
    waiting = queue(queue_bytes=queue_bytes, sheds=True)
    put, taken, unwritten = 0, list[QueueEntry](), 0
    for step in steps:
        match step:
            case "put":
                waiting.put(said(put))
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
    taken += waiting.take(None) or []

    expected = 0
    for item in taken:
        if isinstance(item, Shed):
            assert (item.first, item.last) == (said(expected), said(expected + item.facts - 1))
            expected += item.facts
        else:
            assert item == said(expected)
            expected += 1
    assert expected == put
