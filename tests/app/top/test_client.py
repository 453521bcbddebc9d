"""`steno top` over real sockets: what it says of a daemon that is gone, older, guarded or something else."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
import trustme

from steno.app.top import client as asking
from steno.app.top.client import BusyError, Client, Listing
from steno.app.top.follower import ENDED, Follower, Lost, News, Slow
from steno.errors import StenoError, UnavailableError, UsageError
from steno.view.changes import Changes
from steno.view.query import Page
from steno.view.sources import SourceList
from tests.app.top.rows import row, source, sources

SOURCES = sources(source("relay"))
CHANGES = Changes(1021.0, [row("b")], ["a"])


def event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def error(code: str, message: str) -> bytes:
    return msgspec.json.encode({"error": {"code": code, "message": message}})


ANSWERS = {
    "/v1/conversations?sort=key&limit=1000": (200, msgspec.json.encode(Page(1020.0, 2, "x=/", [row("a")]))),
    "/v1/conversations?sort=key&limit=1000&after=x%3D%2F": (
        200,
        msgspec.json.encode(Page(1021.0, 2, None, [row("b")])),
    ),
    "/v1/sources": (200, msgspec.json.encode(SOURCES)),
    "/v1/stream": (
        200,
        b"retry: 2000\n\n:\n\n" + event("rows", CHANGES) + event("new", {}) + event("sources", SOURCES),
    ),
}


@contextmanager
def daemon(answers: Mapping[str, tuple[int, bytes]], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answer requests by their paths, others with 404; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # as the module has it
            wanted = "Bearer sesame" if self.path.startswith("/guarded") else None
            path = self.path.removeprefix("/guarded")
            allowed = self.headers["Authorization"] == wanted
            status, body = answers.get(path, (404, b"")) if allowed else (401, error("unauthorized", ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_all_pages_are_read_and_changes_follow() -> None:
    """What is unknown in the stream is passed over; a path before the API is kept."""
    with daemon(ANSWERS) as address:
        client = Client(f"http://{address}/readyz", None, None)
        found = client.listing()
        with client.changes() as changes:
            told = list(changes)

    assert (client.address, found) == (address, Listing(1020.0, [row("a"), row("b")], SOURCES))
    assert told == [CHANGES, SOURCES]


def test_a_token_is_sent() -> None:
    """One that is missing or wrong is asked for, by the option that takes it."""
    with daemon(ANSWERS) as address:
        url = f"http://{address}/guarded/"
        assert len(Client(url, "sesame", None).listing().rows) == 2
        for token in (None, "other"):
            with pytest.raises(UsageError, match="--token-file"):
                Client(url, token, None).listing()


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (404, error("not_found", "there is no such request"), UnavailableError, "older version of steno"),
        (404, b"<html>", UnavailableError, "no steno at all"),
        (503, error("too_many_streams", "64 clients follow"), BusyError, "answers: 64 clients follow"),
        (503, error("starting", "come later"), UnavailableError, "answers: come later"),
        (302, b"moved", UnavailableError, "status 302: is it http.listen of a daemon"),
        (200, b"<html>", UnavailableError, "of another version of steno than this command"),
        (200, b'{"at":1}', UnavailableError, "of another version of steno than this command"),
        (200, b"\xff", UnavailableError, "of another version of steno than this command"),
    ],
)
def test_other_answers_say_what_to_do(status: int, body: bytes, kind: type[StenoError], said: str) -> None:
    with daemon(dict.fromkeys(ANSWERS, (status, body))) as address, pytest.raises(kind, match=said):
        Client(f"http://{address}", None, None).listing()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(UnavailableError, match=f"no answer from {address}: connection refused; is it http.listen"):
        Client(f"http://{address}", None, None).listing()


def test_tls_says_why_it_fails() -> None:
    """A certificate that nobody here trusts; TLS where there is none; no TLS where there is some."""
    authority = trustme.CA()
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served)
    with daemon(ANSWERS, served) as address:
        with pytest.raises(UnavailableError, match=r"certificate does not hold.*--ca-file"):
            Client(f"https://{address}", None, trusting).listing()
        with pytest.raises(UnavailableError, match="no answer from"):
            Client(f"http://{address}", None, None).listing()
        authority.configure_trust(trusting)
        assert len(Client(f"https://{address}", None, trusting).listing().rows) == 2
    with daemon(ANSWERS) as address, pytest.raises(UnavailableError, match="does it speak plain HTTP"):
        Client(f"https://{address}", None, trusting).listing()


@pytest.mark.parametrize("url", ["127.0.0.1:9464", "ftp://host", "http://", "http://host/#token=x", "http://host/?a=b"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """A token in an address is not taken: it would stand in the list of processes. It is not repeated either."""
    with pytest.raises(UsageError, match=r"^the URL must") as raised:
        Client(url, None, None)

    assert "token=x" not in str(raised.value)


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What speaks there may never end."""
    monkeypatch.setattr(asking, "ANSWER_BYTES", 100)
    with daemon(ANSWERS) as address:
        client = Client(f"http://{address}", None, None)
        with pytest.raises(UnavailableError, match="another version"):
            client.listing()
        with client.changes() as changes, pytest.raises(UnavailableError, match="another version"):
            list(changes)


class Told:
    """What a follower tells, up to a number of news."""

    def __init__(self, client: Client, wanted: int) -> None:
        self.news: list[News] = []
        self._wanted = wanted
        self._done = threading.Event()
        self._follower = Follower(client, self._tell)

    def _tell(self, news: News) -> None:
        self.news.append(news)
        if len(self.news) >= self._wanted:
            self._follower.stop()
            self._done.set()

    def run(self) -> list[News]:
        self._follower.start()
        assert self._done.wait(30)
        return self.news


BUSY = (503, error("too_many_streams", "64 clients follow"))


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        (ANSWERS, [Listing, Changes, SourceList, Lost, Listing]),
        (ANSWERS | {"/v1/stream": BUSY}, [Listing, Slow, Listing]),
        ({"/v1/stream": BUSY}, [Lost, Lost]),
        ({}, [Lost, Lost]),
    ],
)
def test_a_follower_goes_on(
    answers: Mapping[str, tuple[int, bytes]], kinds: list[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins anew after whatever ends it, and asks where it may not follow."""
    monkeypatch.setattr("steno.app.top.follower.RETRY_SECONDS", 0.01)
    with daemon(answers) as address:
        news = Told(Client(f"http://{address}", None, None), len(kinds)).run()

    assert [type(each) for each in news[: len(kinds)]] == kinds
    assert ENDED in news or Listing not in map(type, news) or Slow in map(type, news)
