"""One file of an audit log while it is written: put on the disk, and held against what others do to it. I/O.

A record counts once `fdatasync` has returned after it was written. A write that failed is cut off again and may
be tried again. A sync that failed may not: the kernel can have dropped what it could not write, and the next
sync then says that all is well. Such a file is `abandoned`, and what it was to hold goes into another.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from msgspec import Struct
from msgspec.structs import replace

from steno.audit.directory import sync_folder
from steno.audit.log_records import Damage
from steno.audit.record import segment_name

FILE_MODE: Final = 0o640
"""Readable by the group, so that whoever ships or reads the log need not be its writer."""


class Stamp(Struct, frozen=True):
    """By what a file is known to be as it was left."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Take it from what `stat` tells."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def difference(left: Stamp, found: Stamp) -> Damage | None:
    """Return what was done to a file between two looks at it, None where nothing is to be seen."""
    if (left.device, left.inode) != (found.device, found.inode):
        return "replaced"
    if found.size < left.size:
        return "truncated"
    return None if left == found else "changed"


class Segment:
    """A file that the first write makes."""

    def __init__(self, directory: Path, first_seq: int) -> None:
        """Name the file whose first record is `first_seq`."""
        self.path = directory / segment_name(first_seq)
        self.first_seq = first_seq
        self.stamp: Stamp | None = None
        """The file as the last write that counts left it; None where there was none yet."""
        self.abandoned = False
        """Whether a sync failed: nothing more is to be written here."""
        self._descriptor = -1
        self._frayed = False
        """Whether there may be more in the file than what counts."""

    @property
    def size(self) -> int:
        """How many bytes of it are on the disk for certain."""
        return self.stamp.size if self.stamp else 0

    # Written --------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Append `data`, and return when it is on the disk.

        When this raises OSError, nothing of `data` counts. It may be written again later: here, unless the file
        is `abandoned` now.
        """
        if self.stamp is None:
            self._make(data)
        else:
            self._extend(data, self.stamp)

    def _make(self, data: bytes) -> None:
        """Make the file with mode 0640, whatever the umask. One that is there is never written over.

        Where that fails the file goes away again, and the next attempt makes another: nothing in it counts yet.
        """
        self._unmake()
        self._descriptor = os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, FILE_MODE
        )
        try:
            os.fchmod(self._descriptor, FILE_MODE)
            self._put(data)
            os.fdatasync(self._descriptor)
            sync_folder(self.path.parent)
            self.stamp = self._seen(len(data))
        except OSError:
            with suppress(OSError):
                self._unmake()
            raise

    def _unmake(self) -> None:
        """Delete what an attempt to make the file left."""
        if self._descriptor >= 0:
            with suppress(FileNotFoundError):
                self.path.unlink()
            self.close()

    def _extend(self, data: bytes, stamp: Stamp) -> None:
        self.mend()
        self._frayed = True
        try:
            self._put(data)
            self._sync()
            self.stamp = self._seen(stamp.size + len(data))
        except OSError:
            # At once, so that nobody reads half a record meanwhile. If that fails too: before the next write.
            with suppress(OSError):
                self.mend()
            raise
        self._frayed = False

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self.abandoned = True
            raise

    def _seen(self, size: int) -> Stamp:
        """Return the file as it is now, but with the size that it ought to have."""
        return replace(Stamp.of(os.fstat(self._descriptor)), size=size)

    def mend(self) -> None:
        """Cut off what may have been written of something that failed."""
        if not self._frayed:
            return
        if os.fstat(self._descriptor).st_size > self.size:  # cut by somebody else, it would grow zeros
            os.ftruncate(self._descriptor, self.size)
        self.stamp = self._seen(self.size)
        self._frayed = False

    # Left -----------------------------------------------------------------------------------------------

    def damage(self) -> Damage | None:
        """Return what somebody else did to the file since the last write."""
        if self.stamp is None:
            return None
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return "renamed" if os.fstat(self._descriptor).st_nlink else "deleted"
        return difference(self.stamp, Stamp.of(found))

    def leave(self) -> None:
        """Let go of a file that is abandoned, cut back to what counts.

        Raises OSError where it cannot be cut: what stands there too much is to be written elsewhere under the
        same numbers. That the cut survives a loss of power is tried, and no more can be done.
        """
        self.mend()
        with suppress(OSError):
            os.fsync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Let go of the file. What was written is on the disk already."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)
