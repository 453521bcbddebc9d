"""What the daemon holds of what it received, and its limits, as metrics."""

from collections.abc import Mapping

import msgspec

from steno.core.memory import MemoryBudget
from steno.limits import Limits
from steno.sources.read_ahead import ReadAhead

Numbers = Mapping[tuple[str, ...], float]


class MemoryNumbers:
    """The process metrics about memory and limits."""

    def __init__(self, limits: Limits, conversations: MemoryBudget, read_ahead: ReadAhead) -> None:
        """Read from `conversations` and `read_ahead`, which keep to `limits`."""
        self._limits = limits
        self._conversations = conversations
        self._read_ahead = read_ahead

    def numbers(self) -> Mapping[str, Numbers]:
        """Return values by metric name and labels. Called from the thread of a scrape."""
        limits = msgspec.structs.asdict(self._limits)
        return {
            "steno_memory_accounted_bytes": {
                ("conversations",): self._conversations.bytes,
                ("read_ahead",): self._read_ahead.reserved,
            },
            "steno_evicted_objects_total": {(): self._conversations.dropped_objects},
            "steno_limit": {(name,): value for name, value in limits.items()},
        }
