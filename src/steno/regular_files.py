"""Opens files to read them, and refuses what is no regular file. I/O.

A folder may hold anything under any name. To open a named pipe waits for a writer, to open a device can do something,
and to read one may never end. So the kind of a file is known before it is opened, and looked at again when it is open,
since somebody can replace it in between.
"""

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}
HANDED_OVER: Final = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
"""Where the descriptors are that whoever started the process handed over, such as the shell's `<(command)`."""


class NotRegularError(OSError):
    """What is there is no regular file."""

    def __init__(self, path: Path, kind: str) -> None:
        super().__init__(errno.EINVAL, f"is {kind}", str(path))
        self.kind = kind
        """What it is, in words."""


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open the regular file at `path`. Does not wait.

    Args:
        path: where it is.
        follow: whether `path` may be a symbolic link to it.

    Raises NotRegularError where something else is there, and OSError where it cannot be opened.
    """
    return _open(path, frozenset({stat.S_IFREG}), follow=follow)


def read_named(path: Path, size: int) -> bytes:
    """Return the first `size` bytes of a file that an operator named.

    That may be a device too, whose bytes are taken as far as it has some, and a descriptor that was handed over, which
    is waited for. Raises NotRegularError for a named pipe, a socket or a folder, and OSError where it cannot be read.
    """
    if str(path).startswith(HANDED_OVER):
        with path.open("rb") as file:
            return file.read(size)
    with _open(path, frozenset({stat.S_IFREG, stat.S_IFCHR, stat.S_IFBLK}), follow=True) as file:
        return file.read(size) or b""


def _open(path: Path, kinds: Collection[int], *, follow: bool) -> BinaryIO:
    _check(path, path.stat(follow_symlinks=follow), kinds)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _check(path, os.fstat(descriptor), kinds)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check(path: Path, status: os.stat_result, kinds: Collection[int]) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind not in kinds:
        raise NotRegularError(path, KINDS.get(kind, "no file"))


def is_folder(path: Path) -> bool:
    """Return whether `path` is a folder. What cannot even be a path, such as a name that is too long, is none."""
    try:
        return path.is_dir()
    except OSError:
        return False
