"""`steno health`: what a daemon responds, or that there is no response."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from steno.admin.probe import ProbeResult, probe, readiness_url
from steno.errors import UsageError


@contextmanager
def served(responses: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    """Serve a response a path, and yield the URL of the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = responses[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_probe() -> None:
    """200 means ready, and every other status that it is not; `/readyz` stands for a URL without a path."""
    with served({"/readyz": (200, b'{"ok":true}'), "/other": (503, b'{"ok":false}')}) as url:
        results = [probe(url), probe(f"{url}/other")]

    assert results == [ProbeResult(True, '{"ok":true}'), ProbeResult(False, '{"ok":false}')]


def test_no_response() -> None:
    """The host and the kind of error are in the text, and nothing else of the URL."""
    with served({}) as url:
        pass

    assert probe(f"{url}/readyz?key=secret") == ProbeResult(
        False, f"no answer from {url.partition('//')[2]}: connection refused; is it http.listen of a daemon that runs?"
    )


def test_what_is_not_an_http_url_is_refused() -> None:
    """A URL that cannot be requested is the caller's mistake."""
    with pytest.raises(UsageError):
        probe("wss://relay.example")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("127.0.0.1", 9464), "http://127.0.0.1:9464/readyz"),
        (("0.0.0.0", 80), "http://127.0.0.1:80/readyz"),  # noqa: S104  # nothing listens there
        (("::", 9464), "http://[::1]:9464/readyz"),
    ],
)
def test_readiness_url(address: tuple[str, int], url: str) -> None:
    """A daemon that listens on all interfaces is reached on loopback."""
    assert readiness_url(address) == url
