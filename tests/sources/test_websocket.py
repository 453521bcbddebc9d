"""Reading a websocket: its end as a value, and a peer that is alive or not."""

import asyncio
import contextlib
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close as CloseFrame

from steno.core.stream import Stream
from steno.pipeline import Pipeline
from steno.sources import websocket
from steno.sources.recording import Close
from steno.sources.stream_session import StreamCounters, StreamSession
from steno.sources.websocket import TLS_BYTES, Pings, Watch, close_of, read_in_parts, read_websocket
from tests.sources.certificates import Authority
from tests.sources.helpers import PING, Handler, Stage, send_one, server, until

pytestmark = pytest.mark.anyio

SELDOM = Pings(3600, 3600)
OFTEN = Pings(0.02, 0.02)
PATIENT = Pings(0.01, 3600)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Reading:
    """A stream that is read from a server, and how it ended."""

    def __init__(self, connection: ClientConnection) -> None:
        self.stage = Stage()
        self.session: StreamSession = self.stage.sessions.begin("relay", StreamCounters())
        self.connection = connection
        self.close: Close | None = None

    async def read(self, pings: Pings) -> None:
        """Read to the end."""
        self.close = await read_websocket(self.connection, self.session, pings)

    @property
    def end(self) -> tuple[int | None, str] | None:
        """The code and the reason of the end, once it is there."""
        return None if self.close is None else (self.close.code, self.close.reason)


@asynccontextmanager
async def reading(handle: Handler, pings: Pings = SELDOM, *, held: bool = False) -> AsyncIterator[Reading]:
    """Let a client read what `handle` sends; where `held`, nothing is read until the pipeline is released."""
    async with (
        server(handle) as url,
        connect(url, ping_interval=None, max_size=65_536, close_timeout=1) as connection,
        anyio.create_task_group() as tasks,
    ):
        play = Reading(connection)
        if held:
            play.stage.pipeline.hold()
        tasks.start_soon(play.read, pings)
        yield play
        await connection.close()


# How it ended ---------------------------------------------------------------------------------------------


async def test_close_frame_of_the_peer() -> None:
    """Its code and its reason are those of the end, and what was sent before is fed."""

    async def handle(connection: ServerConnection) -> None:
        await connection.send(PING)
        await connection.close(1011, "gone")

    async with reading(handle) as play:
        await until(lambda: play.close)

    assert (play.end, play.stage.fed) == ((1011, "gone"), 1)


async def test_connection_that_breaks_off_has_no_code() -> None:
    """Without a close frame there is nothing to report."""

    async def handle(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with reading(handle) as play:
        await until(lambda: play.close)

    assert play.end == (None, "")


async def test_message_over_the_limit_ends_with_our_code() -> None:
    """The peer sent no close frame; ours says why."""

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):  # the reader leaves in the middle
            await connection.send(b"x" * 70_000)
            await connection.wait_closed()

    async with reading(handle) as play:
        await until(lambda: play.close)

    assert play.end == (1009, "")


@pytest.mark.parametrize(
    ("received", "sent", "expected"),
    [
        (CloseFrame(1013, "later"), CloseFrame(1013, ""), Close(7, 1013, "later")),
        (None, CloseFrame(1009, "too big"), Close(7, 1009, "")),
        (None, CloseFrame(1001, "steno is stopping"), Close(7, None, "")),
        (None, None, Close(7, None, "")),
    ],
)
def test_close_of(received: CloseFrame | None, sent: CloseFrame | None, expected: Close) -> None:
    """What came counts; of what we sent, only that a message was too big."""
    assert close_of(ConnectionClosedError(received, sent, True if received and sent else None), 7) == expected


# Whether the peer is alive --------------------------------------------------------------------------------


