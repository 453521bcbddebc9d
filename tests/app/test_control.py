"""The control socket: who can connect, what is a request, and that no peer and no error ends the daemon."""

import json
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
import pytest
from structlog.testing import capture_logs

from steno.app import control
from steno.app.control_client import EraseRequest, ask_to_erase
from steno.audit.content_store.erase import Erasure
from steno.errors import UsageError
from tests.processes import wait_until

pytestmark = pytest.mark.anyio

ERASURE = Erasure("0f.jsonl", 2, 300, held=True, chained=0, in_memory=True)
ERASED = {
    "file": "0f.jsonl",
    "texts": 2,
    "size": 300,
    "held": True,
    "chained": 0,
    "in_memory": True,
}
BODY = b'{"conversation":"relay/call-1"}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Daemon:
    """Erases nothing; keeps what it was asked."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / ".control"
        self.requests: list[EraseRequest] = []

    async def erase(self, request: EraseRequest) -> Erasure:
        self.requests.append(request)
        return ERASURE


@asynccontextmanager
async def listening(
    directory: Path, erase: Callable[[EraseRequest], Awaitable[Erasure]] | None = None
) -> AsyncIterator[Daemon]:
    """Run a control socket in `directory`."""
    daemon = Daemon(directory)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(control.listen, directory, erase or daemon.erase)
        await anyio.lowlevel.checkpoint()  # it listens from its first step on
        yield daemon
        tasks.cancel_scope.cancel()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def post(body: bytes, length: int | None = None, path: str = "/erase", method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body) if length is None else length}"
    return f"{head}\r\n\r\n".encode() + body


def _sent(path: Path, data: bytes, *, end: bool) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        received = b""
        with suppress(ConnectionResetError, BrokenPipeError):  # a peer that sends too much is hung up on
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                received += part
        return received


async def sent(path: Path, data: bytes, *, end: bool = False) -> tuple[int | None, str]:
    """Send `data` and return the status and the body of the answer; None and a text where it is not HTTP."""
    received = await anyio.to_thread.run_sync(partial(_sent, path, data, end=end))
    if not received.startswith(b"HTTP/1.1 "):
        return None, received.decode()
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


# Requests -------------------------------------------------------------------------------------------------


async def test_a_request_is_answered_with_what_was_erased(tmp_path: Path) -> None:
    async with listening(tmp_path) as daemon:
        answers = [
            await sent(daemon.socket, post(BODY)),
            await sent(daemon.socket, post(b'{"conversation":"relay/\\u00fc","partial":true}')),
        ]

    assert [(status, json.loads(body)) for status, body in answers] == [(200, {"erased": ERASED, "error": None})] * 2
    assert daemon.requests == [EraseRequest("relay/call-1"), EraseRequest("relay/ü", partial=True)]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("content stands in 2 records"), 409, "content stands in 2 records"),
        (KeyError("sk-0123456789abcdef"), 500, "internal error: see the log of the daemon"),
    ],
    ids=["refused", "a mistake of ours"],
)
async def test_an_error_is_an_answer_and_the_daemon_goes_on(
    tmp_path: Path, error: Exception, status: int, line: str
) -> None:
    """A mistake of ours goes to the operational log; the answer does not repeat what it says."""

    async def erase(_: EraseRequest) -> Erasure:
        raise error

    with capture_logs() as logs:
        async with listening(tmp_path, erase) as daemon:
            answers = [await sent(daemon.socket, post(BODY)) for _ in range(2)]

    assert [(code, json.loads(body)) for code, body in answers] == [(status, {"erased": None, "error": line})] * 2
    logged = [(entry["event"], entry["log_level"]) for entry in logs]
    assert logged == ([("internal error; a request was not answered", "error")] * 2 if status == 500 else [])


REFUSED = '{"erased":null,"error":"not a request"}'
UNKNOWN = REFUSED.replace("not a request", str(control.UNKNOWN_REQUEST.error))


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (post(b""), (400, REFUSED)),
        (post(b"hello"), (400, REFUSED)),
        (post(b'{"conversation":7}'), (400, REFUSED)),
        (post(b'{"conversation":"a","drop":"b"}'), (400, REFUSED)),
        (post(b'{"conversation":"\xff"}'), (400, REFUSED)),
        (post(b'{"conversation":' + b"[" * 5000), (400, REFUSED)),
        (post(b'"' + b"x" * 70_000), (400, REFUSED)),
        (post(BODY, method="GET"), (405, UNKNOWN)),
        (post(BODY, path="/drop"), (404, UNKNOWN)),
        (b"hello\r\n\r\n", (400, "Invalid HTTP request received.")),
        (b"\xff\r\n\r\n", (400, "Invalid HTTP request received.")),
        (b"x" * 100_000, (400, "Invalid HTTP request received.")),
    ],
    ids=[
        "no body",
        "no JSON",
        "wrong type",
        "unknown member",
        "no UTF-8",
        "nested",
        "long body",
        "GET",
        "unknown path",
        "no HTTP",
        "no text",
        "long head",
    ],
)
async def test_what_is_not_a_request_is_answered_so(tmp_path: Path, data: bytes, answer: tuple[int, str]) -> None:
    async with listening(tmp_path) as daemon:
        answers = [await sent(daemon.socket, data)]
        await sent(daemon.socket, post(BODY))

    assert answers == [answer]
    assert daemon.requests == [EraseRequest("relay/call-1")]


@pytest.mark.parametrize("data", [b"", b"POST /erase HT", post(BODY, length=100)], ids=["nothing", "head", "body"])
async def test_a_request_that_ends_too_early_asks_for_nothing(tmp_path: Path, data: bytes) -> None:
    async with listening(tmp_path) as daemon:
        answer = await sent(daemon.socket, data, end=True)

    assert (answer, daemon.requests) == ((None, ""), [])


@pytest.mark.parametrize(
    ("data", "answer"),
    [(b"", (None, "")), (b"POST /erase HT", (None, "")), (post(BODY, length=100), (400, REFUSED))],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_peer_that_falls_silent_is_hung_up_on(
    tmp_path: Path, data: bytes, answer: tuple[int | None, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer keeps its side open; the daemon closes the connection."""
    monkeypatch.setattr(control, "PATIENCE_SECONDS", 0.05)
    async with listening(tmp_path) as daemon:
        assert await sent(daemon.socket, data) == answer

    assert daemon.requests == []


