"""The signals of a daemon, held from the first line of the program on.

SIGTERM, SIGINT and SIGHUP end a process that has no handler for them, and the daemon imports and opens for a while
before it has an event loop. So the handler stands first. It remembers what comes until `deliver` says who is to have
it. One handler stands for the whole life of the process, so that there is no moment without one.

It is a handler and not a blocked mask, which threads and child processes would inherit.

The program imports this module before any other: it imports nothing that takes time.
"""

from __future__ import annotations

import signal

TYPE_CHECKING = False  # as in `__main__`
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """What became of the signals of this process."""

    def __init__(self) -> None:
        """Remember nothing. The signals are held from `hold` on."""
        self._remembered: list[signal.Signals] = []
        self._deliver: Callable[[signal.Signals], None] | None = None
        self._ending = False

    def hold(self) -> None:
        """Set the handler, in the main thread. It may be called again."""
        for number in HELD:
            signal.signal(number, self._received)

    def deliver(self, receiver: Callable[[signal.Signals], None] | None) -> None:
        """Hand what was remembered, and all that comes, to `receiver`; None: remember again.

        It is called between any two instructions of the main thread. So it must not wait, lock or log.
        """
        self._deliver = receiver
        while receiver and self._remembered:
            receiver(self._remembered.pop(0))

    def _received(self, number: int, _frame: FrameType | None) -> None:
        received = signal.Signals(number)
        if received != signal.SIGHUP:
            if self._ending:  # whoever signals twice does not want to wait
                signal.signal(received, signal.SIG_DFL)
                signal.raise_signal(received)
            self._ending = True
        if self._deliver:
            self._deliver(received)
        elif received not in self._remembered:  # two requests to reload are one
            self._remembered.append(received)


SIGNALS = Signals()
"""Those of this process: a handler belongs to all of it."""
