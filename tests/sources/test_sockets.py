"""A port that goes from one process to the next: real processes, real sockets, and no connection that gets lost."""

import asyncio
import errno
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from steno.sources import sockets
from steno.sources.sockets import Inherited, listener

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


FRONT = """
import asyncio, os, signal, sys
from steno.sources.sockets import BACKLOG, listener

async def main():
    stopping, calls = asyncio.Event(), set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)

    async def answer(reader, writer):
        calls.add(writer)
        writer.write(b"%d\\n" % os.getpid())
        await reader.read()
        writer.close()
        calls.remove(writer)

    place = listener("front", "127.0.0.1", int(sys.argv[1]))
    server = await asyncio.start_server(answer, sock=place.sock, backlog=1)  # it accepts one at a time
    place.sock.listen(BACKLOG)
    print(place.address[1], place.inherited, flush=True)
    await stopping.wait()
    leaving = asyncio.create_task(place.retire(server.close))
    await asyncio.sleep(0)
    print("retires", flush=True)
    await leaving
    print("retired", flush=True)
    while calls:
        await asyncio.sleep(0.005)

asyncio.run(main())
"""
"""A process that answers each connection with its number, and keeps it until its peer leaves."""

PASS = """
import os, sys
if sys.argv[1] != "3":
    os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="front")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What a service manager does before it executes a program."""


class Front:
    """One such process."""

    def __init__(self, process: "subprocess.Popen[str]", calls: "list[Call]") -> None:
        self.process = process
        port, inherited = self.line().split()
        self.port = int(port)
        self.inherited = inherited == "True"
        self.calls = calls

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def call(self) -> "Call":
        self.calls.append(Call(self.port))
        return self.calls[-1]


class Call:
    """A connection to whoever answers at a port."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=20)

    def answered_by(self) -> int:
        answer = b""
        while not answer.endswith(b"\n"):
            part = self._sock.recv(100)
            assert part, "the connection was closed and not answered"
            answer += part
        return int(answer)

    def alive(self) -> bool:
        self._sock.setblocking(False)
        try:
            return self._sock.recv(1) != b""
        except BlockingIOError:
            return True

    def end(self) -> None:
        self._sock.close()


@contextmanager
def front(port: int, passed: socket.socket | None = None) -> Iterator[Front]:
    """Run a process at `port`, to which the listening socket `passed` is passed."""
    program = [sys.executable, "-c", FRONT, str(port)]
    if passed:
        program = [sys.executable, "-c", PASS, str(passed.fileno()), *program]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, pass_fds=[passed.fileno()] if passed else [])
    calls: list[Call] = []
    try:
        yield Front(process, calls)
    finally:
        for call in calls:
            call.end()
        process.kill()
        process.communicate()


def test_a_successor_takes_what_is_new_and_nothing_is_lost() -> None:
    """Connections that are made all the while are all answered; one that runs goes on to its end."""
    with front(0) as former, front(former.port) as latter:
        running = [former.call() for _ in range(8)]
        answers = [call.answered_by() for call in running]
        former.process.send_signal(signal.SIGTERM)
        during = [former.call() for _ in range(100)]
        late = [call.answered_by() for call in during]
        retires = former.line()
        after = [former.call().answered_by() for _ in range(30)]
        retired = former.line()
        after += [former.call().answered_by() for _ in range(30)]
        alive = [call.alive() for call in running]
        for call in running + during:
            call.end()
        code = former.process.wait(20)

    pids = {former.process.pid, latter.process.pid}
    assert set(answers) <= pids
    assert set(late) <= pids
    assert (retires, retired, set(after)) == ("retires", "retired", {latter.process.pid})
    assert (alive, code) == ([True] * 8, 0)


def test_what_waits_to_be_accepted_is_accepted_before_the_port_is_left() -> None:
    """The kernel completed these handshakes while the process stood still: closing the socket would reset them."""
    with front(0) as former, front(former.port) as latter:
        former.process.send_signal(signal.SIGSTOP)
        waiting = [former.call() for _ in range(40)]
        former.process.send_signal(signal.SIGTERM)
        former.process.send_signal(signal.SIGCONT)
        answers = [call.answered_by() for call in waiting]

    assert set(answers) == {former.process.pid, latter.process.pid}  # each had some of 40 in its queue


def test_sockets_of_a_service_manager_outlive_every_process() -> None:
    """What comes while nobody serves waits for the successor."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with front(0, held) as former:
            first = former.call().answered_by()
            former.process.send_signal(signal.SIGTERM)
            assert [former.line(), former.line()] == ["retires", "retired"]
            between = former.call()
            with front(0, held) as latter:
                second = between.answered_by()

    assert (former.port, former.inherited, latter.port, latter.inherited) == (port, True, port, True)
    assert (first, second) == (former.process.pid, latter.process.pid)


