"""An event that is made late: it is one for whoever waits, before it was set or after."""

import anyio
import pytest

from steno.sources.late_event import LateEvent

pytestmark = pytest.mark.anyio


async def test_who_waits_goes_on_once_it_is_set() -> None:
    event, done = LateEvent(), list[str]()

    async def wait(name: str) -> None:
        await event.wait()
        done.append(name)

    async with anyio.create_task_group() as tasks:
        for name in "ab":
            tasks.start_soon(wait, name)
        await anyio.wait_all_tasks_blocked()
        before = list(done), event.is_set()
        event.set()

    assert (before, sorted(done), event.is_set()) == (([], False), ["a", "b"], True)


async def test_who_comes_late_does_not_wait() -> None:
    event = LateEvent()
    event.set()
    await event.wait()

    assert event.is_set()
