"""When a process looks for garbage in circles, which nothing else frees: seldom, and never because it is busy.

Theory of operation
-------------------

Nearly all that is let go is freed at once, by its count of references. What refers to itself in a circle is found by
the collector of CPython, which looks at the young objects often, in about a millisecond, and at all objects now and
then. With 10,000 open conversations that second kind held the loop for a tenth of a second, and found nothing: feeding
conversations makes no circle (`tests/core/test_garbage.py`). A connection that ends leaves that of its transport, 2 KB.
So:

- Young objects are looked at once a second besides. By itself the collector does so once 700 more were made than freed.
  Where conversations come and go in equal numbers that is hardly ever, and then all those of minutes are young.
- All objects are looked at when nothing is open and something has ended. Hardly anything is there then.
- Where it never is that quiet, they are looked at once twice as many streams have ended as are open, and `ENDED_LEAST`
  more: garbage stays far below what is in use. Such a collection takes the longer the more is open: 0.1 to 0.3 s with
  10,000 conversations, for which at least 25,000 others have come and gone.
- So they are once as many connections were begun, since one that is refused, or fails, ends no stream: at least
  `BEGUN_LEAST`, also where nothing is open.
- They are looked at every `LONGEST_SECONDS`, for the circles of requests over HTTP.
- What is there at the start stays: nobody looks at it until the daemon runs, and then it is frozen.

A replay makes no more circles than a daemon, and is over soon: young objects are looked at once 50,000 more were made
than freed (`seldom`).

In CPython up to 3.13 the third threshold keeps the collector from looking at all objects by itself; the rule that it
has of its own, a quarter more of old objects, comes after that. Where the collector works in increments, that threshold
means nothing: it looks at an increment whenever it looks at young objects, and what is said here is done besides.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

YOUNG: Final = 1
ALL: Final = 2
"""Generations of the collector, with those before them."""
NEVER: Final = 1_000_000_000
ENDED_LEAST: Final = 5_000
"""Streams that end before all objects are looked at while others are open: 10 MB."""
BEGUN_LEAST: Final = 1_000
"""Connections that begin before all objects are looked at where nothing is open: 2 MB."""
LONGEST_SECONDS: Final = 6 * 3_600.0
YOUNG_OF_A_REPLAY: Final = 50_000
"""More objects made than freed at which a replay has young objects looked at: some 10 MB of them."""


@contextmanager
def seldom() -> Iterator[None]:
    """Look seldom at what is made within, and not at what was made before."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OF_A_REPLAY, *thresholds[1:])
    gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


class Garbage:
    """The policy of one process, from `start` to `stop`."""

    def __init__(self, collect: Callable[[int], object] = gc.collect, clock: Callable[[], float] = monotonic) -> None:
        """Change nothing yet. `collect` looks at a generation, `clock` gives seconds that never run backwards."""
        self._collect = collect
        self._clock = clock
        self._ended = 0
        """Streams since the last collection."""
        self._begun = 0
        """Connections that had been begun by then."""
        self._collected_at = 0.0
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Begin: what there is now stays to the end."""
        self._thresholds = gc.get_threshold()
        gc.freeze()
        gc.enable()  # it is off from the first line of the program on: `__main__`
        gc.set_threshold(*self._thresholds[:2], NEVER)
        self._collected_at = self._clock()

    def stop(self) -> None:
        """Leave it to the interpreter again."""
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def stream_ended(self) -> None:
        """Note that a stream has ended, and its connection with it."""
        self._ended += 1

    def tick(self, streams: int, conversations: int, begun: int) -> None:
        """Look at young objects, and at all where it is time. Called once a second.

        Args:
            streams: how many are open.
            conversations: how many are open.
            begun: how many connections were begun since the start, whatever became of them.
        """
        most = ENDED_LEAST + 2 * streams if streams or conversations else 1
        many = self._ended >= most or begun - self._begun >= max(most, BEGUN_LEAST)
        whole = many or self._clock() >= self._collected_at + LONGEST_SECONDS
        if whole:
            self._ended, self._begun, self._collected_at = 0, begun, self._clock()
        self._collect(ALL if whole else YOUNG)
