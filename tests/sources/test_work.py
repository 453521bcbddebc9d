"""What is fed in one turn of the event loop: bounded over all streams, and each has its part."""

from itertools import pairwise

import anyio
import pytest

from steno.sources.stream_session import StreamCounters
from steno.sources.work import FRAMES
from tests.sources.helpers import PING, Stage
from tests.sources.test_stream_session import feed

STREAMS = 30
EACH = 100


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_many_streams_that_bring_much_at_once_are_fed_in_parts_and_side_by_side() -> None:
    """Timers and the scrape have their turn, and no stream is done before the others have begun."""
    stage = Stage()
    sessions = [stage.sessions.begin("relay", StreamCounters()) for _ in range(STREAMS)]
    fed, begun = [0], 0
    async with anyio.create_task_group() as tasks:
        for session in sessions:
            tasks.start_soon(feed, session, *[PING] * EACH)
        while stage.fed < STREAMS * EACH:
            await anyio.lowlevel.checkpoint()
            fed.append(stage.fed)
            if fed[-1] < STREAMS * EACH / 2:
                begun = sum(session.frames > 0 for session in sessions)

    assert max(later - before for before, later in pairwise(fed)) <= 2 * FRAMES
    assert begun == STREAMS


@pytest.mark.anyio
async def test_reads_of_many_sockets_are_fed_in_parts() -> None:
    """What is not taken at once goes by the queue."""
    stage = Stage()
    sessions = [stage.sessions.begin("relay", StreamCounters()) for _ in range(STREAMS)]

    taken = sum(session.take_at_once([PING] * EACH) for session in sessions)
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()

    assert taken == FRAMES
    assert sessions[0].take_at_once([PING] * EACH) == EACH
