"""The bounds of an HTTP face, over real sockets: who is ended, when, and that whoever asks is answered."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

import anyio
import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steno.admin.connections import ConnectionTable, Faces
from steno.admin.http import bind
from steno.admin.server import HttpServer
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE_SECONDS = 20.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Client:
    """A client that sends what a play says, and reads until it is hung up on."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _read(self, ends: Callable[[bytes], bool]) -> bytes:
        received = b""
        while not ends(received):
            try:
                part = self._socket.recv(1 << 16)
            except ConnectionResetError:
                part = b""
            if not part:
                return received
            received += part
        return received

    async def to_the_end(self) -> bytes:
        """Return all that comes until the connection ends."""
        return await anyio.to_thread.run_sync(self._read, lambda _: False)

    async def answer(self) -> bytes:
        """Return the first response."""
        return await anyio.to_thread.run_sync(self._read, lambda data: data.endswith(b"\r\n\r\nok"))


class Face:
    """A server that answers `ok`, or much, or when the play says so."""

    def __init__(self, most: int, head_seconds: float) -> None:
        self.table = ConnectionTable(most, head_seconds)
        self.go_on = anyio.Event()
        self.asked = 0
        routes = [Route("/", self.ok), Route("/slow", self.slow), Route("/much", self.much)]
        self.app = Starlette(routes=routes)
        self.port = 0

    async def ok(self, _request: Request) -> Response:
        return Response("ok")

    async def slow(self, _request: Request) -> Response:
        self.asked += 1
        await self.go_on.wait()
        return Response("ok")

    async def much(self, _request: Request) -> Response:
        return Response(b"x" * 20_000_000)

    @property
    def rejected(self) -> dict[str, int]:
        return {reason: count for reason, count in self.table.rejected.items() if count}


@asynccontextmanager
async def face(most: int = 4, head_seconds: float = 3_600.0) -> AsyncIterator[Face]:
    served = Face(most, head_seconds)
    with bind("127.0.0.1", 0) as sock:
        served.port = sock.getsockname()[1]
        server = HttpServer(served.app, sock, served.table)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run)
            yield served
            server.stop()


# Time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.1\r\nX: ",
        GET + b"GET /",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nxx",
    ],
    ids=["nothing", "half a line", "half a head", "half a second head", "half a body"],
)
async def test_a_client_that_falls_silent_is_hung_up_on(sent: bytes) -> None:
    """Whatever it has sent so far."""
    async with face(head_seconds=0.1) as served:
        with Client(served.port) as client:
            client.send(sent)
            await client.to_the_end()
            await until(lambda: not len(served.table))

    assert served.rejected == {"silent": 1}


async def test_a_byte_now_and_then_prolongs_nothing() -> None:
    async with face(head_seconds=0.2) as served:
        with Client(served.port) as client:

            async def trickle() -> None:
                with anyio.CancelScope() as self_ended:
                    while not self_ended.cancel_called:
                        try:
                            client.send(b"X")
                        except OSError:
                            return
                        await anyio.sleep(0.02)

            client.send(b"GET / HTTP/1.1\r\nX-")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(trickle)
                await client.to_the_end()

    assert served.rejected == {"silent": 1}


async def test_a_response_that_is_not_taken_is_dropped() -> None:
    """It would stand in memory, and hold its descriptor, as long as the client likes."""
    async with face(head_seconds=0.2) as served:
        with Client(served.port) as client:
            client.send(GET.replace(b"/ ", b"/much "))
            await until(lambda: served.rejected)
            received = await client.to_the_end()

    assert served.rejected == {"silent": 1}
    assert len(received) < 20_000_000


async def test_a_request_under_way_may_take_its_time() -> None:
    """Patience is for a client that does not ask, not for one that waits for its answer."""
    async with face(head_seconds=0.05) as served:
        with Client(served.port) as slow, Client(served.port) as silent:
            slow.send(GET.replace(b"/ ", b"/slow "))
            await until(lambda: served.asked)
            await silent.to_the_end()
            served.go_on.set()
            answer = await slow.answer()

    assert answer.startswith(b"HTTP/1.1 200")


