"""TLS of the HTTP face: who is served and who is authorized by it, what is read again, and what holds nobody up."""

import asyncio
import http.client
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from steno.admin import server as server_module
from steno.admin.authorization import Authorization, Policy
from steno.admin.operations import DescribedRoute, Operation
from steno.admin.tls_face import TlsFace
from steno.certificates import CertificateError
from steno.config import SecretRef
from steno.errors import ConfigError
from tests.admin.faces import BEARER, JSON, TOKEN, Face, served
from tests.sources.certificates import Authority
from tests.sources.helpers import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("strangers"))


class Play:
    """A web configuration whose files are replaced, and a clock that is set by hand."""

    def __init__(self, folder: Path, authority: Authority, *lines: str) -> None:
        self.folder, self.authority = folder, authority
        self.file = folder / "web.yml"
        self.now = 1000.0
        self.put()
        self.write(*lines)
        self.tls = TlsFace(str(self.file), lambda: self.now)
        (folder / "token").write_text(TOKEN)
        self.authorization = Authorization(SecretRef(file=str(folder / "token")), Policy(), self.tls.clients)

    def put(self, **how: str) -> None:
        """Put another certificate in its place."""
        certificate, key = self.authority.issue(**how)
        shutil.copy(certificate, self.folder / "cert.pem")
        shutil.copy(key, self.folder / "key.pem")

    def write(self, *lines: str) -> None:
        """Write the configuration anew, with `lines` about clients."""
        own = ["tls_server_config:", "cert_file: cert.pem", "key_file: key.pem", *lines]
        self.file.write_text("\n  ".join(own) + "\n")
        self.now += 10

    def client(self, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts the authority, and shows a certificate and its key."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if shown:
            context.load_cert_chain(*shown)
        return context

    @asynccontextmanager
    async def served(self, shown: tuple[Path, Path] | None = None) -> AsyncIterator[Face]:
        async with served(self.authorization, None, self.tls, self.client(shown)) as face:
            yield face


def clients(authority: Authority, kind: str, *names: str) -> list[str]:
    lines = [f"client_auth_type: {kind}", f"client_ca_file: {authority.certificate}"]
    return [*lines, f"client_allowed_sans: [{', '.join(names)}]"] if names else lines


async def test_all_requests_go_over_tls(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    async with play.served() as face:
        metrics = await face.ask("/metrics", BEARER)
        stranger = await face.ask("/metrics")
        session = await face.ask("/v1/session", JSON, "POST", f'{{"token":"{TOKEN}"}}')

    assert (metrics.status, stranger.status) == (200, 401)
    assert session.headers["set-cookie"].endswith("; Secure")
    assert play.tls.expires == ssl.cert_time_to_seconds("Dec 31 23:59:59 2099 GMT")


@pytest.mark.parametrize(
    ("kind", "names", "shown", "statuses"),
    [
        ("VerifyClientCertIfGiven", [], False, [200, 401, 200]),
        ("VerifyClientCertIfGiven", [], True, [200, 200, 200]),
        ("VerifyClientCertIfGiven", ["other.example"], True, [200, 401, 200]),
        ("VerifyClientCertIfGiven", ["other.example", "127.0.0.1"], True, [200, 200, 200]),
        ("RequireAndVerifyClientCert", [], False, [200, 403, 403]),
        ("RequireAndVerifyClientCert", [], True, [200, 200, 200]),
        ("RequireAndVerifyClientCert", ["localhost"], True, [200, 200, 200]),
        ("RequireAndVerifyClientCert", ["other.example"], True, [200, 403, 403]),
    ],
)
async def test_a_certificate_of_a_client_authorizes(
    tmp_path: Path, authority: Authority, kind: str, names: list[str], shown: bool, statuses: list[int]
) -> None:
    """Probes need none: whoever probes has no certificate."""
    play = Play(tmp_path, authority, *clients(authority, kind, *names))
    async with play.served(authority.issue(use="clientAuth") if shown else None) as face:
        answered = [await face.ask("/readyz"), await face.ask("/metrics"), await face.ask("/metrics", BEARER)]

    assert [each.status for each in answered] == statuses


async def test_a_certificate_of_strangers_is_refused_within_tls(
    tmp_path: Path, authority: Authority, strangers: Authority
) -> None:
    play = Play(tmp_path, authority, *clients(authority, "VerifyClientCertIfGiven"))
    async with play.served(strangers.issue(use="clientAuth")) as face:
        with pytest.raises((OSError, http.client.HTTPException)):
            await face.ask("/readyz")

    assert face.counted() == {"tls": 1}


async def test_silent_clients_stop_no_scrape(tmp_path: Path, authority: Authority) -> None:
    """Sixteen are in their handshake at a time; past them the oldest goes, and whoever asks is answered."""
    play = Play(tmp_path, authority)
    async with play.served() as face:
        silent = [socket.create_connection(("127.0.0.1", face.port)) for _ in range(40)]
        first, second = await face.ask("/healthz"), await face.ask("/healthz")
        for each in silent:
            each.close()

    assert (first.status, second.status, face.counted()["crowded"]) == (200, 200, 40 - 16 + 1)


async def test_a_handshake_has_its_time(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    async with play.served() as face:
        face.table.head_seconds = 0.05
        reader, writer = await asyncio.open_connection("127.0.0.1", face.port)
        left = await reader.read()
        writer.close()

    assert (left, face.counted()) == (b"", {"silent": 1})


async def test_what_speaks_no_tls_is_ended(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    async with play.served() as face:
        reader, writer = await asyncio.open_connection("127.0.0.1", face.port)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        left = await reader.read()
        writer.close()

    assert (b"HTTP" in left, face.counted()) == (False, {"tls": 1})


async def test_a_client_that_leaves_at_once_leaves_nothing(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    async with play.served() as face:
        for _ in range(5):
            socket.create_connection(("127.0.0.1", face.port)).close()
        answered = await face.ask("/healthz")
        await until(lambda: len(face.table) == 0)

    assert answered.status == 200


async def test_what_waits_for_a_client_is_counted_beneath_tls(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response that is not taken stands in the transport that carries TLS, and there is a bound over all of them."""
    monkeypatch.setattr("steno.admin.connections.UNSENT_BYTES", 40_000_000)
    size = 16_000_000

    async def large(_request: Request) -> Response:
        return Response(b"x" * size)

    play = Play(tmp_path, authority)
    route = DescribedRoute("/large", large, Operation(summary="", access="open"))
    async with served(play.authorization, [route], play.tls) as face:
        greedy = []
        for _ in range(5):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", face.port, ssl=play.client(), server_hostname="localhost", limit=1024
            )
            writer.write(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            greedy.append((reader, writer))
        await until(lambda: face.counted().get("crowded", 0) >= 2)
        for _, writer in greedy:
            writer.transport.abort()


async def test_files_are_read_again_and_a_bad_one_keeps_the_former(tmp_path: Path, authority: Authority) -> None:
    play = Play(tmp_path, authority)
    first = play.tls.context()

    play.put()
    play.now += 2
    second = play.tls.context()
    with capture_logs() as logged:
        play.write("basic_auth_users: {me: x}")
        third = play.tls.context()
        (tmp_path / "cert.pem").write_text("no certificate")
        play.now += 2
        fourth = play.tls.context()
    play.put()
    play.write("min_version: TLS13")
    fifth = play.tls.context()

    assert (first is second, second is third, third is fourth, fourth is fifth) == (False, True, True, False)
    assert [line["event"] for line in logged] == [
        "the web configuration is wrong; the former one stays in use",
        "the certificate cannot be used; the former one stays in use",
    ]
    assert "tls_server_config.basic_auth_users: is unknown" in logged[0]["faults"][0]
    assert fifth.minimum_version == ssl.TLSVersion.TLSv1_3


async def test_who_is_allowed_changes_with_the_file(tmp_path: Path, authority: Authority) -> None:
    """Also for a connection that is open: a name that was taken out is worth nothing with its next request."""
    shown = authority.issue(use="clientAuth")
    play = Play(tmp_path, authority, *clients(authority, "VerifyClientCertIfGiven", "localhost"))
    async with play.served() as face:
        context = play.client(shown)
        reader, writer = await asyncio.open_connection("127.0.0.1", face.port, ssl=context, server_hostname="localhost")

        async def ask() -> bytes:
            writer.write(b"GET /v1/session HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            return await reader.readuntil(b"}")

        before = await ask()
        play.write(*clients(authority, "VerifyClientCertIfGiven", "other.example"))
        await face.ask("/healthz")
        after = await ask()
        writer.close()

    assert (before, after) == (b'{"authorized":true}', b'{"authorized":false}')


async def test_a_wrong_configuration_does_not_start_and_a_bad_certificate_does(
    tmp_path: Path, authority: Authority
) -> None:
    """The second is mended while the daemon records; until then nothing can be asked of it."""
    play = Play(tmp_path, authority)
    play.write("min_version: TLS10")
    with pytest.raises(ConfigError, match="min_version"):
        TlsFace(str(play.file))
    play.write()
    play.put(begins="20200101000000Z", ends="20210101000000Z")
    with capture_logs() as logged:
        expired = TlsFace(str(play.file))
        with pytest.raises(CertificateError, match="expired"):
            expired.context()

    assert ([line["reason"] for line in logged], expired.expires) == (["expired"], None)
    play.tls = expired
    async with play.served() as face:
        with pytest.raises(OSError, match=r"EOF|reset|closed"):
            await face.ask("/healthz")

    assert face.counted() == {"tls": 1}


async def test_a_stop_ends_handshakes(tmp_path: Path, authority: Authority) -> None:
    """The daemon does not wait for who says nothing."""
    play = Play(tmp_path, authority)
    async with play.served() as face:
        reader, writer = await asyncio.open_connection("127.0.0.1", face.port)
        await face.ask("/healthz")
    left = await reader.read()
    writer.close()

    assert (left, server_module.GRACE_SECONDS) == (b"", 1)
