"""Makes the daemon die, or a call to the kernel fail, at a point that the environment names.

A point is a moment, a call, the kind of file that it is about, and the number of the call among its like.
`STENO_DIES="half write segment 3"` kills the process with SIGKILL when half of its third write to a segment is done.
`STENO_FAILS="fdatasync segment 5 3"` lets that call fail three times from the fifth on, as a broken disk does.

The product has no hooks for it. Functions of `os` are replaced, in the process of the daemon alone.
"""

import errno
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
STATEMENTS: Final = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.crash import crash_points; crash_points.arm()"
)
"""What a process runs before the daemon."""

SEGMENT: Final = re.compile(r"audit-\d{20}\.jsonl( \(deleted\))?")


class Point(NamedTuple):
    """A call to the kernel."""

    call: str
    what: str
    nth: int

    @classmethod
    def of(cls, parts: list[str]) -> "Point":
        """Read `[call, what ..., nth]`: the kind of file may have several words."""
        return cls(parts[0], " ".join(parts[1:-1]), int(parts[-1]))


def arm() -> None:
    """Replace the calls that the environment names."""
    if dies := os.environ.get("STENO_DIES"):
        moment, *parts = dies.split()
        _replace(Point.of(parts), 1, MOMENTS[moment])
    if fails := os.environ.get("STENO_FAILS"):
        *parts, times = fails.split()
        _replace(Point.of(parts), int(times), _fail)


def _replace(point: Point, times: int, act: Callable[..., Any]) -> None:
    """Do `act` in place of the call, `times` times from `point` on."""
    real = getattr(os, point.call)
    lock = threading.Lock()
    calls = 0

    def call(target: Any, *args: Any, **options: Any) -> Any:
        nonlocal calls
        if _kind(target) != point.what:
            return real(target, *args, **options)
        with lock:
            calls += 1
            due = point.nth <= calls < point.nth + times
        return act(real, target, *args, **options) if due else real(target, *args, **options)

    setattr(os, point.call, call)


# What a call is about -------------------------------------------------------------------------------------------


def _kind(target: int | str | os.PathLike[str]) -> str:
    """Return the kind of file that a descriptor or a path leads to."""
    path = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(target)
    if SEGMENT.fullmatch(path.name):
        return "segment" if _holds_something(target) else "new segment"
    if path.parent.name == "words":
        return "words"
    if path.is_dir():
        return "folder of words" if path.name == "words" else "folder"
    return "other"


def _holds_something(target: int | str | os.PathLike[str]) -> bool:
    try:
        return os.stat(target).st_size > 0  # noqa: PTH116  # a descriptor has no path
    except FileNotFoundError:
        return False


# What happens there ---------------------------------------------------------------------------------------------


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(real: Callable[..., Any], *args: Any, **options: Any) -> None:
    _die()


def _half(real: Callable[..., Any], descriptor: int, data: bytes) -> None:
    """Write half, and never only whole lines."""
    real(descriptor, bytes(data[: len(data) // 2]).rstrip(b"\n"))
    _die()


def _after(real: Callable[..., Any], *args: Any, **options: Any) -> None:
    real(*args, **options)
    _die()


def _fail(*_: object, **options: Any) -> None:
    raise OSError(errno.EIO, "as the test says")


MOMENTS: Final[dict[str, Callable[..., Any]]] = {"before": _before, "half": _half, "after": _after}
