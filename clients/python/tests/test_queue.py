import random
from collections.abc import Sequence

import pytest

from steno_tap.queue import ITEM_BYTES, Budget, Close, Flight, Frame, Gap, Queue


def frame(number: int, size: int = 10) -> Frame:
    payload = f"{number:>{size}}"
    return Frame(number, "received", payload, size)


def numbers(items: Sequence[object]) -> list[object]:
    return [item.at_ns if isinstance(item, Frame) else item for item in items]


def make(fit: int, *, keep: bool = False, total: int | None = None) -> Queue:
    """Return a queue with room for `fit` frames of 10 bytes."""
    room = fit * (ITEM_BYTES + 10)
    return Queue(room, Budget(room if total is None else total), keep=keep)


def test_frames_leave_in_their_order() -> None:
    queue = make(10)
    for number in range(5):
        assert queue.put(frame(number), "queue_full")

    assert numbers(queue.take(2 * (ITEM_BYTES + 10))) == [0, 1]
    assert numbers(queue.take(10_000)) == [2, 3, 4]
    assert queue.take(10_000) == []


def test_what_does_not_fit_is_one_gap_in_its_place() -> None:
    queue = make(2)
    kept = [queue.put(frame(number), "disconnected") for number in range(4)]
    queue.take(ITEM_BYTES + 10)
    queue.take(ITEM_BYTES + 10)
    kept.append(queue.put(frame(4), "queue_full"))

    assert kept == [True, True, False, False, True]
    assert numbers(queue.take(10_000)) == [Gap(2, 2, 20, "disconnected"), 4]


def test_a_frame_that_never_fits_says_so() -> None:
    queue = make(2)
    queue.put(frame(0, 1000), "queue_full")

    assert queue.take(10_000) == [Gap(0, 1, 1000, "frame_too_big")]


def test_the_bound_over_all_queues_counts_too() -> None:
    budget = Budget(2 * ITEM_BYTES + 10)
    first, second = Queue(10_000, budget), Queue(10_000, budget)

    assert first.put(frame(0), "queue_full")
    assert not second.put(frame(1), "queue_full")
    first.take(1)
    assert second.put(frame(2), "queue_full")


def test_without_keep_a_broken_connection_leaves_a_gap_and_the_close() -> None:
    queue = make(10)
    for number in range(3):
        queue.put(frame(number), "queue_full")
    queue.take(10_000)
    queue.arrived(Flight(1, 1, 10))
    queue.put(frame(3), "queue_full")
    queue.close(Close(4, 1000, ""))
    queue.take(10_000)
    queue.rewind(9)

    assert queue.take(10_000) == [Gap(9, 3, 30, "disconnected"), Close(4, 1000, "")]
    queue.arrived(queue.in_flight)
    assert queue.empty


def test_with_keep_a_broken_connection_changes_nothing_but_the_place() -> None:
    queue = make(10, keep=True)
    for number in range(5):
        queue.put(frame(number), "queue_full")
    queue.take(3 * (ITEM_BYTES + 10))
    queue.confirm(1)
    queue.rewind(9)

    assert queue.first == 2
    assert numbers(queue.take(10_000)) == [1, 2, 3, 4]


def test_acknowledgements_of_what_was_not_sent_here_change_nothing() -> None:
    queue = make(10, keep=True)
    for number in range(3):
        queue.put(frame(number), "queue_full")
    queue.take(1)
    queue.confirm(10**9)
    queue.confirm(-1)

    assert queue.first == 2
    assert numbers(queue.take(10_000)) == [1, 2]


def test_a_gap_that_was_sent_does_not_grow() -> None:
    queue = make(1, keep=True)
    queue.put(frame(0), "queue_full")
    queue.put(frame(1), "queue_full")
    queue.take(10_000)
    queue.put(frame(2), "queue_full")
    queue.rewind(9)
    queue.put(frame(3), "queue_full")

    gaps = queue.take(10_000)[1:]
    assert [(gap.at_ns, gap.frames) for gap in gaps if isinstance(gap, Gap)] == [(1, 1), (2, 2)]


def test_the_longest_that_was_carried_is_given_up() -> None:
    queue = make(100, keep=True)
    for number, size in enumerate([10, 500, 20, 900]):
        queue.put(frame(number, size), "queue_full")

    queue.give_up_longest(3)
    assert numbers(queue.take(10_000)) == [0, Gap(1, 1, 500, "frame_too_big", sent=True), 2, 3]


@pytest.mark.parametrize("keep", [False, True])
def test_nothing_is_lost_without_being_counted_and_all_bytes_come_back(keep: bool) -> None:
    """Whatever happens in whatever order: each frame leaves once, or is counted in a gap; the bound holds."""
    for seed in range(300):
        generator = random.Random(seed)
        budget = Budget(4000)
        queue = Queue(3000, budget, keep=keep)
        put, left, missing = 0, 0, 0
        for step in range(200):
            action = generator.randrange(6)
            if action < 3:
                put += 1
                queue.put(frame(step, generator.choice([1, 10, 300, 5000])), "queue_full")
            elif action == 3:
                queue.take(generator.randrange(1, 2000))
            elif action == 4 and keep:
                acknowledged = [*queue.unconfirmed][: generator.randrange(4)]
                queue.confirm(queue.first - 1 + len(acknowledged))
                left += sum(isinstance(item, Frame) for item in acknowledged)
                missing += sum(item.frames for item in acknowledged if isinstance(item, Gap))
            elif action == 5:
                queue.rewind(step)
            frames_held = sum(isinstance(item, Frame) for item in (*queue.waiting, *queue.unconfirmed))
            gaps = [item for item in (*queue.waiting, *queue.unconfirmed) if isinstance(item, Gap)]
            assert put == left + missing + queue.in_flight.frames + frames_held + sum(gap.frames for gap in gaps)
            assert queue.held_bytes == budget.used_bytes
            assert queue.held_bytes - ITEM_BYTES * len(gaps) <= 3000
        queue.clear()
        assert (queue.held_bytes, budget.used_bytes) == (0, 0)
