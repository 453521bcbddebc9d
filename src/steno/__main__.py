"""`python -m steno` is the command `steno`. It holds the signals of a daemon before anything else is imported."""

from __future__ import annotations

import gc
import sys

from steno.app.signals import SIGNALS

TYPE_CHECKING = False  # `typing` alone would take longer than all else until the signals are held
if TYPE_CHECKING:
    from typing import NoReturn

DAEMONS = ("run", "demo")
"""The commands that have signals of their own. All others end by a signal at any time, as programs do."""
UNCOLLECTED = (*DAEMONS, "replay")
"""The commands that put the garbage collector on once they have begun: what is made until then stays."""


def main() -> NoReturn:
    """Run the command that the arguments name, and exit."""
    if sys.argv[1:] and sys.argv[1] in DAEMONS:
        SIGNALS.hold()
    if sys.argv[1:] and sys.argv[1] in UNCOLLECTED:
        gc.disable()  # `app.garbage` puts it on again
    # What is imported here takes time, in which a signal would end a process that does not hold it.
    from steno.app.descriptors import open_standard  # noqa: PLC0415
    from steno.cli import main as command_line  # noqa: PLC0415

    open_standard()
    try:
        command_line()
    finally:
        gc.freeze()  # the interpreter would look for circles among all objects as it ends


if __name__ == "__main__":
    main()
