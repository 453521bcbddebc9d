"""The lines of a file that grows, of a named pipe, or of standard input. I/O that may wait: it runs in a thread.

A regular file is read from where it was left. That it was rotated (another file stands under its name) is noticed at
its end, when nothing more comes: a rotated file is read to its end first. Two rotations between two looks hide the file
in between. That it was truncated shows in the bytes before the place where it was left: they are gone, or are others
where it is longer again by then.

`read` returns lines without their newlines. A line that is too long to be held is `TOO_LONG`. What follows the last
newline waits until its newline comes, the file is rotated or the input ends. NUL bytes before a line are left out: a
writer that does not append leaves a hole of them where its file was truncated.
"""

import errno
import os
import select
import stat
from pathlib import Path
from typing import Final, Protocol

from steno.regular_files import KINDS, NotRegularError

READ_BYTES: Final = 256 * 1024
"""How much is read at a time. Lines of one read are fed without a pause."""
TAIL_BYTES: Final = 256
"""How much of what was read last is compared with what stands there now."""
LOOK_SECONDS: Final = 0.25
"""How often a file is looked at that has nothing more; how long a pipe is waited for."""

TOO_LONG: Final = b""
"""Stands for a line that was too long. No other line is empty: blank ones are left out."""


class Truncated(Exception):  # noqa: N818  # it is no error of the program
    """The file was shortened: what was written and not read yet may be lost. It is read from its beginning."""


class Ended(Exception):  # noqa: N818  # likewise
    """The input has come to its end."""


class Lines:
    """Bytes in, whole lines out. It holds at most one line, of `longest` bytes."""

    def __init__(self, longest: int) -> None:
        """Begin with nothing."""
        self._longest = longest
        self._rest = bytearray()
        self._skipping = False

    def add(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes."""
        *whole, rest = data.split(b"\n")
        lines = [line for line in map(self._line, whole) if line is not None]
        self._keep(rest, lines)
        return lines

    def _line(self, part: bytes) -> bytes | None:
        """Return the line that ends with `part`; None where it is blank, or was skipped."""
        if self._skipping:
            self._skipping = False
            return None
        line = bytes(self._rest) + part if self._rest else part.lstrip(b"\0")
        self._rest.clear()
        return TOO_LONG if len(line) > self._longest else line.strip() or None

    def _keep(self, rest: bytes, lines: list[bytes]) -> None:
        if self._skipping:
            return
        self._rest += rest if self._rest else rest.lstrip(b"\0")
        if len(self._rest) > self._longest:
            self._rest.clear()
            self._skipping = True
            lines.append(TOO_LONG)

    def end(self) -> list[bytes]:
        """Return the line that has no newline, where there is one: nothing more comes."""
        line = self._line(b"")
        return [] if line is None else [line]


class Input(Protocol):
    """What lines are read from."""

    def read(self) -> list[bytes] | None:
        """Return the lines that what came next completes; None where nothing came within `LOOK_SECONDS`.

        Raises OSError where it cannot be read, `Truncated`, and `Ended`.
        """

    def close(self) -> None:
        """Give the descriptor back."""


class GrowingFile:
    """A regular file, and what stands under its name later."""

    def __init__(self, path: Path, longest: int, *, from_end: bool) -> None:
        """Open `path`, to read on from its end or from its beginning. Raises OSError, NotRegularError among others."""
        self._path = path
        self._lines = Lines(longest)
        self._descriptor = _opened(path)
        self._tail = b""
        """What stands before the place up to which the file was read."""
        self._place = os.fstat(self._descriptor).st_size if from_end else 0
        if from_end:
            start = max(0, self._place - TAIL_BYTES)
            self._tail = os.pread(self._descriptor, self._place - start, start)

    def read(self) -> list[bytes] | None:
        """Return the next lines, in the end those of the file that has taken its place."""
        data = self._read()
        return self._lines.add(data) if data else self._rotated()

    def _read(self) -> bytes:
        """Return what follows the place up to which the file was read."""
        length = len(self._tail)
        held = os.pread(self._descriptor, length + READ_BYTES, self._place - length)
        if held[:length] != self._tail:
            self._begin()
            self._lines.end()
            raise Truncated
        self._place += len(held) - length
        self._tail = held[-TAIL_BYTES:]
        return held[length:]

    def _begin(self) -> None:
        self._place, self._tail = 0, b""

    def _rotated(self) -> list[bytes] | None:
        """Go on with the file that stands under the name now, if it is another one. Return what was left of the former.

        While none stands there, more may come in the former one.
        """
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return None
        held = os.fstat(self._descriptor)
        if (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino):
            return None
        following = _opened(self._path)
        data = self._read_last(following)
        if data:
            return self._lines.add(data)
        os.close(self._descriptor)
        self._descriptor = following
        self._begin()
        return self._lines.end()

    def _read_last(self, following: int) -> bytes:
        """Return what came between the last look and the rotation. Where anything did, `following` is closed."""
        data = b""
        try:
            data = self._read()
        except Truncated:
            os.close(following)
            raise
        if data:
            os.close(following)
        return data

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


class Pipe:
    """A pipe, a terminal, or whatever standard input is."""

    def __init__(self, descriptor: int, longest: int, *, owned: bool) -> None:
        """Read `descriptor`, and close it in the end where it is `owned`."""
        self._descriptor = descriptor
        self._lines = Lines(longest)
        self._owned = owned
        self._poll = select.poll()  # `select` takes no descriptor above 1,023
        self._poll.register(descriptor, select.POLLIN)

    @classmethod
    def named(cls, path: Path, longest: int) -> "Pipe":
        """Open the named pipe at `path`. It has no end: a writer that leaves may be followed by another one."""
        return cls(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK), longest, owned=True)

    def read(self) -> list[bytes] | None:
        """Return the lines that have come, or come soon."""
        if self._descriptor < 0:
            raise Ended
        if not self._poll.poll(LOOK_SECONDS * 1000):
            return None
        data = os.read(self._descriptor, READ_BYTES)
        if data:
            return self._lines.add(data)
        self.close()
        return self._lines.end()

    def close(self) -> None:
        """Give the descriptor back, if it is ours."""
        if self._owned and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def open_input(path: str, longest: int, *, from_end: bool) -> Input:
    """Open what is at `path`; `-` is standard input. Does not wait.

    Args:
        path: a regular file or a named pipe.
        longest: bytes of a line that is held.
        from_end: whether what a regular file holds already is left out.

    Raises OSError; NotRegularError where it is neither.
    """
    if path == "-":
        return Pipe(0, longest, owned=False)
    if stat.S_ISFIFO(Path(path).stat().st_mode):
        return Pipe.named(Path(path), longest)
    return GrowingFile(Path(path), longest, from_end=from_end)


def _opened(path: Path) -> int:
    """Return a descriptor of the regular file at `path`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise NotRegularError(path, KINDS.get(kind, "no file"))
    return descriptor


def reason_of(error: OSError) -> str:
    """Return why a file cannot be read, of a closed list: `missing`, `not_permitted`, `no_file`, `unreadable`."""
    if isinstance(error, NotRegularError):
        return "no_file"
    return {errno.ENOENT: "missing", errno.EACCES: "not_permitted", errno.EPERM: "not_permitted"}.get(
        error.errno or 0, "unreadable"
    )
