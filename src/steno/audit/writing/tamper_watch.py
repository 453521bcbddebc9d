"""Notices what others do to the closed segments of a log while the daemon runs. I/O.

A look costs one `stat` of the folder where nothing was made, deleted or renamed in it since the last one. Otherwise it
shows which files are gone or were replaced. A close look also asks each file for its size and the time of its last
change. Each damage is found once.
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
    """Knows how the closed segments of one folder were left."""

    def __init__(self, directory: Path) -> None:
        """Watch none yet."""
        self._directory = directory
        self._known: dict[str, _Known] = {}
        self._seen_ns = -1
        """When the folder was last changed, as of the last look."""

    def add_all(self) -> None:
        """Watch all segments in the folder but the newest, as they are now."""
        for path, following in pairwise(segments(self._directory)):
            self.add(path.name, Stamp.of(path.lstat()), (segment_seq(following.name) or 0) - 1)

    def add(self, name: str, stamp: Stamp, last_seq: int) -> None:
        """Watch a segment, as it was left, whose last record is `last_seq`."""
        self._known[name] = _Known(stamp, last_seq)

    def forget(self, name: str) -> None:
        """Watch a segment no more: it is to be deleted, or its damage was found."""
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
        self._seen_ns = changed_ns  # as of before the listing: what happened meanwhile is looked at again
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
        """Return whether a file of the folder is the one that is missing. Its inode alone may have been used again."""
        same = [self._directory / name for name, inode in inodes.items() if inode == left.inode]
        return any(path.exists() and Stamp.of(path.lstat()) == left for path in same)
