"""The event loop of the commands that run until they are stopped, and the threads beside it.

Scrapes and pages are made in threads, but one thread at a time runs Python code. One that computes is asked to let
another one go on after `TURN_SECONDS`. The loop waits for that after each call that reads from a socket or waits for
one, so a few frames while a page was made took it ten times the 5 ms that CPython has as the default: with 10,000 open
conversations the longest of such stalls was 61 ms and is 16 ms on a busy machine. More frequent turns than this were
not better.

What one call of C does is not interrupted. So what sorts or copies very much in a thread does it in slices.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

TURN_SECONDS: Final = 0.0005


def event_loop_options() -> dict[str, bool]:
    """Return the options that anyio runs the event loop with: uvloop where it is installed."""
    return {"use_uvloop": True} if find_spec("uvloop") else {}


@contextmanager
def short_turns() -> Iterator[None]:
    """Let the threads of this process take short turns meanwhile."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
