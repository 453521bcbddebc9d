"""The queue of the operational log: bounded, in order, and the important lines kept longest."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from steno.app.log_queue import IMPORTANT, ORDINARY, WARNING, LogLine, LogQueue

LEVELS = {ORDINARY: "info", WARNING: "warning", IMPORTANT: "error"}


def line(name: str, importance: int = ORDINARY, *, again: bool = False) -> LogLine:
    return LogLine(f"{name}\n".encode(), LEVELS[importance], importance, again)


def names(queue: LogQueue) -> list[str]:
    """Take all lines, and return what they say."""
    found: list[str] = []
    while lines := queue.take(1).lines:
        found += [each.data.decode().strip() for each in lines]
    return found


def test_lines_leave_in_the_order_in_which_they_came() -> None:
    """Whatever their importance."""
    queue = LogQueue()

    for name, importance in (("a", ORDINARY), ("b", IMPORTANT), ("c", WARNING), ("d", ORDINARY)):
        queue.put(line(name, importance))

    assert names(queue) == ["a", "b", "c", "d"]


def test_the_oldest_of_the_least_important_go_first() -> None:
    """Room is made by ordinary lines, then by warnings, then by the oldest of the important ones."""
    queue = LogQueue(max_lines=3)

    for name in ("a", "b", "c", "d"):
        queue.put(line(name))
    ordinary = names(queue)
    for name, importance in (("e1", IMPORTANT), ("w1", WARNING), ("o1", ORDINARY), ("e2", IMPORTANT), ("w2", WARNING)):
        queue.put(line(name, importance))
    mixed = names(queue)
    for name in ("e3", "e4", "e5", "e6"):
        queue.put(line(name, IMPORTANT))
    queue.put(line("o2"))

    assert (ordinary, mixed, names(queue)) == (["b", "c", "d"], ["e1", "e2", "w2"], ["e4", "e5", "e6"])
    assert queue.dropped == 5


def test_what_was_dropped_is_reported_once_by_level() -> None:
    """The next batch has the numbers, and the one after it has none."""
    queue = LogQueue(max_lines=1)

    for importance in (ORDINARY, ORDINARY, WARNING, IMPORTANT):
        queue.put(line("x", importance))

    assert queue.take(1).dropped == {"info": 2, "warning": 1}
    assert queue.take(1).dropped == {}


def test_a_line_that_is_said_again_follows_before_all_others() -> None:
    """Of several heads that were dropped the last is said: whoever has it needs none before it."""
    queue = LogQueue(max_lines=2)

    for name in ("head 1", "head 2", "head 3", "head 4"):
        queue.put(line(name, IMPORTANT, again=True))

    assert names(queue) == ["head 2", "head 3", "head 4"]


def test_a_line_longer_than_the_queue_pushes_nothing_out() -> None:
    """It is dropped itself, and counted."""
    queue = LogQueue(max_bytes=10)
    queue.put(line("short"))
    queue.put(line("long" * 10, IMPORTANT))

    assert (names(queue), queue.dropped) == (["short"], 1)


def test_a_line_that_is_put_while_another_one_is(monkeypatch: object) -> None:
    """The collector of garbage may run anywhere, and what it destroys may log: no line is lost, and nothing hangs."""
    queue = LogQueue()

    class Nosy(str):
        """A level that logs when it is counted, in the middle of the queue's work."""

        __slots__ = ()

        def __hash__(self) -> int:
            queue.put(line("nested", IMPORTANT))
            return super().__hash__()

    queue._max_bytes = 12
    queue.put(LogLine(b"x" * 13, Nosy("info"), ORDINARY))

    assert names(queue)[0] == "nested"


@given(st.lists(st.tuples(st.sampled_from((ORDINARY, WARNING, IMPORTANT)), st.integers(1, 40), st.integers(0, 3))))
def test_nothing_is_lost_without_being_counted(steps: list[tuple[int, int, int]]) -> None:
    """Whatever is put and taken, the bounds hold, and each line is taken or counted as dropped."""
    queue = LogQueue(max_bytes=100, max_lines=5)
    put: Counter[str] = Counter()
    seen: Counter[str] = Counter()

    def take() -> int:
        batch = queue.take(30)
        seen.update(each.level for each in batch.lines)
        seen.update(batch.dropped)
        return len(batch.lines)

    for importance, length, takes in steps:
        queue.put(LogLine(b"x" * length, LEVELS[importance], importance))
        put[LEVELS[importance]] += 1
        waiting = [each for lines in queue._waiting for _, each in lines]
        assert len(waiting) == queue._lines <= 5
        assert sum(len(each.data) for each in waiting) == queue._bytes <= 100
        for _ in range(takes):
            take()
    while take():
        continue

    assert seen == put
