"""No frame makes more work than its bound, whatever is in it, and no limit makes an event dear where it is reached.

Counted are steps of the interpreter and bytes that loops in C go through, never time: `tests/work_counter.py`.
"""

import pytest

from benchmarks import caps, hostile
from benchmarks.work import Fed
from steno.limits import LIST_ELEMENTS, STRUCTURE_ELEMENTS
from tests.work_counter import Work, steps_of

SHORT_BYTES = 1 << 16
SHORT_STEPS = 150_000
"""What a frame of 64 KiB may take: 3 to 7 ms, at 20 to 50 ns a step."""
LONG_BYTES = 1 << 22
LONG_STEPS = 250_000
"""What a frame of 4 MiB may take: some 10 ms."""
EVENTS = 300


def steps_at(kind: str, size: int) -> int:
    """The steps that a hostile frame of a kind and a size takes, into conversations that are open."""
    payload = hostile.KINDS[kind](size)
    assert len(payload) <= size
    fed = Fed(hostile.OPENING)
    return steps_of(lambda: fed.feed(payload))


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_no_frame_makes_more_work_than_its_bound(kind: str) -> None:
    """Neither a short one nor a long one. One that is twice as long makes twice the work at most: none is square.

    A long one is taken where all of its kind is long: at the length from which on structure is counted there is a step.
    """
    half, short = steps_at(kind, SHORT_BYTES // 2), steps_at(kind, SHORT_BYTES)
    long, longer = steps_at(kind, LONG_BYTES), steps_at(kind, 2 * LONG_BYTES)

    assert (short <= SHORT_STEPS, long <= LONG_STEPS) == (True, True), (short, long)
    assert (short <= 2.2 * half + 200, longer <= 2.2 * long + 200) == (True, True), (half, short, long, longer)


@pytest.mark.parametrize("name", caps.CAPS)
def test_an_event_costs_at_a_limit_what_it_costs_elsewhere(name: str) -> None:
    """On the average over some hundred events: what is dropped at a limit may be dropped many at a time.

    The newest items may be looked at, as many as a list has elements: where the event itself is cheap, that is more
    than it is.
    """
    cap = caps.CAPS[name]
    payloads = [cap.event(number) for number in range(EVENTS)]

    def steps(opening: tuple[bytes, ...]) -> int:
        fed = Fed(opening)
        with Work() as work:
            for payload in payloads:
                fed.feed(payload)
        return work.steps

    norm, full = steps(caps.OPENING), steps((*caps.OPENING, *cap.fill()))
    assert full <= max(2.5 * norm, norm + EVENTS * (LIST_ELEMENTS + 10)), (norm, full)


def test_the_counter_sees_loops_of_python_and_of_c() -> None:
    """A test of work that cannot fail would be none."""
    numbers = list(range(100_000))
    text = b"," * 1_000_000

    assert steps_of(lambda: None) < 30
    assert steps_of(lambda: [number for number in numbers if number]) > 100_000
    assert steps_of(lambda: numbers.index(99_999)) > 5_000
    assert steps_of(lambda: text.count(b",")) > 1_900
    assert steps_of(lambda: numbers.append(1)) < 20


def test_a_frame_is_counted_once_however_much_is_in_it() -> None:
    """As an event or as rejected, and only what is too complex is not read."""
    fed = Fed(())
    for kind, make in hostile.KINDS.items():
        before = fed.stream.frames
        fed.feed(make(2 * STRUCTURE_ELEMENTS))
        assert fed.stream.frames == before + 1, kind
    counts = fed.pipeline.source("benchmark")
    events = sum(fed.pipeline.events.values()) + sum(fed.pipeline.others.values())
    assert events + sum(counts.frames_rejected.values()) == fed.stream.frames
