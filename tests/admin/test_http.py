"""The HTTP face, with a real client over a real socket."""

import asyncio
import gzip
import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry, Gauge

from steno.admin.authorization import Authorization, Policy
from steno.admin.connections import ConnectionTable
from steno.admin.http import CheckResult, application, bind
from steno.admin.probe import ProbeResult, probe
from steno.admin.server import HttpServer
from steno.config import SecretRef
from steno.errors import UnavailableError
from tests.admin import faces

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Face:
    """A server whose checks a test decides."""

    def __init__(self) -> None:
        self.health = CheckResult(True, {"loop": True})
        self.readiness = CheckResult(False, {"sources": {"relay": False}})
        self.port = 0

    def ready(self, *, detailed: bool) -> CheckResult:
        details = {"details": {"relay": "HTTP 401"}} if detailed else {}
        return CheckResult(self.readiness.ok, {**self.readiness.detail, **details})

    def _request(self, method: str, path: str, accept: str = "") -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={"Accept": accept} if accept else {})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, response.headers["Content-Type"], body

    async def request(self, path: str, method: str = "GET", accept: str = "") -> tuple[int, str, str]:
        """Return the status, the content type and the body of a response."""
        return await anyio.to_thread.run_sync(self._request, method, path, accept)


@asynccontextmanager
async def face() -> AsyncIterator[Face]:
    """Serve one metric and the checks."""
    registry = CollectorRegistry()
    Gauge("steno_build_info", "The version.", registry=registry).set(1)
    served = Face()
    with bind("127.0.0.1", 0) as sock:
        served.port = sock.getsockname()[1]
        app = application(
            registry,
            lambda: served.health,
            served.ready,
            Authorization(SecretRef(env="STENO_TEST_TOKEN"), Policy(private=True)),
        )
        server = HttpServer(app, sock, ConnectionTable(256, 10.0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run)
            yield served
            server.stop()


async def test_metrics_in_the_text_format() -> None:
    """Prometheus gets the format that it accepts; a browser gets text."""
    async with face() as served:
        status, kind, body = await served.request("/metrics")
        _, openmetrics, _ = await served.request("/metrics", accept="application/openmetrics-text; version=1.0.0")

    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert "steno_build_info 1.0" in body
    assert openmetrics.startswith("application/openmetrics-text")


async def test_metrics_are_compressed_where_that_is_asked_for() -> None:
    async with face() as served:

        def ask() -> tuple[str | None, str | None, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            body = response.read()
            connection.close()
            return response.headers["Content-Encoding"], response.headers["Vary"], body

        encoding, vary, body = await anyio.to_thread.run_sync(ask)

    assert (encoding, vary) == ("gzip", "Accept, Accept-Encoding")
    assert b"steno_build_info 1.0" in gzip.decompress(body)


async def test_health_and_readiness_are_two_things() -> None:
    """A daemon whose upstream is away is not ready, but healthy."""
    async with face() as served:
        health = await served.request("/healthz")
        ready = await served.request("/readyz")

    assert (health[0], json.loads(health[2])) == (200, {"ok": True, "loop": True})
    assert (ready[0], json.loads(ready[2])) == (503, {"ok": False, "sources": {"relay": False}})


async def test_details_are_for_who_has_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_TEST_TOKEN", "first-token")
    async with face() as served:
        url = f"http://127.0.0.1:{served.port}"
        ask = partial(anyio.to_thread.run_sync, probe, url)
        anyone, wrong, allowed = await ask(), await ask("second-token"), await ask("first-token")

    assert anyone == wrong == ProbeResult(False, '{"ok":false,"sources":{"relay":false}}')
    assert json.loads(allowed.text)["details"] == {"relay": "HTTP 401"}


@pytest.mark.parametrize(
    ("method", "path", "status"), [("HEAD", "/metrics", 200), ("GET", "/", 404), ("POST", "/metrics", 405)]
)
async def test_other_requests(method: str, path: str, status: int) -> None:
    """HEAD gets a response, an unknown path is not found, and nothing can be posted."""
    async with face() as served:
        response = await served.request(path, method)

    assert response[0] == status


async def test_what_may_be_asked_at_a_path_is_said() -> None:
    """All of it, though each method has a route of its own."""
    async with faces.served(Authorization(None, Policy(private=True))) as served:
        answered = [await served.ask(path, {}, "PUT") for path in ("/v1/session", "/metrics")]

    assert [(each.status, each.headers["allow"]) for each in answered] == [
        (405, "DELETE, GET, HEAD, POST"),
        (405, "GET, HEAD"),
    ]


async def test_silent_clients_do_not_stop_a_scrape() -> None:
    """A client that connects and sends nothing keeps no other from a response."""
    async with face() as served:
        silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(50)]
        status, _, _ = await served.request("/metrics")
        for each in silent:
            each.close()

    assert status == 200


def test_taken_port_is_named() -> None:
    """The error names the address."""
    with bind("127.0.0.1", 0) as sock, pytest.raises(UnavailableError, match=r"cannot listen on 127\.0\.0\.1:\d+"):
        bind("127.0.0.1", sock.getsockname()[1])


async def test_a_client_that_left_before_it_was_served_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: object) -> None:
        raise ConnectionResetError

    async with face() as served:
        monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", gone)
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            left = await anyio.to_thread.run_sync(client.recv, 1)
        monkeypatch.undo()
        status, _, _ = await served.request("/metrics")

    assert (left, status) == (b"", 200)
