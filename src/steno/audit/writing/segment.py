"""One file of an audit log while it is written: put on the disk, and checked for what others do to it. I/O.

A record counts once `fdatasync` has returned after it was written. The states of a segment:

    state      what is in the file                         a write
    unbegun    nothing, or what a failed attempt left      makes the file anew -> clean; fails -> unbegun
    clean      what counts                                 appends -> clean; the write fails -> dirty, the sync
                                                           fails -> abandoned
    dirty      maybe some of a failed write besides        cuts the tail off, then as clean
    abandoned  maybe some of a failed write besides        must not be tried: `leave` cuts the tail off and closes

A write that failed is cut off and may be tried again. A sync that failed may not: the kernel can have dropped the
pages that it could not write, and the next `fdatasync` then succeeds without them. Such a file is abandoned, and what
it was to hold goes into another one.
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
    """What shows whether a file is as it was left."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Take it from the result of `stat`."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def difference(left: Stamp, found: Stamp) -> Damage | None:
    """Return what was done to a file between two looks at it; None where nothing shows."""
    if (left.device, left.inode) != (found.device, found.inode):
        return "replaced"
    if found.size < left.size:
        return "truncated"
    return None if left == found else "changed"


class Segment:
    """A file that the first write makes. See the states at the head of this module."""

    def __init__(self, directory: Path, first_seq: int) -> None:
        """Name the file whose first record is `first_seq`."""
        self.path = directory / segment_name(first_seq)
        self.first_seq = first_seq
        self.stamp: Stamp | None = None
        """The file as the last write that counts left it; None while it is unbegun."""
        self.abandoned = False
        """Whether a sync failed: nothing more may be written here."""
        self._descriptor = -1
        self._dirty_tail = False
        """Whether there may be more in the file than what counts."""

    @property
    def size(self) -> int:
        """How many bytes of it are on the disk for certain."""
        return self.stamp.size if self.stamp else 0

    # Written --------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray) -> None:
        """Append `data`, and return when it is on the disk.

        When this raises OSError, nothing of `data` counts. It may be written again: here, or elsewhere where the file
        is `abandoned` now.
        """
        if self.stamp is None:
            self._make(data)
        else:
            self._extend(data, self.stamp)

    def _make(self, data: bytes | bytearray) -> None:
        """Make the file with mode 0640, whatever the umask. An existing one is never overwritten.

        Where that fails the file is deleted, and the next attempt makes another: nothing in it counts yet.
        """
        self._unmake()  # once more, where it could not be deleted at once
        self._descriptor = os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, FILE_MODE
        )
        try:
            os.fchmod(self._descriptor, FILE_MODE)
            self._put(data)
            os.fdatasync(self._descriptor)
            sync_folder(self.path.parent)
            self.stamp = self._stamp_now(len(data))
        except OSError:
            with suppress(OSError):
                self._unmake()
            raise

    def _unmake(self) -> None:
        """Delete the file that a failed attempt left."""
        if self._descriptor >= 0:
            with suppress(FileNotFoundError):
                self.path.unlink()
            self.close()

    def _extend(self, data: bytes | bytearray, stamp: Stamp) -> None:
        self.cut_dirty_tail()
        self._dirty_tail = True
        try:
            self._put(data)
            self._sync()
            self.stamp = self._stamp_now(stamp.size + len(data))
        except OSError:
            # At once, so that nobody reads half a record meanwhile. If that fails too, before the next write.
            with suppress(OSError):
                self.cut_dirty_tail()
            raise
        self._dirty_tail = False

    def _put(self, data: bytes | bytearray) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self.abandoned = True
            raise

    def _stamp_now(self, size: int) -> Stamp:
        """Return the stamp of the file, but with the size that it ought to have."""
        return replace(Stamp.of(os.fstat(self._descriptor)), size=size)

    def cut_dirty_tail(self) -> None:
        """Cut off what may have been written of something that failed."""
        if not self._dirty_tail:
            return
        # A file that somebody else cut shorter would grow zeros.
        if os.fstat(self._descriptor).st_size > self.size:
            os.ftruncate(self._descriptor, self.size)
        self.stamp = self._stamp_now(self.size)
        self._dirty_tail = False

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
        """Cut an abandoned file back to what counts, and close it.

        Raises OSError where it cannot be cut: what is in the tail goes into another file under the same numbers, so it
        must not stay. The cut is synced where that is possible. If it is not, nothing more can be done.
        """
        self.cut_dirty_tail()
        with suppress(OSError):
            os.fsync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Close the file. What was written is on the disk already."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)
