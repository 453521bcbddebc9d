"""A service manager, as far as it is a socket that hears of one daemon, and a hang for it to find."""

import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, Self

from tests.processes import PATIENCE_SECONDS

NO_CORE: Final = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
"""A process that is aborted leaves no image of its memory where tests run. LimitCORE= of the unit does the same."""
HANGING_LOOP: Final = """
import time
from steno.app import daemon
def hang(self):
    time.sleep(3600)
daemon.Daemon.reload = hang
"""
"""At SIGHUP the event loop does not turn any more."""

Message = dict[str, str]


class Manager:
    """Binds a name of the kernel's choice, and reads what comes to it."""

    def __init__(self) -> None:
        self._socket: Final = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("")  # the kernel chooses a name that is no file
        name: bytes = self._socket.getsockname()
        self.environ: Final[Mapping[str, str]] = {"NOTIFY_SOCKET": f"@{name[1:].decode('ascii')}"}
        self.heard: Final[list[Message]] = []
        """All that `wait_for` and `wait_for_silence` read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def received(self) -> list[Message]:
        """Return what has come by now."""
        messages = []
        while message := self._read(0.0):
            messages.append(message)
        return messages

    def wait_for(self, holds: Callable[[Message], object]) -> Message:
        """Read until a message `holds`, and return it."""
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            message = self._read(deadline - monotonic())
            assert message, f"what a test waits for was not heard, but {self.heard[-3:]}"
            self.heard.append(message)
            if holds(message):
                return message

    def wait_for_silence(self, name: str, seconds: float) -> None:
        """Read until no message has had `name` for `seconds`, as a watchdog waits."""
        deadline, last = monotonic() + PATIENCE_SECONDS, monotonic()
        while (left := last + seconds - monotonic()) > 0:
            assert monotonic() < deadline, f"{name} goes on and on"
            if message := self._read(left):
                self.heard.append(message)
                last = monotonic() if name in message else last

    def _read(self, seconds: float) -> Message | None:
        self._socket.settimeout(max(0.0, seconds))
        try:
            text = self._socket.recv(4096).decode()
        except (BlockingIOError, TimeoutError):
            return None
        return dict(line.split("=", 1) for line in text.split("\n"))
