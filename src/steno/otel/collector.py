"""One request to a collector: posted, answered, and over within a time.

A peer of which nothing is known: it may be down, hang at any point, send a byte a second, answer nonsense, or be
somebody else. So each request has a connection of its own, one deadline over all of it, and a limit on what is read. No
redirect is followed, since headers are secrets for the configured server alone; no proxy and no setting is taken from
the environment. What a server says is never repeated: an error has one of `REASONS`.
"""

import gzip
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from time import monotonic, time
from typing import Final
from urllib.parse import urlsplit

from steno import __version__
from steno.config.schema import Otel
from steno.errors import ConfigError
from steno.sources.retry_after import wait_of
from steno.sources.trust import client_context, read_headers

CONNECTION: Final = "connection"
TLS: Final = "tls"
TIMEOUT: Final = "timeout"
THROTTLED: Final = "throttled"
UNAVAILABLE: Final = "unavailable"
REFUSED: Final = "refused"
ANSWER: Final = "answer"
SETTINGS: Final = "settings"
INTERNAL: Final = "internal"
REASONS: Final = (CONNECTION, TLS, TIMEOUT, THROTTLED, UNAVAILABLE, REFUSED, ANSWER, SETTINGS, INTERNAL)
"""Why an export failed. `connection`: nobody there, or it broke off. `throttled`: 429. `unavailable`: 502, 503, 504.
`refused`: any other status. `answer`: nonsense. `settings`: a header's place or `ca_file` cannot be read. `internal`: a
mistake of ours."""
REPLY_BYTES: Final = 64 * 1024
"""What is read of an answer. A collector's is empty, or says in a sentence what it did not take."""
_PORTS: Final = {"http": 80, "https": 443}
_AGAIN: Final[Mapping[int, str]] = {429: THROTTLED, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: UNAVAILABLE}
"""The statuses after which OTLP has a request sent again, and no others."""


class ExportError(Exception):
    """A request was not taken."""

    def __init__(self, reason: str, detail: str, *, again: bool, wait: float | None = None) -> None:
        """Say why.

        Args:
            reason: one of `REASONS`.
            detail: words for the operational log.
            again: whether the same request may be taken later.
            wait: after how many seconds, where the server says so.
        """
        super().__init__(detail)
        self.reason = reason
        self.again = again
        self.wait = wait


class Collector:
    """Where `otel.endpoint` leads to."""

    def __init__(self, otel: Otel) -> None:
        """Connect to nothing yet. Headers and certificates are read at each request."""
        parts = urlsplit(otel.endpoint or "")
        self._otel = otel
        self._secure = parts.scheme == "https"
        self._authority = parts.netloc
        self._address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        self._path = parts.path.rstrip("/")

    def post(self, path: str, body: bytes, seconds: float) -> bytes:
        """Post `body` to `path` below the endpoint; return the answer's body. Raises ExportError.

        All of it takes `seconds` at most, but for the look-up of the host's name, which has the resolver's own limit.
        """
        try:
            headers = self._headers()
            context = client_context(self._otel.ca_file) if self._secure else None
        except ConfigError as error:
            raise ExportError(SETTINGS, str(error), again=True) from None
        deadline = monotonic() + seconds
        try:
            with self._connected(context, deadline) as sock:
                answer = _exchange(sock, self._path + path, body, headers)
            if monotonic() >= deadline:  # what was cut off may look whole, as headers without their end do
                raise TimeoutError
            return answer
        except ssl.SSLCertVerificationError as error:
            raise ExportError(TLS, f"its certificate is not trusted: {error.verify_message}", again=True) from None
        except (OSError, http.client.HTTPException) as error:
            raise _failure(error, late=monotonic() >= deadline) from None

    def _headers(self) -> dict[str, str]:
        return {
            **read_headers(self._otel.headers),
            "Host": self._authority,
            "User-Agent": f"steno/{__version__}",
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "Connection": "close",
        }

    @contextmanager
    def _connected(self, context: ssl.SSLContext | None, deadline: float) -> Iterator[socket.socket]:
        """Connect, and hang up at the deadline: a limit on each read would let a slow peer take any time."""
        sock = _connect(self._address, deadline)
        try:
            if context is not None:
                sock = context.wrap_socket(sock, server_hostname=self._address[0], do_handshake_on_connect=False)
            timer = Timer(max(0.0, deadline - monotonic()), _hang_up, (sock,))
            timer.daemon = True
            timer.start()
            try:
                if isinstance(sock, ssl.SSLSocket):
                    sock.do_handshake()
                yield sock
            finally:
                timer.cancel()
        finally:
            sock.close()


def _connect(address: tuple[str, int], deadline: float) -> socket.socket:
    """Return a connection to the first address of a host that takes one. Raises OSError."""
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(0.001, deadline - monotonic()))  # 0 would mean: at once or not at all
            sock.connect(place)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _hang_up(sock: socket.socket) -> None:
    """End the connection below TLS, so that whoever reads it is woken."""
    with suppress(OSError):  # it is over already
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _exchange(sock: socket.socket, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Send a request, and return the body of an answer that takes it."""
    connection = http.client.HTTPConnection("")  # which is not to connect: it has its socket
    connection.sock = sock
    connection.request("POST", path, gzip.compress(body, compresslevel=1, mtime=0), dict(headers))
    with connection.getresponse() as answer:
        if answer.status not in range(200, 300):
            raise _refusal(answer)
        read = answer.read(REPLY_BYTES + 1)
        if answer.length and len(read) <= REPLY_BYTES:  # a read of so many bytes does not raise where there are less
            raise http.client.IncompleteRead(read)
        kind = (answer.headers.get_content_type() or "").lower()
    if len(read) > REPLY_BYTES or (read and kind == "text/html"):
        raise ExportError(ANSWER, "it answers something else than a collector would", again=False)
    return b"" if kind == "application/json" else read


def _refusal(answer: http.client.HTTPResponse) -> ExportError:
    reason = _AGAIN.get(answer.status)
    wait = wait_of(answer.headers.get_all("Retry-After", []), time()) if reason else None
    return ExportError(reason or REFUSED, f"it answers {answer.status}", again=reason is not None, wait=wait)


def _failure(error: OSError | http.client.HTTPException, *, late: bool) -> ExportError:
    """Return what an error of the connection means; `late`: the deadline is over, which may show as any of them."""
    if late or isinstance(error, TimeoutError):
        return ExportError(TIMEOUT, "it does not answer in time", again=True)
    if isinstance(error, ssl.SSLError):
        return ExportError(TLS, "TLS with it fails", again=True)
    if isinstance(error, OSError):  # also http.client.RemoteDisconnected, which is both
        words = error.strerror or type(error).__name__
        return ExportError(CONNECTION, f"no connection: {words.lower()}", again=True)
    return ExportError(ANSWER, "it does not speak HTTP", again=True)
