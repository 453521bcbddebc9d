"""A real Prometheus scrapes a real daemon: it takes the form that it asks for, and keeps exemplars and units."""

import http.client
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio.to_thread
import pytest

from tests.processes import running, upstream, wait_until
from tests.recordings import frames

pytestmark = pytest.mark.anyio

SCRAPE = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: steno
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""
CONFIG = """
[http]
listen = "127.0.0.1:0"
exemplars = true
[[sources]]
name = "relay"
kind = "connect"
url = "{url}"
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Prometheus:
    """A server of a test."""

    def __init__(self, log: Path) -> None:
        self._log = log

    @property
    def port(self) -> int | None:
        """Where it listens, once it does: it takes a free port, and says in its log which one."""
        for line in self._log.read_text().splitlines():
            if "Listening on" in line and "address=127.0.0.1:" in line:
                return int(line.split("address=127.0.0.1:")[1].split()[0])
        return None

    def ask(self, path: str) -> Any:
        """Return the data of an answer of its API; nothing while it does not listen."""
        if self.port is None:
            return None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())["data"]
        except OSError:
            return None
        finally:
            connection.close()


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    """Run a server that scrapes the port `target`."""
    (folder / "prometheus.yml").write_text(SCRAPE.format(port=target))
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        "--web.listen-address=127.0.0.1:0", "--enable-feature=exemplar-storage",
    ]  # fmt: skip
    log = folder / "prometheus.log"
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            yield Prometheus(log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


async def test_a_prometheus_takes_what_the_daemon_gives(tmp_path: Path) -> None:
    query = f"/api/v1/query_exemplars?query={quote('steno_turn_latency_seconds_bucket')}&start=0&end=9999999999"
    async with upstream(frames("voice"), hang_up=False) as (_, url):
        config = tmp_path / "steno.toml"
        config.write_text(CONFIG.format(url=url))
        with running(config) as daemon, prometheus(tmp_path, daemon.port) as server:
            await wait_until(lambda: server.ask(query))
            exemplars = await anyio.to_thread.run_sync(server.ask, query)
            units = await anyio.to_thread.run_sync(server.ask, "/api/v1/metadata?metric=steno_turn_latency_seconds")
            targets = await anyio.to_thread.run_sync(server.ask, "/api/v1/targets")

    (target,) = targets["activeTargets"]
    shown = {each["labels"]["conversation"] for series in exemplars for each in series["exemplars"]}
    assert (target["health"], target["lastError"]) == ("up", "")
    assert [key.split("/")[0] for key in shown] == ["relay"] * len(shown)
    assert units["steno_turn_latency_seconds"][0]["unit"] == "seconds"
