"""When the daemon looks for garbage in circles, which nothing else frees: seldom, and never because it is busy.

Theory of operation
-------------------

Nearly all that is let go is freed at once, by its count of references. What refers to itself in a circle is found by
the collector of CPython, which looks at the young objects often, in less than a millisecond, and at all objects now and
then. With 10,000 open conversations that second kind held the loop for a tenth of a second, and found nothing: feeding
conversations makes no circle (`tests/core/test_garbage.py`). Circles come with the end of a connection: a few, which
hold some 20 KiB. So:

- Young objects are looked at as ever.
- All objects are looked at when nothing is open and something has ended. Hardly anything is there then.
- Where it never is that quiet, they are looked at once as many streams have ended as are open, and `ENDED_LEAST` more:
  then garbage is at most of the size of what is in use. Such a collection takes the longer the more is open.
- They are looked at every `LONGEST_SECONDS`, for the circles of requests over HTTP.
- What is there at the start stays: it is frozen, so that nobody looks at it again.

In CPython up to 3.13 the third threshold keeps the collector from looking at all objects by itself; the rule that it
has of its own, a quarter more of old objects, comes after that. Where the collector works in increments, that threshold
means nothing: each increment is small, and what is said here is done besides.
"""

import gc
from collections.abc import Callable
from time import monotonic
from typing import Final

NEVER: Final = 1_000_000_000
ENDED_LEAST: Final = 1_000
"""Streams that end before all objects are looked at while others are open: 20 MB at most."""
LONGEST_SECONDS: Final = 6 * 3_600.0


class Garbage:
    """The policy of one process, from `start` to `stop`."""

    def __init__(self, collect: Callable[[], object] = gc.collect, clock: Callable[[], float] = monotonic) -> None:
        """Change nothing yet. `collect` looks at all objects, `clock` gives seconds that never run backwards."""
        self._collect = collect
        self._clock = clock
        self._ended = 0
        """Streams since the last collection."""
        self._collected_at = 0.0
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Begin: what there is now stays to the end."""
        self._thresholds = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(*self._thresholds[:2], NEVER)
        self._collected_at = self._clock()

    def stop(self) -> None:
        """Leave it to the interpreter again."""
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def stream_ended(self) -> None:
        """Note that a stream has ended, and its connection with it."""
        self._ended += 1

    def tick(self, streams: int, conversations: int) -> None:
        """Look at all objects where it is time. Called once a second, with how many of either are open."""
        most = ENDED_LEAST + streams if streams or conversations else 1
        if self._ended >= most or self._clock() >= self._collected_at + LONGEST_SECONDS:
            self._collect()
            self._ended, self._collected_at = 0, self._clock()
