"""How a daemon, and what takes as much, imports what it is made of: about 800 modules, most of its start.

What an import makes stays, so the garbage collector finds nothing in it, and searches it again and again as it grows.
And structlog imports rich where that is installed, to draw local variables, which the operational log never shows.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lean_imports() -> Iterator[None]:
    """Import what is imported within, without garbage collection, and structlog without rich."""
    collects = gc.isenabled()  # not where a daemon starts: `__main__`
    gc.disable()
    try:
        _import_structlog()
        yield
    finally:
        if collects:
            gc.enable()


def _import_structlog() -> None:
    """Import structlog as where rich is not installed. Whoever imports rich later has it as ever."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # None: its import fails, as of what is not installed
    try:
        import structlog  # noqa: F401, PLC0415  # the first import counts, so it is this one
    finally:
        del sys.modules["rich"]
