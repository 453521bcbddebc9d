"""TLS with a certificate made on the spot."""

import ssl
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from steno.errors import UnavailableError
from steno.simulate.tls import certified
from tests.simulate.clients import request, simulated, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_client_that_trusts_the_authority_is_served(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    context = certified(authority, "127.0.0.1")
    trusting = ssl.create_default_context(cafile=str(authority))
    async with simulated(tls=context) as running:
        target = running.url("/v1/realtime?model=m")
        async with connect(target, ssl=trusting) as connection:
            [created] = await until(connection, "session.created")
        reply = await request(running, "POST", "/v1/threads", {}, tls=trusting)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(target, ssl=ssl.create_default_context())

    assert target.startswith("wss://")
    assert created["session"]["model"] == "m"
    assert reply.status == 200


def test_only_the_certificate_of_the_authority_is_written(tmp_path: Path) -> None:
    certified(tmp_path / "ca.pem", "::1")

    assert [file.name for file in tmp_path.iterdir()] == ["ca.pem"]
    assert "PRIVATE" not in (tmp_path / "ca.pem").read_text()


def test_without_its_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)

    with pytest.raises(UnavailableError, match=r'pip install "steno\[simulate\]"'):
        certified(tmp_path / "ca.pem", "127.0.0.1")