# What is shared for good ----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_many_share_a_port_where_all_say_so(host: str) -> None:
    """Without the word there may be a predecessor, and no more."""
    with ExitStack() as opened:
        first = opened.enter_context(listener("x", host, 0).sock)
        port = first.getsockname()[1]
        opened.enter_context(listener("x", host, port).sock)
        with pytest.raises(OSError, match="several processes listen there") as third:
            listener("x", host, port)
        joined = opened.enter_context(listener("x", host, port, reuse_port=True).sock)
        found = (joined.getsockname()[1], sockets.listening(host, port), sockets.listening("localhost", port))

    assert third.value.errno == errno.EADDRINUSE
    assert third.value.filename == f"{host}:{port}"
    assert found == (port, 3, 0)


async def test_who_leaves_many_takes_nothing_new_and_nothing_is_lost() -> None:
    """What came before is accepted there; what comes then finds those who stay, a second later at most."""
    loop = asyncio.get_running_loop()
    with ExitStack() as opened:
        stays = listener("x", "127.0.0.1", 0, reuse_port=True)
        leaves = listener("x", "127.0.0.1", stays.address[1], reuse_port=True)
        opened.enter_context(stays.sock)
        clients = [opened.enter_context(socket.socket()) for _ in range(40)]
        for client in clients:
            client.setblocking(False)
        await asyncio.gather(*(loop.sock_connect(client, stays.address) for client in clients[:20]))
        before = _accepted(leaves.sock, opened)
        closed: list[int] = []

        def close() -> None:
            closed.append(len(_accepted(leaves.sock, opened)))
            leaves.sock.close()

        leaving = asyncio.create_task(leaves.retire(close))
        await asyncio.sleep(0)
        await asyncio.gather(leaving, *(loop.sock_connect(client, stays.address) for client in clients[20:]))
        after = _accepted(stays.sock, opened)

    assert 0 < len(before) < 20  # all of 20 at one of two is one in 500,000
    assert (closed, len(before) + len(after)) == ([0], 40)


def _accepted(listening: socket.socket, opened: ExitStack) -> list[socket.socket]:
    """Accept all that waits."""
    accepted = []
    with suppress(BlockingIOError):
        while True:
            accepted.append(opened.enter_context(listening.accept()[0]))
    return accepted


