"""The lines of a file that grows, of a named pipe, or of standard input. I/O that may wait: it runs in a thread.

A regular file is read from where it was left. That it was rotated (another file stands under its name) or truncated (it
is shorter than what was read of it) is noticed at its end, when nothing more comes: a rotated file is read to its end
first. Two rotations between two looks hide the file in between.

`read` returns lines without their newlines. A line that is too long to be held is `TOO_LONG`. What follows the last
newline waits until its newline comes, the file is rotated or the input ends.
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
        line = bytes(self._rest) + part
        self._rest.clear()
        return TOO_LONG if len(line) > self._longest else line.strip() or None

    def _keep(self, rest: bytes, lines: list[bytes]) -> None:
        if self._skipping:
            return
        self._rest += rest
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

    def read(self) -> list[bytes]:
        """Return the next lines; none where none came within `LOOK_SECONDS`.

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
        if from_end:
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def read(self) -> list[bytes]:
        """Return the next lines, in the end those of the file that has taken its place."""
        data = os.read(self._descriptor, READ_BYTES)
        if data:
            return self._lines.add(data)
        if self._truncated():
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            self._lines.end()
            raise Truncated
        return self._rotated()

    def _truncated(self) -> bool:
        return os.fstat(self._descriptor).st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def _rotated(self) -> list[bytes]:
        """Go on with the file that stands under the name now, if it is another one. Return what was left of the former.

        While none stands there, more may come in the former one.
        """
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return []
        held = os.fstat(self._descriptor)
        if (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino):
            return []
        following = _opened(self._path)
        data = os.read(self._descriptor, READ_BYTES)  # what came between the last look and the rotation
        if data:
            os.close(following)
            return self._lines.add(data)
        os.close(self._descriptor)
        self._descriptor = following
        return self._lines.end() or self._lines.add(os.read(following, READ_BYTES))

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

    @classmethod
    def named(cls, path: Path, longest: int) -> "Pipe":
        """Open the named pipe at `path`. It has no end: a writer that leaves may be followed by another one."""
        return cls(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK), longest, owned=True)

    def read(self) -> list[bytes]:
        """Return the lines that have come, or come soon."""
        if self._descriptor < 0:
            raise Ended
        readable, _, _ = select.select([self._descriptor], [], [], LOOK_SECONDS)
        if not readable:
            return []
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
