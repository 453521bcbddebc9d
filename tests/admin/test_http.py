"""The HTTP face, asked by a real client over a real socket."""

import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry, Gauge

from steno.admin.http import Condition, HttpServer, application, bind
from steno.admin.probe import Answer, probe, readiness_url
from steno.errors import UnavailableError, UsageError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Face:
    """A server whose health a test decides."""

    def __init__(self) -> None:
        self.health = Condition(True, {"loop": True})
        self.readiness = Condition(False, {"sources": {"relay": False}})
        self.port = 0

    def request(self, method: str, path: str, accept: str = "") -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={"Accept": accept} if accept else {})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, response.headers["Content-Type"], body

    async def ask(self, path: str, method: str = "GET", accept: str = "") -> tuple[int, str, str]:
        return await anyio.to_thread.run_sync(self.request, method, path, accept)


@asynccontextmanager
async def face() -> AsyncIterator[Face]:
    registry = CollectorRegistry()
    Gauge("steno_build_info", "The version.", registry=registry).set(1)
    served = Face()
    with bind("127.0.0.1", 0) as sock:
        served.port = sock.getsockname()[1]
        server = HttpServer(application(registry, lambda: served.health, lambda: served.readiness), sock)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run)
            yield served
            server.stop()


async def test_metrics_in_the_text_format() -> None:
    """Prometheus gets what it asks for; a browser gets text."""
    async with face() as served:
        status, kind, body = await served.ask("/metrics")
        _, openmetrics, _ = await served.ask("/metrics", accept="application/openmetrics-text; version=1.0.0")

    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert "steno_build_info 1.0" in body
    assert openmetrics.startswith("application/openmetrics-text")


async def test_health_and_readiness_are_two_things() -> None:
    """Upstream being away makes a daemon unready, not unhealthy."""
    async with face() as served:
        health = await served.ask("/healthz")
        ready = await served.ask("/readyz")

    assert (health[0], json.loads(health[2])) == (200, {"ok": True, "loop": True})
    assert (ready[0], json.loads(ready[2])) == (503, {"ok": False, "sources": {"relay": False}})


@pytest.mark.parametrize(
    ("method", "path", "status"), [("HEAD", "/metrics", 200), ("GET", "/", 404), ("POST", "/metrics", 405)]
)
async def test_other_requests(method: str, path: str, status: int) -> None:
    """HEAD is answered, what is not there is not found, and nothing can be posted."""
    async with face() as served:
        answer = await served.ask(path, method)

    assert answer[0] == status


async def test_silent_clients_do_not_stop_a_scrape() -> None:
    """Whoever connects and says nothing keeps nobody else from an answer."""
    async with face() as served:
        silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(50)]
        status, _, _ = await served.ask("/metrics")
        for each in silent:
            each.close()

    assert status == 200


async def test_probe() -> None:
    """`steno health` is told what the daemon says, or that nobody answers."""
    async with face() as served:
        unready = await anyio.to_thread.run_sync(probe, f"http://127.0.0.1:{served.port}/readyz")
        served.readiness = Condition(True, {})
        ready = await anyio.to_thread.run_sync(probe, f"http://127.0.0.1:{served.port}")
    gone = probe(f"http://127.0.0.1:{served.port}/readyz")

    assert (unready.ready, ready) == (False, Answer(True, '{"ok":true}'))
    assert gone == Answer(False, "no answer from 127.0.0.1: ConnectionRefusedError")


def test_probe_refuses_what_is_no_http_url() -> None:
    """A URL that cannot be asked is the caller's mistake."""
    with pytest.raises(UsageError):
        probe("wss://relay.example")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("127.0.0.1", 9464), "http://127.0.0.1:9464/readyz"),
        (("0.0.0.0", 80), "http://127.0.0.1:80/readyz"),  # noqa: S104  # it is only a word here
        (("::", 9464), "http://[::1]:9464/readyz"),
    ],
)
def test_where_a_daemon_is_asked(address: tuple[str, int], url: str) -> None:
    """An address that means all interfaces is asked on loopback."""
    assert readiness_url(address) == url


def test_taken_port_is_named() -> None:
    """An operator reads which address is taken."""
    with bind("127.0.0.1", 0) as sock, pytest.raises(UnavailableError, match=r"cannot listen on 127\.0\.0\.1:\d+"):
        bind("127.0.0.1", sock.getsockname()[1])
