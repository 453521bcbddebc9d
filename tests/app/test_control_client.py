"""Asking a daemon: what is sent, what its answer means, and what is said of one that answers in another way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from steno.app import control_client
from steno.app.control_client import EraseAnswer, EraseRequest, ask_to_erase
from steno.audit.content_store.erase import Erasure
from steno.errors import StenoError, UnavailableError, UsageError

REQUEST = EraseRequest("relay/ü", partial=True)
ERASURE = Erasure("0f.jsonl", 2, 300, held=True, chained=0)


@contextmanager
def daemon(directory: Path, answer: bytes, until: bytes = b"}") -> Iterator[list[bytes]]:
    """Read from one connection up to `until`, send `answer`, and hang up; yield what was read."""
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            data = b""
            while until not in data:
                data += connection.recv(1 << 16)
            received.append(data)
            connection.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / ".control"))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield received
        thread.join()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def test_a_request_is_a_post_with_json(tmp_path: Path) -> None:
    with daemon(tmp_path, http(msgspec.json.encode(EraseAnswer(ERASURE)))) as received:
        erasure = ask_to_erase(tmp_path, REQUEST)

    head, _, body = received[0].partition(b"\r\n\r\n")
    assert erasure == ERASURE
    assert head.startswith(b"POST /erase HTTP/1.1\r\n")
    assert msgspec.json.decode(body) == {"conversation": "relay/ü", "partial": True}


@pytest.mark.parametrize("left", ["nothing", "a socket", "a file"])
def test_where_no_daemon_listens_there_is_no_answer(tmp_path: Path, left: str) -> None:
    if left == "a socket":
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(tmp_path / ".control"))
    elif left == "a file":
        (tmp_path / ".control").touch()

    assert ask_to_erase(tmp_path, REQUEST) is None


def test_a_socket_that_cannot_be_connected_to_is_named(tmp_path: Path) -> None:
    (tmp_path / ".control").symlink_to(".control")

    with pytest.raises(UnavailableError) as raised:
        ask_to_erase(tmp_path, REQUEST)

    assert str(raised.value) == f"cannot ask the daemon: {tmp_path}/.control: Too many levels of symbolic links"


REFUSED = b'{"erased":null,"error":"content stands in 2 records"}'


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(REFUSED, "409 Conflict"), UsageError("content stands in 2 records")),
        (http(b"{}"), UsageError("the daemon did not say what it did: its log may")),
        (http(b"Not Found", "404 Not Found"), UnavailableError("{} answers as another version of steno does: {}")),
        (http(b'{"erased":7}'), UnavailableError("{} answers as another version of steno does: {}")),
        (b"", UnavailableError("{} did not answer: it may be stopping, so try again")),
    ],
    ids=["refused", "neither", "not found", "another answer", "hung up"],
)
def test_an_answer_that_is_no_erasure_is_an_error(tmp_path: Path, answer: bytes, error: StenoError) -> None:
    with daemon(tmp_path, answer), pytest.raises(StenoError) as raised:
        ask_to_erase(tmp_path, REQUEST)

    line = str(error).format(
        f"the daemon behind {tmp_path}/.control", "restart the daemon, or use the command that came with it"
    )
    assert (type(raised.value), str(raised.value)) == (type(error), line)


def test_a_daemon_of_the_first_edition_is_recognised(tmp_path: Path) -> None:
    """It reads one line, answers with one line, and closes without reading the rest."""
    with (
        daemon(tmp_path, b'{"erased":null,"error":"not a request"}\n', until=b"\n"),
        pytest.raises(UnavailableError) as raised,
    ):
        ask_to_erase(tmp_path, REQUEST)

    assert str(raised.value) == (
        f"the daemon behind {tmp_path}/.control answers as another version of steno does: restart the daemon, or use "
        "the command that came with it"
    )


def test_a_daemon_that_does_not_answer_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_client, "ANSWER_SECONDS", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / ".control"))
        silent.listen()

        with pytest.raises(UnavailableError) as raised:
            ask_to_erase(tmp_path, REQUEST)

    assert (
        str(raised.value) == f"the daemon behind {tmp_path}/.control did not answer: it may be stopping, so try again"
    )
