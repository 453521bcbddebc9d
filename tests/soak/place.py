"""Where the daemon runs: a process as the unit configures it, on a disk that can be filled, with a log that is read.

What cannot be made here is made otherwise, and `notes` says so.
"""

import json
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import anyio

from tests.processes import wait_for

MIB: Final = 1024 * 1024
UNIT: Final = (Path(__file__).parents[2] / "deploy/steno.service").read_text(encoding="utf-8")
ROOM_BYTES: Final = 64 * 1024
"""What a full disk still takes."""
TRIES: Final = 5
"""How often it is made smaller, since it may have grown between the look at it and that."""


def memory_high() -> int:
    """Return `MemoryHigh` of the unit, in bytes."""
    found = re.search(r"^MemoryHigh=(\d+)M$", UNIT, re.MULTILINE)
    assert found
    return int(found[1]) * MIB


def environment() -> Mapping[str, str]:
    """Return what the unit adds to the environment."""
    lines = re.findall(r"^Environment=(.+)$", UNIT, re.MULTILINE)
    return dict(each.split("=", 1) for line in lines for each in line.split())


async def until(ask: Callable[[], object]) -> None:
    """Ask again and again until the answer counts as true."""
    while not ask():  # noqa: ASYNC110  # what is asked is another process, which sets no event here
        await anyio.sleep(0.1)


# Disks ----------------------------------------------------------------------------------------------------------

_ENTER: Final = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def do(result):
    if result:
        sys.exit(os.strerror(ctypes.get_errno()))
"""
_MOUNT: Final = """
import pathlib
uid, gid = os.getuid(), os.getgid()
do(libc.unshare(0x10020000))
pathlib.Path("/proc/self/setgroups").write_text("deny")
pathlib.Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
pathlib.Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
do(libc.mount(b"none", FOLDER, b"tmpfs", 0, b"size=8g"))
"""
"""A file system of its own, in a mount and user namespace (CLONE_NEWNS, CLONE_NEWUSER)."""
_RESIZE: Final = """
for kind in ("user", "mnt"):
    do(libc.setns(os.open(f"/proc/{PID}/ns/{kind}", os.O_RDONLY), 0))
do(libc.mount(b"none", FOLDER, b"tmpfs", 32, b"size=%d" % SIZE))
"""
"""The same file system, mounted again (MS_REMOUNT) in another size, by a process that enters those namespaces."""


class Disk(Protocol):
    """What the audit log is written to."""

    statements: str
    """What the daemon's process runs first."""

    def fill(self, pid: int) -> None:
        """Leave no room on it for what the process writes."""

    def free(self, pid: int) -> None:
        """Give room."""

    def seen_from_here(self, pid: int) -> Path:
        """Return its folder, as this process finds it."""


