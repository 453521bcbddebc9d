"""Work on very many in a thread beside the event loop, with rests in which the loop goes on.

One thread at a time runs Python code. Whenever the loop reads from a socket or writes to one, a thread that computes
may go on, and the loop waits until that one's turn is over (`app.event_loop`). In a second of such work the loop waits
that often. So the thread rests for about as long as it works, and in its rests the loop waits for nobody. It takes
twice as long, and no more of the processor.
"""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter, sleep
from typing import Final, TypeVar

WORK_SECONDS: Final = 0.0005
"""Between two rests, and the length of one: a turn of a thread, some dozens of rows."""

T = TypeVar("T")


def rested(
    items: Iterable[T], clock: Callable[[], float] = perf_counter, rest: Callable[[float], None] = sleep
) -> Iterator[T]:
    """Yield `items`, and rest in between. Not for the loop. `clock` gives seconds, and `rest` waits for some."""
    since = clock()
    for item in items:
        yield item
        if clock() - since >= WORK_SECONDS:
            rest(WORK_SECONDS)
            since = clock()
