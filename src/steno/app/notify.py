"""What the daemon tells the service manager that started it, by systemd's notify protocol. I/O.

The protocol is datagrams of `NAME=value` lines to the socket that $NOTIFY_SOCKET names. Without that variable nothing
is sent. The manager may hang, be busy, or have gone, and that harms nothing here:

- Nothing ever waits for it. A message that is not taken at once has failed.
- What the daemon is (`READY`, `STOPPING`, `STATUS`) is kept when it was not taken, and goes with the next message: a
  `READY=1` that got lost would end the daemon. A sign of life is not kept. It holds for its moment alone.

Signs of life (`WATCHDOG=1`, and `EXTEND_TIMEOUT_USEC` while it stops) are given only on proof of progress: a task of
the event loop gives them, so the loop has turned; and the writer of the audit log is idle, or has moved lately. What
upstream does is no part of it: a restart would not mend that.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

import anyio
import structlog

from steno.app.health import Health
from steno.audit.service import AuditService
from steno.pipeline import Pipeline
from steno.sources.supervisor import SourceSupervisor

TURN_SECONDS: Final = 1.0
"""How often it is looked whether there is something to say; more often for a watchdog that is more impatient."""
LEAST_TURN_SECONDS: Final = 0.01
STATUS_SECONDS: Final = 5.0
"""The least time between two messages for the status alone."""
EXTENSION_SECONDS: Final = 30.0
"""For how long the manager is asked to wait while the daemon stops. A hang is found after so long, at the latest."""
END_SECONDS: Final = 5.0
"""How long the process takes at most after its drain: the HTTP face, and the last lines of the operational log."""
MICROSECONDS: Final = 1_000_000

_KEPT: Final = frozenset({"READY", "STOPPING", "STATUS"})


class Notifier:
    """Sends messages to the socket that the environment names, or nowhere."""

    def __init__(self, environ: Mapping[str, str], failed: Callable[[OSError], object] = lambda _: None) -> None:
        """Send nothing yet.

        Args:
            environ: the environment. It stays as it is: the daemon starts no other program.
            failed: counts a message that was not taken.
        """
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name  # `@`: one that is no file
        self.watchdog_seconds: Final = _watchdog_seconds(environ) if name else None
        """How long the manager waits for a sign of life; None where it does not ask for any."""
        self.unsent: dict[str, object] = {}
        """What is kept for the next message."""
        self._failed = failed
        self._failing = False
        self._socket: socket.socket | None = None
        self._log = structlog.get_logger()

    def send(self, **assignments: object) -> bool:
        """Send `assignments`, and what was kept; return whether they were taken. Never waits, and never raises."""
        if not self._address:
            return False
        self.unsent |= {name: value for name, value in assignments.items() if name in _KEPT}
        message = "\n".join(f"{name}={value}" for name, value in (self.unsent | assignments).items())
        try:
            if self._socket is None:  # kept: when descriptors are short, life can still be shown
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            self._note(error)
            return False
        self._failing = False
        self.unsent = {}
        return True

    def _note(self, error: OSError) -> None:
        self._failed(error)
        if not self._failing:
            self._failing = True
            self._log.warning("the service manager takes no notification", reason=error.strerror or str(error))

    def close(self) -> None:
        """Send nothing any more."""
        self._address = ""
        if self._socket:
            self._socket.close()


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Return what $WATCHDOG_USEC says, unless it is meant for another process; None also where it is no number."""
    microseconds, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    return int(microseconds) / MICROSECONDS if process in {"", str(os.getpid())} else None


class Reported(Protocol):
    """A daemon, as far as the service manager hears of it."""

    @property
    def sources(self) -> SourceSupervisor:
        """How many are ready, and how many calls run."""

    @property
    def pipeline(self) -> Pipeline:
        """What is open."""

    @property
    def audit(self) -> AuditService:
        """How far behind the log is."""

    @property
    def health(self) -> Health:
        """Whether the daemon makes progress."""


