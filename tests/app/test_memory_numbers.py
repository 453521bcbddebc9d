"""What is held and what is configured, as metrics of the process."""

import msgspec

from steno.app.memory_numbers import MemoryNumbers
from steno.core.bounded import BoundedObjects
from steno.core.memory import OBJECT_BYTES, MemoryAccount, MemoryBudget
from steno.limits import Limits
from steno.metrics.definitions import PROCESS_METRICS
from steno.sources.read_ahead import ReadAhead
from tests.sources.helpers import Stage


def test_what_is_counted_and_what_is_configured() -> None:
    """Every key of `[limits]` is a series, and every metric has a definition."""
    limits, budget, account = Limits(items=7), MemoryBudget(100), MemoryAccount()
    account.open(budget)
    kept = BoundedObjects(limits, account)
    for raw in (b"1234", b"12345"):
        kept.add(raw)
    budget.drop_oldest()
    read_ahead = ReadAhead(64, Stage().pipeline)
    read_ahead.long.reserved = 48
    numbers = MemoryNumbers(limits, budget, read_ahead).numbers()

    assert numbers["steno_memory_accounted_bytes"] == {("conversations",): OBJECT_BYTES + 5, ("read_ahead",): 48}
    assert numbers["steno_evicted_objects_total"] == {(): 1}
    assert numbers["steno_limit"] == {(name,): value for name, value in msgspec.structs.asdict(limits).items()}
    assert (numbers["steno_limit"]["items",], numbers["steno_limit"]["memory_bytes",]) == (7, 201_326_592)
    assert all(len(PROCESS_METRICS[name].labels) == len(next(iter(found))) for name, found in numbers.items())
