"""Calls that are created through a proxy, and followed to their end: on the simulated provider, over real sockets."""

from http.client import HTTPConnection
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from steno.config import AttachSource as AttachConfig
from steno.config.sources import ProxySource as ProxyConfig
from steno.core.facts import SegmentFinished, SessionFinished
from steno.sources.attach.source import AttachSource
from steno.sources.proxy.source import ProxySource
from tests.simulate.clients import simulated
from tests.sources.helpers import Stage, counted, until

pytestmark = pytest.mark.anyio

OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
CALL = {"session": {"model": "gpt-live-1"}, "transport": {"type": "webrtc", "sdp": OFFER}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def created(port: int) -> tuple[int, Any]:
    """Create a call, and return the status and the body of the response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/v1/live/sessions", msgspec.json.encode(CALL), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, msgspec.json.decode(response.read())
    finally:
        connection.close()


async def test_a_live_call_is_followed_from_its_creation_to_its_end() -> None:
    """The provider's last word is that it knows the session no more; what it cost is upstream's final word."""
    stage = Stage()
    async with simulated(speed=60.0) as running, anyio.create_task_group() as tasks:
        base = running.url("").removeprefix("ws://")
        live = AttachConfig(
            name="live",
            kind="attach",
            url=f"ws://{base}/v1/live/sessions",
            backoff_seconds=0.01,
            backoff_max_seconds=0.02,
        )
        front = ProxyConfig(name="front", kind="proxy", listen="127.0.0.1:0", upstream=f"http://{base}", attach="live")
        attach, proxy = AttachSource(live, stage.sessions), ProxySource(front, stage.sessions)
        tasks.start_soon(attach.run)
        tasks.start_soon(proxy.run)
        await until(lambda: attach.ready and proxy.ready)
        status, body = await anyio.to_thread.run_sync(created, proxy.port)
        await until(lambda: counted(attach.counters.ended))
        proxy.abort()
        await proxy.stop()
        await attach.stop()

    assert status == 201
    assert counted(attach.counters.ended) == {"call_ended": 1}
    assert counted(attach.counters.attempts) == {"connected": 1, "not_found": 1}
    (finished,) = (fact for fact in stage.facts if isinstance(fact, SessionFinished))
    assert (finished.session_id, finished.usage_final) == (body["session"]["id"], True)
    assert {fact.role for fact in stage.facts if isinstance(fact, SegmentFinished)} == {"user", "assistant"}