class ServiceReports:
    """What one daemon reports, from its start to its end. All of it is called from the event loop."""

    def __init__(self, notifier: Notifier, daemon: Reported, now: Callable[[], float] = time.monotonic) -> None:
        """Report `daemon` to `notifier`; `now` is a monotonic clock, in seconds. Nothing is sent yet."""
        self._notifier = notifier
        self._daemon = daemon
        self._now = now
        seconds = notifier.watchdog_seconds
        self._feed_seconds = seconds / 4 if seconds else None
        """The manager waits four times as long: a moment without progress does not end the daemon."""
        self.turn_seconds: Final = max(LEAST_TURN_SECONDS, min(TURN_SECONDS, self._feed_seconds or TURN_SECONDS))
        """How often `turn` is called."""
        self._feed_at = self._status_at = self._extend_at = 0.0
        self._status = ""
        self._stop_by: float | None = None
        """When the daemon will have stopped at the latest; None while it does not stop."""

    def ready(self) -> None:
        """The daemon has started."""
        self._send({"READY": 1, "STATUS": self._line()})

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """The configuration is read again within this context."""
        self._send({"RELOADING": 1, "MONOTONIC_USEC": time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000})
        try:
            yield
        finally:
            self._send({"READY": 1})

    def stopping(self, seconds: float) -> None:
        """The daemon stops, which takes `seconds` at most from now on. Called again when that is known better."""
        now = self._now()
        self._stop_by = now + seconds + END_SECONDS
        self._send({"STOPPING": 1, "STATUS": self._line(), **self._extension(now)})

    async def run(self, guarded: Callable[[str], AbstractContextManager[None]]) -> None:
        """Send what is due, again and again. A mistake of ours is logged by `guarded`, and ends nothing."""
        while True:
            with guarded("the service manager could not be notified"):
                self.turn()
            await anyio.sleep(self.turn_seconds)

    def turn(self) -> None:
        """Send what is due."""
        now = self._now()
        due: dict[str, object] = {}
        if self._daemon.health.healthy().ok:
            if self._feed_seconds and now >= self._feed_at:
                due["WATCHDOG"] = 1
            if now >= self._extend_at:
                due |= self._extension(now)
        if now >= self._status_at and (line := self._line()) != self._status:
            due["STATUS"] = line
        if due or self._notifier.unsent:
            self._send(due)

    def _send(self, assignments: Mapping[str, object]) -> None:
        """Send, and note when the same is due again. What was not taken is due at the next turn."""
        if not self._notifier.send(**assignments):
            return
        now = self._now()
        if "WATCHDOG" in assignments:
            self._feed_at = now + (self._feed_seconds or 0.0)
        if "EXTEND_TIMEOUT_USEC" in assignments:
            self._extend_at = now + EXTENSION_SECONDS / 3
        if "STATUS" in assignments:
            self._status, self._status_at = str(assignments["STATUS"]), now + STATUS_SECONDS

    def _extension(self, now: float) -> dict[str, object]:
        """Return the request for more time to stop, where there is a reason for it."""
        left = self._stop_by - now if self._stop_by is not None else 0.0
        seconds = min(EXTENSION_SECONDS, left)
        return {"EXTEND_TIMEOUT_USEC": int(seconds * MICROSECONDS)} if seconds > 0 else {}

    def _line(self) -> str:
        """Return what `systemctl status` shows: numbers and closed words."""
        ready = list(self._daemon.sources.ready().values())
        parts = {
            "streams": len(self._daemon.pipeline.streams),
            "conversations": len(self._daemon.pipeline.registry.conversations),
            "sources ready": f"{sum(ready)} of {len(ready)}",
            "audit log": _log_line(self._daemon.audit),
        }
        if self._stop_by is not None:
            parts = {"stopping, calls": self._daemon.sources.calls, **parts}
        return ", ".join(f"{name}: {value}" for name, value in parts.items())


def _log_line(audit: AuditService) -> str:
    """Return how the audit log fares."""
    behind = audit.lag_seconds
    if behind is None:
        return "off"
    lag = f"{behind:.0f} s behind" if behind >= 1 else "up to date"
    return lag if audit.writable() else f"{lag}, cannot be written"
