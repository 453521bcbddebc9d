"""The time of receipt never runs backwards, whatever is done to the clocks; what was done to them is noticed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.sources.clock import Clock, ClockChange, ClockWatch

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


class Machine:
    """A machine whose clocks a play sets."""

    def __init__(self) -> None:
        self.wall, self.monotonic, self.asleep = START, 5_000 * SECOND, 300 * SECOND
        self.stands: list[int] = []
        """How long the process stands still between the readings of two clocks."""
        self.clock = Clock(self._read_wall, lambda: self.monotonic, lambda: self.monotonic + self.asleep)
        self.watch = ClockWatch(self.clock)

    def _read_wall(self) -> int:
        wall = self.wall
        self.go_on(self.stands.pop() if self.stands else 0)
        return wall

    def go_on(self, nanoseconds: int) -> None:
        self.wall += nanoseconds
        self.monotonic += nanoseconds

    def sleep(self, nanoseconds: int) -> None:
        self.wall += nanoseconds
        self.asleep += nanoseconds

    @property
    def now(self) -> float:
        """The time in seconds since the start."""
        return (self.clock.now() - self.clock.start) / 1_000_000

    def seconds(self, count: int, *, quiet: bool = False) -> list[tuple[str, float, float]]:
        """Let seconds go by, and return what was noticed."""
        noticed: list[ClockChange] = []
        for _ in range(count):
            self.go_on(SECOND)
            noticed += self.watch.check(quiet=quiet)
        return [(change.direction, change.seconds, change.offset_seconds) for change in noticed]

    @property
    def counted(self) -> tuple[int, int, int]:
        steps = self.watch.numbers()["steno_clock_steps_total"]
        return tuple(int(steps[direction,]) for direction in ("forward", "backward", "suspend"))  # type: ignore[return-value]  # three

    @property
    def offset(self) -> float:
        return self.watch.numbers()["steno_clock_offset_seconds"][()]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_clocks_of_the_system_agree_at_the_start() -> None:
    watch = ClockWatch(Clock())

    assert watch.check(quiet=True) == []
    assert watch.numbers()["steno_clock_steps_total"] == {("forward",): 0, ("backward",): 0, ("suspend",): 0}


# The wall clock is set ------------------------------------------------------------------------------------


def test_a_step_is_noticed_once_and_moves_no_time(machine: Machine) -> None:
    """Durations are differences of times: while anything is open they go on as they were."""
    machine.wall += 7_200 * SECOND

    assert machine.seconds(600) == [("forward", 7_200.0, 7_200.0)]
    assert (machine.now, machine.offset, machine.counted) == (600.0, 7_200.0, (1, 0, 0))


def test_the_times_follow_forward_once_it_is_quiet_and_the_step_has_lasted(machine: Machine) -> None:
    """From then on they are those of the wall clock, and there is no difference left."""
    machine.wall += 7_200 * SECOND
    noticed = machine.seconds(60, quiet=True)
    before = machine.now
    followed = machine.seconds(600, quiet=True)

    assert (noticed, before) == ([("forward", 7_200.0, 7_200.0)], 60.0)
    assert followed == [("followed", 7_200.0, 0.0)]
    assert (machine.now, machine.offset, machine.counted) == (7_860.0, 0.0, (1, 0, 0))


def test_a_mistake_that_is_set_right_soon_is_not_followed(machine: Machine) -> None:
    machine.wall += 14 * 365 * 86_400 * SECOND
    first = machine.seconds(59, quiet=True)
    machine.wall -= 14 * 365 * 86_400 * SECOND
    second = machine.seconds(600, quiet=True)

    assert [direction for direction, _, _ in first + second] == ["forward", "backward"]
    assert (machine.now, machine.offset) == (659.0, 0.0)


def test_backward_is_never_followed(machine: Machine) -> None:
    """The times would run backwards. The difference stays visible until the next start."""
    machine.wall -= 3_600 * SECOND

    assert machine.seconds(600, quiet=True) == [("backward", 3_600.0, -3_600.0)]
    assert (machine.now, machine.offset, machine.counted) == (600.0, -3_600.0, (0, 1, 0))


def test_small_steps_add_up_to_one(machine: Machine) -> None:
    noticed = []
    for _ in range(5):
        machine.wall += SECOND // 5
        noticed += machine.seconds(1)

    assert noticed == [("forward", 0.6, 0.6)]


def test_a_leap_second_is_a_step(machine: Machine) -> None:
    machine.wall -= SECOND

    assert machine.seconds(5) == [("backward", 1.0, -1.0)]


def test_a_process_that_stands_still_between_two_readings_sees_no_step(machine: Machine) -> None:
    """Not if it does once, and not if it does whenever it looks."""
    machine.stands = [5 * SECOND]
    once = machine.seconds(10)
    machine.stands = [5 * SECOND] * 3
    thrice = machine.seconds(10)

    assert (once, thrice) == ([], [])


# The machine sleeps ---------------------------------------------------------------------------------------


def test_sleep_is_time_that_went_by(machine: Machine) -> None:
    """The monotonic clock stood still; the wall clock did not, and no step of it is reported."""
    machine.sleep(3_600 * SECOND)

    assert machine.seconds(10) == [("suspend", 3_600.0, 0.0)]
    assert (machine.now, machine.offset, machine.counted) == (3_610.0, 0.0, (0, 0, 1))


def test_a_clock_that_was_set_while_the_machine_slept(machine: Machine) -> None:
    """Both are told apart."""
    machine.sleep(3_600 * SECOND)
    machine.wall += 100 * SECOND

    assert machine.seconds(10) == [("suspend", 3_600.0, 100.0), ("forward", 100.0, 100.0)]


def test_time_does_not_run_backwards(machine: Machine) -> None:
    with pytest.raises(ValueError, match="backwards"):
        machine.clock.advance(-1)


# Anything -------------------------------------------------------------------------------------------------

EVENTS = st.tuples(
    st.sampled_from(["set", "sleep", "stand", "go on"]),
    st.integers(-(10**18), 10**18),
    st.booleans(),
    st.integers(1, 90),
)


@given(st.lists(EVENTS, max_size=20))
def test_whatever_is_done_to_the_clocks_times_never_run_backwards(events: list[tuple[str, int, bool, int]]) -> None:
    """And while anything is open, a second is a second, unless the machine slept."""
    machine = Machine()
    times = []
    for what, amount, quiet, seconds in events:
        if what == "set":
            machine.wall += amount
        elif what == "sleep":
            machine.sleep(abs(amount) + SECOND)
        elif what == "stand":
            machine.stands = [abs(amount)]
        before, monotonic = machine.clock.now(), machine.monotonic
        changes = machine.seconds(seconds, quiet=quiet)
        times += [before, machine.clock.now()]
        if not quiet and what != "sleep" and not any(direction == "suspend" for direction, _, _ in changes):
            assert abs(times[-1] - before - (machine.monotonic - monotonic) // 1000) <= 1  # a microsecond is cut off

    assert all(earlier <= later for earlier, later in itertools.pairwise(times))