class SmallDisk:
    """A tmpfs, which is filled by making it as small as what is on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._named = f"FOLDER = {os.fsencode(folder)!r}\n"
        self.statements = _ENTER + self._named + _MOUNT

    def why_not(self) -> str:
        """Return why it cannot be made here; nothing where it can."""
        done = subprocess.run([sys.executable, "-c", self.statements], capture_output=True, text=True, check=False)
        return (done.stderr.splitlines() or ["unknown"])[-1] if done.returncode else ""

    def fill(self, pid: int) -> None:
        with suppress(FileNotFoundError):  # the process has ended
            for _ in range(TRIES):
                disk = os.statvfs(self.seen_from_here(pid))
                if self._resize(pid, (disk.f_blocks - disk.f_bfree) * disk.f_frsize + ROOM_BYTES):
                    return

    def free(self, pid: int) -> None:
        self._resize(pid, 8 << 30)

    def seen_from_here(self, pid: int) -> Path:
        return Path(f"/proc/{pid}/root{self._folder}")

    def _resize(self, pid: int, size: int) -> bool:
        """Return whether that was possible: not where more than `size` is on it meanwhile."""
        statements = f"{_ENTER}{self._named}PID, SIZE = {pid}, {size}\n{_RESIZE}"
        done = subprocess.run([sys.executable, "-c", statements], capture_output=True, check=False)
        return done.returncode == 0


class FileLimit:
    """A limit on the size of files, where nothing can be mounted: the next segment is too long from its begin."""

    statements = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self, pid: int) -> None:
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, resource.RLIM_INFINITY))

    def free(self, pid: int) -> None:
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def seen_from_here(self, pid: int) -> Path:
        return self._folder


# The log --------------------------------------------------------------------------------------------------------


class LogReader:
    """Reads standard error of the daemon from a pipe into a file, and stops doing so when it is asked to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read, self.write_end = os.pipe()
        self._reading = threading.Event()
        self._reading.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more until `resume`."""
        self._reading.clear()

    def resume(self) -> None:
        """Read on."""
        self._reading.set()

    def finish(self) -> None:
        """Wait for the end of the log."""
        self.resume()
        self._thread.join(timeout=60)
        assert not self._thread.is_alive(), "somebody still writes the log"
        os.close(self._read)

    def _run(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while self._reading.wait() and (said := os.read(self._read, 1 << 16)):
                file.write(said)

    def lines(self) -> list[dict[str, object]]:
        """Return the whole lines so far."""
        complete, _, _ = self._path.read_text(errors="replace").rpartition("\n")
        return [json.loads(line) for line in complete.splitlines() if line.startswith("{")]


# The process ----------------------------------------------------------------------------------------------------


class Daemon:
    """The daemon as a process, and where it writes."""

    def __init__(self, folder: Path, notes: list[str]) -> None:
        """Make a place for it in `folder`; `notes` receives what cannot be made here."""
        self.folder = folder
        self.state = folder / "state.jsonl"
        self.config = folder / "steno.toml"
        self.audit = folder / "disk/audit"
        (folder / "disk").mkdir()
        self.group = Group(memory_high(), notes)
        small = SmallDisk(folder / "disk")
        self.disk: Disk = small
        reason = "its files would count towards memory.high" if self.group.statements else small.why_not()
        if reason:
            notes.append(
                f"no file system in memory ({reason}): RLIMIT_FSIZE fills the disk, and no --state is compared"
            )
            self.disk = FileLimit(folder / "disk")
        self.has_state = not reason
        self.log = LogReader(folder / "steno.log")
        self.most_bytes = 0
        """The most memory that it was seen to have taken (VmHWM)."""

    def start(self) -> None:
        """Start the process."""
        program = f"{self.group.statements}{self.disk.statements}\nfrom steno.__main__ import main; main()"
        state = ["--state", str(self.state)] if self.has_state else []
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "run", "-c", str(self.config), *state],
            stdout=subprocess.DEVNULL,
            stderr=self.log.write_end,
            env={**os.environ, **environment()},
        )
        os.close(self.log.write_end)

    @property
    def pid(self) -> int:
        return self.process.pid

    def port(self) -> int:
        """Wait until it listens, and return where."""
        started = wait_for(lambda: next((line for line in self.log.lines() if line["event"] == "started"), None))
        return int(str(started["http"]).rsplit(":", 1)[1])

    def look(self) -> None:
        """Note what memory it has taken, while it runs."""
        if self.process.poll() is not None:
            return
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
            self.most_bytes = max(self.most_bytes, int(found[1]) * 1024)

    def ended(self) -> bool:
        """Return whether the process has ended; note what memory it has taken where it has not."""
        self.look()
        return self.process.returncode is not None

    def end(self) -> None:
        """Kill it where it still runs, and put away what it ran in."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.group.remove()


class Group:
    """A control group (version 2) whose `memory.high` is that of the unit, where one can be made."""

    def __init__(self, high: int, notes: list[str]) -> None:
        self.statements = ""
        self._path: Path | None = None
        try:
            self._path = self._made(high)
        except (OSError, StopIteration) as error:
            notes.append(
                f"no cgroup v2 with memory.high can be made ({str(error) or 'none is mounted'}): VmHWM alone is held"
            )
        else:
            self.statements = f"open({str(self._path / 'cgroup.procs')!r}, 'w').write('0')\n"

    @staticmethod
    def _made(high: int) -> Path:
        mounts = (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
        root = next(Path(mount[1]) for mount in mounts if mount[2] == "cgroup2")
        own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        parent = root / own.removeprefix("0::").strip("/")
        if "memory" not in (parent / "cgroup.subtree_control").read_text().split():
            raise OSError(f"{parent} does not hand on memory")
        group = parent / f"steno-soak-{os.getpid()}"
        group.mkdir()
        try:
            (group / "memory.high").write_text(str(high))
        except OSError:
            group.rmdir()
            raise
        return group

    def remove(self) -> None:
        """Remove it, when its last process has gone."""
        if self._path is not None:
            self._path.rmdir()
