"""When a log needs work although no record comes: the age of its segment, checkpoints, retention. Pure.

Points in time are arguments, of `time.monotonic`.
"""


class Maintenance:
    """What is due, and when the next thing will be."""

    def __init__(
        self, *, segment_seconds: float, checkpoint_seconds: float, checkpoint_records: int, now: float
    ) -> None:
        """Begin with a segment that was begun `now`. The other arguments are those of `WriterOptions`."""
        self._segment_seconds = segment_seconds
        self._checkpoint_seconds = checkpoint_seconds
        self._checkpoint_records = checkpoint_records
        self._segment_since = now
        self._checkpoint_since = now
        self._unchecked_records = 0
        self.retention_due = True
        """Whether to look for segments to delete. Due at the start, since they grew older while nothing ran."""

    def next_at(self) -> float:
        """Return when something is due."""
        if self.retention_due:
            return 0.0
        return min(self._segment_since + self._segment_seconds, self._checkpoint_since + self._checkpoint_seconds)

    def rollover_due(self, now: float) -> bool:
        """Return whether the segment is old enough to be closed."""
        return now >= self._segment_since + self._segment_seconds

    def checkpoint_due(self, now: float) -> bool:
        """Return whether the last checkpoint is long enough ago for the next one."""
        return now >= self._checkpoint_since + self._checkpoint_seconds

    @property
    def records_left(self) -> int:
        """With how many more records a checkpoint is due because of them."""
        return self._checkpoint_records - self._unchecked_records

    def records_added(self, count: int) -> bool:
        """Count records; return whether a checkpoint is due because of them."""
        self._unchecked_records += count
        return self._unchecked_records >= self._checkpoint_records

    def checkpoint_added(self, now: float) -> None:
        """Count from here to the next checkpoint."""
        self._unchecked_records = 0
        self._checkpoint_since = now

    def checkpoint_flushed(self) -> None:
        """Look for segments to delete: a checkpoint comes often enough for their age to be noticed."""
        self.retention_due = True

    def segment_begun(self, now: float) -> None:
        """Count the age of the new segment, and look for others to delete: the log has grown."""
        self._segment_since = now
        self.retention_due = True
