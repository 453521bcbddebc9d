"""Attempts to connect take turns."""

from contextlib import suppress

import anyio
import pytest

from steno.sources import turns
from steno.sources.turns import Turns
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(("seconds", "expected"), [(1_000, [0, 1]), (0, [0, 1, 2, 3])])
async def test_so_many_at_a_time_and_each_for_a_while(
    seconds: float, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TURNS", 2)
    monkeypatch.setattr(turns, "TURN_SECONDS", seconds)
    taken, begun, at_once = Turns(), list[int](), list[int]()

    async def attempt(number: int) -> None:
        async with taken.taken():
            begun.append(number)
            at_once.append(2 - taken._free._value)

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(attempt, number)
        await until(lambda: len(begun) == len(expected))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    assert begun == expected
    assert max(at_once) <= 2


async def test_a_turn_comes_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURNS", 1)
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)
    taken = Turns()

    with suppress(ValueError):
        async with taken.taken():
            raise ValueError
    with anyio.CancelScope() as scope:
        async with taken.taken():
            scope.cancel()
            await anyio.lowlevel.checkpoint()

    async with taken.taken():
        assert taken._free.locked()