# What is inherited ----------------------------------------------------------------------------------------


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Four descriptors in a row, the first of them a listening socket at 127.0.0.1; yield the environment of them."""
    listening = socket.create_server(("127.0.0.1", 0))
    unbound = socket.socket()
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    read, write = os.pipe()
    first = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 4  # the last ones that a process may have: nobody has them
    for number, descriptor in enumerate((listening.fileno(), unbound.fileno(), datagrams.fileno(), read)):
        os.dup2(descriptor, first + number)
    monkeypatch.setattr(sockets, "FIRST_INHERITED", first)
    yield {"LISTEN_PID": "7", "LISTEN_FDS": "4", "LISTEN_FDNAMES": "front:a:b:c", "at": str(listening.getsockname()[1])}
    for each in (listening, unbound, datagrams):
        each.close()
    os.close(read)
    os.close(write)
    for number in range(4):
        try:
            os.close(first + number)
        except OSError:
            continue  # the listening one was given up


def test_a_listening_socket_is_found_by_name_and_by_address(passed: dict[str, str]) -> None:
    """Whatever else is passed is left alone, and a copy outlives the original."""
    port = int(passed["at"])
    inherited = Inherited(passed, 7)
    with (
        listener("front", "127.0.0.1", 1, inherited).sock as named,
        listener("x", "127.0.0.1", port, inherited).sock as found,
    ):
        addresses = [named.getsockname(), found.getsockname()]
        others = [inherited.copy("x", *at) for at in (("127.0.0.1", 1), ("::1", port), ("localhost", port))]
        names = inherited.names
        inherited.close()
        socket.create_connection(("127.0.0.1", port), timeout=20).close()

    assert addresses == [("127.0.0.1", port)] * 2
    assert others == [None] * 3
    assert (names, inherited.names) == (["front"], [])


@pytest.mark.parametrize(
    "change",
    [{"LISTEN_PID": "8"}, *({"LISTEN_FDS": count} for count in ("", "-1", "²", "9" * 5000))],
    ids=["another process", "none", "negative", "no digit", "too many"],
)
def test_what_is_meant_for_another_process_or_is_no_number_is_ignored(
    change: dict[str, str], passed: dict[str, str]
) -> None:
    assert Inherited({**passed, **change}, 7).names == []


def test_a_name_may_be_missing(passed: dict[str, str]) -> None:
    """Then the address finds it."""
    inherited = Inherited({**passed, "LISTEN_FDNAMES": ""}, 7)
    copy = inherited.copy("front", "127.0.0.1", int(passed["at"]))
    assert copy
    copy.close()
    inherited.close()


def test_a_port_that_somebody_else_has_is_named(passed: dict[str, str]) -> None:
    """Where the service manager has it under another name, that is what the operator has to mend."""
    port = int(passed["at"])
    with pytest.raises(OSError, match=f"127.0.0.1:{port}") as alone:
        listener("x", "127.0.0.1", port, Inherited({}, 7))
    inherited = Inherited({**passed, "LISTEN_FDNAMES": "steno.socket"}, 7)
    with pytest.raises(OSError, match=f"0.0.0.0:{port}") as misnamed:
        listener("x", "0.0.0.0", port, inherited)  # noqa: S104  # it is refused
    inherited.close()

    assert (alone.value.strerror, alone.value.filename) == ("Address already in use", f"127.0.0.1:{port}")
    assert misnamed.value.strerror == "Address already in use; the service manager passes steno.socket, none for x"


async def test_a_system_without_such_programs_closes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does a socket that was closed by somebody else."""
    monkeypatch.setattr(sockets, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(sockets, "_ATTACH_REUSEPORT_CBPF", 1 << 20)
    places = [listener("x", "127.0.0.1", 0, Inherited({}, 7)) for _ in range(2)]
    servers = [await asyncio.start_server(lambda *_: None, sock=place.sock) for place in places]
    servers[1].close()
    for place, server in zip(places, servers, strict=True):
        await place.retire(server.close)

    assert [server.is_serving() for server in servers] == [False, False]
    assert [place.sock.fileno() for place in places] == [-1, -1]


async def test_a_queue_that_nobody_can_empty_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a free descriptor accepts nothing: it does not wait for that for ever."""
    monkeypatch.setattr(sockets, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(sockets, "EMPTY_SECONDS", 0.05)
    place = listener("x", "127.0.0.1", 0, Inherited({}, 7))
    server = await asyncio.start_server(lambda *_: None, sock=place.sock, start_serving=False)
    with socket.create_connection(place.address):
        await place.retire(server.close)

    assert place.sock.fileno() == -1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_shares_a_port_knows_it(host: str) -> None:
    """As it is meant while one process follows another; else one of the two was forgotten."""
    first = listener("front", host, 0)
    second = listener("front", host, first.address[1])
    first.sock.close()
    second.sock.close()

    assert (first.shared, second.shared) == (False, True)


def test_ipv6_is_bound() -> None:
    place = listener("front", "::1", 0, Inherited({}, 7))
    with place.sock:
        assert (place.address[0], place.inherited) == ("::1", False)


def test_what_is_accepted_sends_small_messages_at_once() -> None:
    """Nagle's algorithm is turned off by asyncio where the protocol of a socket is named, and nowhere else."""
    opened = sockets.listener("front", "127.0.0.1", 0)
    with opened.sock:
        assert opened.sock.proto == socket.IPPROTO_TCP


def test_an_end_that_is_gone_is_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sockets.probe(sock)
        options = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [60, 15, 4]
    sockets.probe(sock)  # closed
