"""Those who ask the daemon over HTTP: Prometheus and a health check, which count on an answer, and others."""

import asyncio
import contextlib
import re
from time import monotonic
from typing import Final

import anyio
import anyio.abc

PATIENCE_SECONDS: Final = 30.0
SILENT: Final = 60
"""Clients that connect and say nothing, at a time."""
SLOW: Final = 4
"""Clients that ask for metrics and take them byte by byte."""
RUDE: Final = (
    b"\x16\x03\x01\x02\x00",
    b"POST /metrics HTTP/1.1\r\n\r\n",
    b"GET /readyz HTTP/1.1\r\nHost: evil.test\r\n\r\n",
)


class Answers:
    """What honest clients got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.text = ""
        """The last metrics."""
        self.scrapes = 0
        self.ready: dict[int, int] = {}
        """Status of `/readyz` to how often it came."""
        self.failed: list[str] = []
        """What kept an honest client from an answer."""
        self.longest_seconds = 0.0

    def value(self, series: str) -> float:
        """Return the value of `series` in the last metrics; 0 where it is not there."""
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def ask(self, path: str) -> tuple[int, str]:
        """Return status and body of one request; raises OSError, TimeoutError or ValueError."""
        with anyio.fail_after(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            finally:
                writer.close()
        return int(head.split(b" ", 2)[1]) if head else 0, body.decode()

    async def scrape(self) -> None:
        """Ask for the metrics once, and keep them."""
        began = monotonic()
        try:
            status, text = await self.ask("/metrics")
        except (OSError, ValueError) as error:
            self.failed.append(f"/metrics: {error!r}")
            return
        self.longest_seconds = max(self.longest_seconds, monotonic() - began)
        self.scrapes += 1
        if status == 200:
            self.text = text
        else:
            self.failed.append(f"/metrics: {status}")

    async def check(self) -> None:
        """Ask once whether it is ready."""
        try:
            status, _ = await self.ask("/readyz")
        except (OSError, ValueError) as error:
            self.failed.append(f"/readyz: {error!r}")
            return
        self.ready[status] = self.ready.get(status, 0) + 1
        if status not in {200, 503}:
            self.failed.append(f"/readyz: {status}")

    async def run(self, every_seconds: float) -> None:
        """Scrape and check until cancelled."""
        while True:
            await self.scrape()
            await self.check()
            await anyio.sleep(every_seconds)


async def crowd(port: int) -> None:
    """Hold silent, slow and rude connections, and make a new one for each that ends, until cancelled."""
    async with anyio.create_task_group() as tasks:
        for _ in range(SILENT):
            tasks.start_soon(_again, port, b"")
        for _ in range(SLOW):
            tasks.start_soon(_again, port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for said in RUDE:
            tasks.start_soon(_again, port, said)


async def _again(port: int, said: bytes) -> None:
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=64)
            try:
                writer.write(said)
                await _trickle(reader)
            finally:
                writer.close()
        await anyio.sleep(1)


async def _trickle(reader: asyncio.StreamReader) -> None:
    """Read to the end, a few bytes at a time."""
    while True:
        if not await reader.read(16):
            return
        await anyio.sleep(0.05)
