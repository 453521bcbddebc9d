"""`steno health`: what a daemon responds, or that there is no response."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from steno.admin.probe import ProbeResult, Trust, probe, probe_own, readiness_url
from steno.errors import ConfigError, UsageError
from tests.sources.certificates import Authority


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


# Over TLS ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def secured(certificate: Path, key: Path, client_ca: Path | None = None) -> Iterator[tuple[int, list[str | None]]]:
    """Serve `/readyz` over TLS; yield the port, and the `Authorization` of each request."""
    sent: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(self.headers["authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, sent
        server.shutdown()
        thread.join()


def test_a_daemon_is_verified_by_the_system_unless_a_file_is_named(authority: Authority, tmp_path: Path) -> None:
    strange = tmp_path / "strange.pem"
    strange.write_text("no certificate")
    with secured(*authority.issue()) as (port, _):
        url = f"https://127.0.0.1:{port}"
        named = probe(url, None, Trust(authority.certificate))
        system = probe(url)
        clear = probe(f"http://127.0.0.1:{port}")
        with pytest.raises(ConfigError, match=r"strange\.pem: holds no certificates in PEM"):
            probe(url, None, Trust(strange))
        with pytest.raises(ConfigError, match=r"nowhere\.pem: cannot be read: no such file"):
            probe(url, None, Trust(authority.certificate, tmp_path / "nowhere.pem"))

    where = f"no answer from 127.0.0.1:{port}: "
    assert named == ProbeResult(True, "{}")
    assert system.text.startswith(f"{where}its certificate does not hold: ")
    assert not clear.ready


def test_a_certificate_is_shown_where_one_is_asked_for(authority: Authority) -> None:
    shown = Trust(authority.certificate, *authority.issue(use="clientAuth"))
    with secured(*authority.issue(), authority.certificate) as (port, _):
        with_one = probe(f"https://127.0.0.1:{port}", None, shown)
        without = probe(f"https://127.0.0.1:{port}", None, Trust(authority.certificate))

    assert (with_one.ready, without.ready) == (True, False)


def test_ones_own_daemon_is_known_by_its_certificate(authority: Authority, tmp_path: Path) -> None:
    """Another certificate gets no token, though the same authority has signed it and stands in the file as well."""
    certificate, key = authority.issue()
    chain = tmp_path / "chain.pem"
    chain.write_text(certificate.read_text() + authority.certificate.read_text())
    with secured(certificate, key) as (port, sent):
        own = probe_own(("127.0.0.1", port), str(chain), "token")
        missing = probe_own(("127.0.0.1", port), str(tmp_path / "none.pem"), "token")
    with secured(*authority.issue()) as (port, others):
        other = probe_own(("127.0.0.1", port), str(chain), "token")
    gone = probe_own(("127.0.0.1", port), str(chain), "token")

    assert (own, sent) == (ProbeResult(True, "{}"), ["Bearer token", None])
    assert (other.ready, missing.ready, others) == (True, True, [None])
    assert other.text == f"{{}}\n(not verified: the certificate that was shown is not, or no longer, valid by {chain})"
    assert gone.text.startswith("no answer from 127.0.0.1")


def test_plain_http_where_tls_was_expected_is_said(authority: Authority) -> None:
    with served({"/readyz": (200, b"{}")}) as url:
        answered = probe(url.replace("http:", "https:"), None, Trust(authority.certificate))

    assert answered.text.endswith("TLS: wrong version number; does it speak plain HTTP?")