async def test_a_request_may_take_longer_than_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is for a peer that sends nothing, not for one that waits for its answer."""
    monkeypatch.setattr(control, "PATIENCE_SECONDS", 0.05)
    patience = anyio.Event()

    async def erase(_: EraseRequest) -> Erasure:
        await patience.wait()
        return ERASURE

    async with listening(tmp_path, erase) as daemon, anyio.create_task_group() as tasks:
        answers: list[tuple[int | None, str]] = []

        async def ask() -> None:
            answers.append(await sent(daemon.socket, post(BODY)))

        tasks.start_soon(ask)
        await sent(daemon.socket, b"")  # returns when the wait for a silent peer is over
        patience.set()

    assert [status for status, _ in answers] == [200]


async def test_a_connection_has_one_request(tmp_path: Path) -> None:
    async with listening(tmp_path) as daemon:
        status, _ = await sent(daemon.socket, post(BODY) * 2)

    assert (status, daemon.requests) == (200, [EraseRequest("relay/call-1")])


async def test_the_command_of_the_first_edition_gets_an_error_that_it_can_print(tmp_path: Path) -> None:
    """It sends a line, and reads a line: an object with `erased` and `error`."""
    async with listening(tmp_path) as daemon:
        answer = await sent(daemon.socket, b'{"erase":"relay/call-1","partial":false}\n')

    line = "the daemon is of a newer version of steno than this command: use the command that came with the daemon"
    assert answer == (None, f'{{"erased":null,"error":"{line}"}}\n')
    assert daemon.requests == []


# The socket -----------------------------------------------------------------------------------------------


async def test_the_socket_is_its_owners_and_goes_with_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its mode is set nobody can connect, whatever the umask."""
    refused = []
    chmod = Path.chmod

    def watched(path: Path, mode: int) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            refused.append(connection.connect_ex(str(path)) != 0)
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", watched)
    async with listening(tmp_path) as daemon:
        mode = daemon.socket.stat().st_mode

    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode), refused) == (True, 0o600, [True])
    assert names(tmp_path) == []


async def test_the_socket_of_a_daemon_that_was_killed_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / ".control"))

    async with listening(tmp_path) as daemon:
        status, _ = await sent(daemon.socket, post(BODY))

    assert status == 200


async def test_a_file_in_its_place_is_left_alone_and_logged(tmp_path: Path) -> None:
    """The daemon runs without the socket."""
    (tmp_path / ".control").write_text("a note")

    with capture_logs() as logs:
        await control.listen(tmp_path, Daemon(tmp_path).erase)

    assert logs == [
        {
            "event": "nothing can be asked of this daemon",
            "socket": ".control",
            "reason": "Address already in use",
            "log_level": "warning",
        }
    ]
    assert (tmp_path / ".control").read_text() == "a note"


async def test_the_name_of_the_folder_may_be_longer_than_the_address_of_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200)
    folder.mkdir()

    async with listening(folder) as daemon:
        erasure = await anyio.to_thread.run_sync(ask_to_erase, folder, EraseRequest("relay/call-1"))

    assert (erasure, daemon.requests) == (ERASURE, [EraseRequest("relay/call-1")])
    assert names(folder) == []


async def test_a_request_under_way_is_answered_when_the_daemon_stops(tmp_path: Path) -> None:
    begun, stopping = anyio.Event(), anyio.Event()
    answers: list[Erasure | None] = []

    async def erase(_: EraseRequest) -> Erasure:
        begun.set()
        await stopping.wait()
        return ERASURE

    async def finish() -> None:
        await wait_until(lambda: not (tmp_path / ".control").exists())
        stopping.set()

    async def ask() -> None:
        answers.append(await anyio.to_thread.run_sync(ask_to_erase, tmp_path, EraseRequest("relay/call-1")))

    async with anyio.create_task_group() as tasks, listening(tmp_path, erase):
        tasks.start_soon(ask)
        await begun.wait()
        tasks.start_soon(finish)

    assert answers == [ERASURE]


def test_an_erasure_is_the_same_on_both_sides() -> None:
    assert msgspec.to_builtins(ERASURE) == ERASED
