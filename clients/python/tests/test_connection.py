import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from steno_tap import Tap, connection
from tests.servers import Steno, texts, until

MakeTap = Callable[..., Tap]
FOREIGN = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: foreign\r\n\r\n"


@contextlib.contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """Serve a port whose peer reads a request and says `answer`; None: it says nothing and stays."""
    listening = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                accepted.append(sock)
                sock.recv(65_536)
                if answer is not None:
                    sock.sendall(answer)
                    sock.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()
    for sock in accepted:
        sock.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "it closes the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "the answer is no HTTP/1.1"),
        (FOREIGN, "the answer does not belong to this handshake"),
        (b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 100_000, "the head of the answer is too long"),
        (None, "it takes too long"),
    ],
)
def test_a_peer_that_is_no_steno(
    make_tap: MakeTap,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answer: bytes | None,
    reason: str,
) -> None:
    monkeypatch.setattr(connection, "OPEN_SECONDS", 0.2 if answer is None else 10)
    with answering(answer) as port:
        tap = make_tap(f"ws://127.0.0.1:{port}")
        tap.send("{}")
        until(lambda: caplog.messages)
        assert not tap.close(0)
    assert caplog.messages[0] == (f"cannot push to steno, trying again: cannot connect to 127.0.0.1:{port} ({reason})")


def test_a_host_that_nobody_knows(
    make_tap: MakeTap, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tap = make_tap("ws://steno.invalid:9465")
    tap.send("{}")
    until(lambda: caplog.messages)

    assert not tap.close(0)
    assert caplog.messages[0].startswith("cannot push to steno, trying again: cannot find the host steno.invalid (")


def test_a_name_leads_to_the_address_that_answers(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(f"ws://localhost:{steno.port}")  # ::1 comes first on many machines, and nobody listens there
    tap.send("{}")

    assert tap.close()
    steno.settled()
    assert texts(steno.lines) == ["{}"]


def test_a_resolver_that_hangs_holds_nobody(
    make_tap: MakeTap, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()
    usual = connection._look_up

    def hang(host: str, port: int, flags: int = 0) -> list[connection.Address]:
        if not flags:
            released.wait()
        return usual(host, port, flags)

    monkeypatch.setattr(connection, "_look_up", hang)
    tap = make_tap("ws://localhost:9465")
    tap.send("{}")

    assert not tap.close(0)
    assert not [thread for thread in threading.enumerate() if thread.name == "steno-tap"]
    released.set()


def test_the_end_of_the_interpreter_can_still_look_a_name_up(
    make_tap: MakeTap, steno: Steno, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "steno-tap-resolver":
            raise RuntimeError("can't create new thread at interpreter shutdown")
        usual(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    tap = make_tap(f"ws://localhost:{steno.port}")
    tap.send("{}")

    assert tap.close()
    steno.settled()
    assert texts(steno.lines) == ["{}"]
