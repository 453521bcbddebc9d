"""A call between transports that do as they are told: what no socket does on demand."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from steno.config.sources.proxy import ProxySource as ProxyConfig
from steno.sources.proxy.call import Call, Pings
from steno.sources.proxy.client import ClientConnection
from steno.sources.proxy.frames import Budget, FrameReader
from steno.sources.proxy.source import ProxySource
from tests.sources.helpers import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Held:
    """A transport that sends nothing. As uvloop's, it is one by what it does and not by its type."""

    def __init__(self) -> None:
        self.size = 0
        self.aborted = False
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.size

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True

    close = abort


def call_between(client: Any, upstream: Any, pings: Pings) -> Call:
    """Return a call between the two."""
    stage = Stage()
    source = ProxySource(ProxyConfig(name="front", kind="proxy", upstream="http://a.example"), stage.sessions)
    more: Mapping[str, Any] = {"longest_message": 1 << 20, "longest_read": 1 << 20, "budget": Budget(1 << 20)}
    return Call(
        (client, FrameReader(masked=True, **more)),
        (upstream, FrameReader(masked=False, **more)),
        source.read_along(None),
        pings,
        lambda: None,
    )


async def test_a_side_that_is_slow_is_kept_as_long_as_it_takes_something() -> None:
    """It cannot be sent a ping while it takes less than comes. What it takes is its sign of life."""
    client, upstream = Held(), Held()
    call = call_between(client, upstream, Pings(1000, 0))
    call.client.pause_writing()
    for left in (90_000, 80_000, 70_000):
        client.size = left
        call.upstream.heard = True
        call._ask()
        assert not client.aborted
    call.upstream.heard = True
    call._ask()  # it has taken nothing since
    assert client.aborted
    assert not upstream.aborted
    assert client.written == b""
    call._timer.cancel()
    call.client.connection_lost(None)
    call.upstream.connection_lost(None)


async def test_a_side_that_is_not_read_is_not_judged() -> None:
    client, upstream = Held(), Held()
    call = call_between(client, upstream, Pings(1000, 0))
    call.client.pause_writing()  # so the provider is not read
    for size in (3, 2, 1):
        client.size = size
        call._ask()
    assert not upstream.aborted
    call._timer.cancel()
    call.client.connection_lost(None)
    call.upstream.connection_lost(None)


async def test_a_transport_need_not_be_of_asyncios_types() -> None:
    stage = Stage()
    config = ProxyConfig(name="front", kind="proxy", upstream="http://a.example", handshake_seconds=1000)
    transport: Any = Held()
    connection = ClientConnection(ProxySource(config, stage.sessions))
    connection.connection_made(transport)
    connection.data_received(b"GET /../ HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.connection_lost(None)
    assert transport.written.startswith(b"HTTP/1.1 400 ")
