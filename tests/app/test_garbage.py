"""When the daemon has the collector look at all objects."""

import gc
from collections.abc import Iterator

import pytest

from steno.app.garbage import (
    ALL,
    BEGUN_LEAST,
    ENDED_LEAST,
    LONGEST_SECONDS,
    NEVER,
    YOUNG,
    YOUNG_OF_A_REPLAY,
    Garbage,
    seldom,
)


class Play:
    """A policy on a clock that is moved by hand, and how often it had all objects looked at."""

    def __init__(self) -> None:
        self.generations: list[int] = []
        self.now = 100.0
        self.begun = 0
        self.garbage = Garbage(self.generations.append, lambda: self.now)

    def end(self, streams: int, *, left: int = 0, conversations: int = 0, refused: int = 0) -> int:
        """Let streams end, connections be refused, and a second pass; return how often all was looked at."""
        for _ in range(streams):
            self.garbage.stream_ended()
        self.begun += streams + refused
        self.now += 1
        self.garbage.tick(left, conversations, self.begun)
        return self.generations.count(ALL)


@pytest.fixture
def play() -> Iterator[Play]:
    """A policy that has begun, for the length of a test."""
    play = Play()
    play.garbage.start()
    yield play
    play.garbage.stop()


def test_the_collector_is_off_until_the_daemon_runs() -> None:
    garbage = Play().garbage
    gc.disable()  # as `__main__` leaves it
    try:
        garbage.start()
        assert gc.isenabled()
    finally:
        gc.enable()
        garbage.stop()


def test_a_replay_looks_seldom_and_leaves_the_collector_as_it_was() -> None:
    before = gc.get_threshold()
    with seldom():
        within, enabled, frozen = gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()
    assert (within, enabled) == ((YOUNG_OF_A_REPLAY, *before[1:]), True)
    assert frozen > gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_the_collector_leaves_old_objects_alone_meanwhile() -> None:
    """And is as it was at the end."""
    before, garbage = gc.get_threshold(), Play().garbage
    garbage.start()
    during = gc.get_threshold(), gc.get_freeze_count() > 0
    garbage.stop()
    assert during == ((*before[:2], NEVER), True)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_it_collects_once_all_has_ended(play: Play) -> None:
    """And not again before something else ends."""
    assert [play.end(0), play.end(1), play.end(0), play.end(2)] == [0, 1, 1, 2]
    assert play.generations == [YOUNG, ALL, YOUNG, ALL]


@pytest.mark.parametrize("left", [1, 500])
def test_while_something_is_open_it_waits_for_twice_as_many_to_end(play: Play, left: int) -> None:
    """What it takes is in proportion to what there is."""
    most = ENDED_LEAST + 2 * left
    assert [play.end(most - 1, left=left), play.end(1, left=left), play.end(1, left=left)] == [0, 1, 1]


def test_a_conversation_that_outlives_its_streams_is_something_open(play: Play) -> None:
    """All objects are then not few."""
    assert play.end(ENDED_LEAST - 1, conversations=3) == 0


def test_connections_that_come_to_nothing_count_too(play: Play) -> None:
    """Each leaves garbage: whoever is refused all day must not fill the memory."""
    quiet = [play.end(0, refused=refused) for refused in (BEGUN_LEAST - 1, 1, 1)]
    busy = [play.end(0, left=500, refused=refused) for refused in (ENDED_LEAST + 998, 1, 1)]
    assert (quiet, busy) == ([0, 1, 1], [1, 2, 2])


def test_it_collects_now_and_then_whatever_is_open(play: Play) -> None:
    """Requests over HTTP leave garbage as well."""
    play.now += LONGEST_SECONDS
    assert [play.end(0, left=5), play.end(0, left=5)] == [1, 1]
