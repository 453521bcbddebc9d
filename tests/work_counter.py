"""Counts what the interpreter does, so that a test can bound the work of a frame without a clock.

One step is a line that is executed or a call that is made, of Python or of C. What a call in C goes through counts as
well, since a loop in C takes one line however long it is: the length of what its method belongs to (`bytes.count`,
`list.remove`), and for a decoder the length of the longest text that its caller holds, at so many bytes or elements a
step. Methods that take the same time however long their object is count as one step.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

BYTES_A_STEP: Final = 512
"""What C goes through in about the time of a step: some tens of nanoseconds."""
ELEMENTS_A_STEP: Final = 16
QUICK: Final = frozenset({"append", "clear", "isascii", "startswith", "endswith"})
"""Methods of lists and texts whose time does not grow with what they belong to, or was charged when that grew."""


class Work:
    """Counts steps while it is entered."""

    def __init__(self) -> None:
        self.steps = 0
        self._before: tuple[Any, Any] = (None, None)

    def __enter__(self) -> Self:
        self._before = sys.gettrace(), sys.getprofile()
        sys.setprofile(self._profile)
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        trace, profile = self._before
        sys.settrace(trace)
        sys.setprofile(profile)

    def _trace(self, _frame: FrameType, _event: str, _argument: object) -> Callable[..., Any]:
        self.steps += 1
        return self._trace

    def _profile(self, frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            self.steps += 1 + _within(frame, function)


def _within(frame: FrameType, function: Any) -> int:
    """Return the steps that a call in C takes inside of C."""
    name, owner = function.__name__, getattr(function, "__self__", None)
    if name == "decode" and not isinstance(owner, bytes):
        return max(map(_length, frame.f_locals.values()), default=0) // BYTES_A_STEP
    if name in QUICK:
        return 0
    if isinstance(owner, bytes | str | bytearray | memoryview):
        return len(owner) // BYTES_A_STEP
    return len(owner) // ELEMENTS_A_STEP if isinstance(owner, list) else 0


def _length(value: Any) -> int:
    try:
        return memoryview(value).nbytes
    except TypeError:
        return len(value) if isinstance(value, str) else 0


def steps_of(action: Callable[[], object]) -> int:
    """Return how many steps `action` takes."""
    with Work() as work:
        action()
    return work.steps
