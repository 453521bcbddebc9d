"""`kind = "listen"`: what clients push, over real sockets."""

import pytest

from tests.sources.helpers import PING, until
from tests.sources.listen.helpers import Play

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_frames_are_fed_as_they_come() -> None:
    play = Play()

    async with play.running():
        async with play.client() as client:
            await client.send(PING)
            await client.send(PING.decode())
            await until(lambda: play.fed == 2)
        await until(lambda: play.closed)

    assert play.ends == [("disconnected", 1000, None)]
    assert (play.outcomes, play.gaps) == ({"accepted": 1}, {})
    assert play.source.ready is False
