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


def main() -> NoReturn:
    """Run the command that the arguments name, and exit."""
    if sys.argv[1:] and sys.argv[1] in DAEMONS:
        SIGNALS.hold()
        gc.disable()  # what is made until a daemon runs stays; `app.garbage` puts it on again
    # What is imported here takes time, in which a signal would end a process that does not hold it.
    from steno.app.descriptors import open_standard  # noqa: PLC0415
    from steno.cli import main as command_line  # noqa: PLC0415

    open_standard()
    command_line()


if __name__ == "__main__":
    main()