async def test_peer_that_answers_no_ping_is_left() -> None:
    """A peer that neither answers nor sends is given up."""
    left = anyio.Event()

    async def handle(connection: ServerConnection) -> None:
        connection.transport.pause_reading()  # so that no pong is sent
        await left.wait()
        connection.transport.abort()

    async with reading(handle, OFTEN) as play:
        await until(lambda: play.close)
        left.set()

    assert (play.session.unresponsive, play.end) == (True, (None, ""))


class BusyPeer:
    """A connection whose peer never answers a ping, but sends a frame after each; it ends at the third ping."""

    def __init__(self, stream: Stream) -> None:
        self.pings = 0
        self._stream = stream

    async def ping(self) -> asyncio.Future[float]:
        self.pings += 1
        if self.pings == 3:
            raise ConnectionClosedError(None, None)
        asyncio.get_running_loop().call_soon(self._send)
        return asyncio.get_running_loop().create_future()

    def _send(self) -> None:
        self._stream.frames += 1


async def test_peer_that_sends_and_answers_no_ping_stays() -> None:
    """Frames count as an answer: the pong comes behind them."""
    session = Stage().sessions.begin("relay", StreamCounters())
    peer = BusyPeer(session.stream)

    watch = Watch(peer, session, Pings(0, 0))  # type: ignore[arg-type]  # it only pings
    await until(lambda: peer.pings == 3)
    watch.stop()

    assert (peer.pings, session.unresponsive) == (3, False)


async def test_peer_is_not_judged_while_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is no room no ping is sent, and the connection stays. Then all of it is read."""
    rounds: list[bool] = []

    def unread(connection: Connection, session: StreamSession) -> bool:
        rounds.append(honest(connection, session))
        return rounds[-1]

    honest = websocket._unread
    monkeypatch.setattr(websocket, "_unread", unread)

    async def handle(connection: ServerConnection) -> None:
        for _ in range(200):
            await connection.send(PING)
        await connection.wait_closed()

    async with reading(handle, PATIENT, held=True) as play:
        await until(lambda: len(rounds) >= 5)
        held = (play.stage.fed, len(play.connection.pending_pings), play.close)
        play.stage.pipeline.release()
        await until(lambda: play.stage.fed == 200)

    assert held == (0, 0, None)
    assert not play.session.unresponsive


async def test_internal_error_leaves_the_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source that opened the connection closes it."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Pipeline, "feed", fail)
    async with reading(send_one) as play:
        await until(lambda: play.close)
        connected = play.connection.close_code is None

    assert (play.session.failed, play.end, connected) == (True, (None, ""), True)


async def test_a_connection_whose_watch_failed_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a mistake of ours, which is raised: nobody would notice that its other end is gone."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async def stay(connection: ServerConnection) -> None:
        await connection.wait_closed()

    monkeypatch.setattr(websocket, "_unread", fail)
    session = Stage().sessions.begin("relay", StreamCounters())
    async with server(stay) as url, connect(url) as connection:
        with pytest.raises(ZeroDivisionError):
            await read_websocket(connection, session, OFTEN)
        assert connection.close_code == 1006


# How it is read -------------------------------------------------------------------------------------------


async def test_tls_has_a_small_buffer(tmp_path: Path) -> None:
    """It stands as long as the connection, and asyncio makes it of 256 KiB. What is longer comes whole all the same."""
    authority = Authority(tmp_path)
    trust, tls = (ssl.SSLContext(protocol) for protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER))
    trust.load_verify_locations(authority.certificate)
    tls.load_cert_chain(*authority.issue())
    message = bytes(5 * TLS_BYTES)

    async def handle(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(message)

    tracemalloc.start()
    async with server(handle, tls=tls) as url, connect(url, ssl=trust) as connection:
        before = tracemalloc.get_traced_memory()[0]
        read_in_parts(connection)
        spared = before - tracemalloc.get_traced_memory()[0]
        await connection.send("now")
        received = await connection.recv()
    tracemalloc.stop()

    assert spared > 200_000
    assert received == message