async def test_one_connection_may_ask_many_times() -> None:
    async with face(head_seconds=10) as served:
        with Client(served.port) as client:
            answers = []
            for _ in range(5):
                client.send(GET)
                answers.append(await client.answer())

    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 5


# Number ---------------------------------------------------------------------------------------------------


async def test_the_oldest_silent_one_makes_room() -> None:
    """Who asks is answered, however many are silent; who has a request under way stays."""
    async with face(most=4) as served:
        with Client(served.port) as slow:
            slow.send(GET.replace(b"/ ", b"/slow "))
            await until(lambda: served.asked)
            silent = [Client(served.port) for _ in range(100)]
            await until(lambda: served.table.rejected["crowded"] >= 97)
            held = len(served.table)
            with Client(served.port) as honest:
                honest.send(GET)
                answer = await honest.answer()
            served.go_on.set()
            slow_answer = await slow.answer()
            for client in silent:
                client.__exit__()

    assert held == 4
    assert (answer[:12], slow_answer[:12]) == (b"HTTP/1.1 200",) * 2
    assert set(served.rejected) == {"crowded"}


async def test_where_all_have_a_request_under_way_the_oldest_goes() -> None:
    async with face(most=2) as served:
        clients = []
        for number in range(3):
            clients.append(Client(served.port))
            clients[-1].send(GET.replace(b"/ ", b"/slow "))
            await until(lambda number=number: served.asked > number)  # type: ignore[misc]  # of this turn
        first = await clients[0].to_the_end()
        served.go_on.set()
        others = [await client.answer() for client in clients[1:]]
        for client in clients:
            client.__exit__()

    assert (first, [answer[:12] for answer in others]) == (b"", [b"HTTP/1.1 200"] * 2)


async def test_responses_that_are_not_taken_have_a_bound_over_all() -> None:
    """The oldest go. The newest is sent to the end, whatever its size."""
    async with face(most=20) as served:
        hoarders = [Client(served.port) for _ in range(8)]
        for client in hoarders:
            client.send(GET.replace(b"/ ", b"/much "))
        await until(lambda: served.rejected.get("crowded", 0) >= 6)
        with Client(served.port) as honest:
            honest.send(GET.replace(b"/ ", b"/much ").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            received = await honest.to_the_end()
        for client in hoarders:
            client.__exit__()

    assert len(received) > 20_000_000
    assert set(served.rejected) == {"crowded"}


# What is no request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"hello\r\n\r\n", [b"400"]),
        (b"GET / HTTP/1.1\r\n\r\n", [b"400"]),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [b"400"]),
        (b"GET /" + b"x" * 100_000, [b"400"]),
        (GET.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"zz\r\n", [b"400"]),
        (GET + b"\x00\x01\r\n\r\n", [b"200", b"400"]),
    ],
    ids=["no HTTP", "no host", "two hosts", "a long line", "a body that is none", "a second that is none"],
)
async def test_what_is_no_request_is_counted_and_logs_nothing(
    sent: bytes, answers: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with face(head_seconds=0.5) as served:
        with Client(served.port) as client:
            client.send(sent)
            received = await client.to_the_end()

    assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == answers
    assert served.rejected["bad_request"] == 1
    assert caplog.records == []


def test_every_count_stands_at_zero_from_the_start() -> None:
    faces = Faces({"http": ConnectionTable(1, 1), "control": ConnectionTable(1, 1)})

    numbers = faces.numbers()

    assert numbers["steno_http_connections"] == {("http",): 0, ("control",): 0}
    assert numbers["steno_http_rejected_total"] == {
        (kind, reason): 0
        for kind in ("http", "control")
        for reason in (
            *("silent", "crowded", "descriptors", "bad_request", "host", "tls"),
            *("unauthorized", "wrong_token", "throttled", "foreign_origin"),
        )
    }
