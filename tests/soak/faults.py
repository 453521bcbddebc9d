"""What goes wrong around the daemon meanwhile: the disk gets full, the reader of the log stops, signals come."""

import signal
from random import Random

import anyio
import anyio.to_thread
import msgspec

from tests.soak.clients import Answers
from tests.soak.place import Daemon, until


class Faults(msgspec.Struct):
    """How often each was done."""

    disk_full: int = 0
    reading_stopped: int = 0
    """Of these, how often the daemon was seen to read no more."""
    full: bool = False
    """Whether the disk is full now."""
    log_stopped: int = 0
    hangups: int = 0


class Pace(msgspec.Struct, frozen=True):
    """How long each fault lasts at most, and how long it is away."""

    holds_seconds: float
    between_seconds: float


async def fill_disk(daemon: Daemon, answers: Answers, pace: Pace, rng: Random, faults: Faults) -> None:
    """Fill the disk and free it, again and again; it is free when this is cancelled."""
    try:
        while True:
            await anyio.sleep(rng.uniform(0.3, 1) * pace.between_seconds)
            await anyio.to_thread.run_sync(daemon.disk.fill, daemon.pid)
            faults.disk_full += 1
            faults.full = True
            with anyio.move_on_after(rng.uniform(0.5, 1) * pace.holds_seconds):
                await until(lambda: answers.value("steno_audit_blocked"))
                faults.reading_stopped += 1
                await anyio.sleep_forever()
            await _free(daemon, faults)
    finally:
        with anyio.CancelScope(shield=True):
            await _free(daemon, faults)


async def _free(daemon: Daemon, faults: Faults) -> None:
    await anyio.to_thread.run_sync(daemon.disk.free, daemon.pid)
    faults.full = False


async def stop_reading_the_log(daemon: Daemon, pace: Pace, rng: Random, faults: Faults) -> None:
    """Stop reading standard error and go on, again and again; it is read when this is cancelled."""
    try:
        while True:
            await anyio.sleep(rng.uniform(0.3, 1) * pace.between_seconds)
            daemon.log.stop()
            faults.log_stopped += 1
            await anyio.sleep(rng.uniform(1.5, 3) * pace.holds_seconds)
            daemon.log.resume()
    finally:
        daemon.log.resume()


async def hang_up(daemon: Daemon, pace: Pace, rng: Random, faults: Faults) -> None:
    """Send SIGHUP again and again: the configuration is read anew, and a segment begins."""
    while True:
        await anyio.sleep(rng.uniform(0.3, 1) * pace.between_seconds)
        daemon.process.send_signal(signal.SIGHUP)
        faults.hangups += 1
