"""The closed segments of a log, held against what others do to them while the daemon runs. I/O.

A look costs one `stat` of the folder where nothing was made, deleted or renamed in it since the last one. That
shows which files are gone or are others. A close look asks each file for its size and the time of its last change
too. What is found is told once.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from steno.audit.directory import segments
from steno.audit.log_records import Damage, Damaged
from steno.audit.record import segment_seq
from steno.audit.writing.segment import Stamp, difference


class _Known(Struct, frozen=True):
    stamp: Stamp
    last_seq: int


class TamperWatch:
    """Knows the closed segments of one folder as they were left."""

    def __init__(self, directory: Path) -> None:
        """Know none yet."""
        self._directory = directory
        self._known: dict[str, _Known] = {}
        self._seen_ns = -1
        """When the folder was last changed, as the last look saw it."""

    def add_all(self) -> None:
        """Know all segments in the folder but the newest, as they are now."""
        for path, following in pairwise(segments(self._directory)):
            self.add(path.name, Stamp.of(path.lstat()), (segment_seq(following.name) or 0) - 1)

    def add(self, name: str, stamp: Stamp, last_seq: int) -> None:
        """Know a segment, as it was left, whose last record is `last_seq`."""
        self._known[name] = _Known(stamp, last_seq)

    def forget(self, name: str) -> None:
        """Look no more after a segment: it is to be deleted."""
        self._known.pop(name, None)

    def look(self, *, closely: bool) -> list[Damaged]:
        """Return what was done to the segments since the last look, in the order of the log."""
        changed_ns = self._directory.stat().st_mtime_ns
        if changed_ns == self._seen_ns and not closely:
            return []
        with os.scandir(self._directory) as entries:
            inodes = {entry.name: entry.inode() for entry in entries}
        found = list(self._found(inodes, closely=closely))
        for each in found:
            self.forget(each.segment)
        self._seen_ns = changed_ns  # of before the listing: what came meanwhile is looked at again
        return found

    def _found(self, inodes: Mapping[str, int], *, closely: bool) -> Iterator[Damaged]:
        for name, known in sorted(self._known.items()):
            damage = self._damage(name, known.stamp, inodes, closely=closely)
            if damage:
                yield Damaged(name, damage, known.last_seq)

    def _damage(self, name: str, left: Stamp, inodes: Mapping[str, int], *, closely: bool) -> Damage | None:
        inode = inodes.get(name)
        if inode == left.inode and not closely:
            return None
        try:
            return difference(left, Stamp.of((self._directory / name).lstat()))
        except FileNotFoundError:
            return "renamed" if self._elsewhere(left, inodes) else "deleted"

    def _elsewhere(self, left: Stamp, inodes: Mapping[str, int]) -> bool:
        """Return whether a file of the folder is the one that is missing. Its number alone may have been used again."""
        same = [self._directory / name for name, inode in inodes.items() if inode == left.inode]
        return any(path.exists() and Stamp.of(path.lstat()) == left for path in same)
