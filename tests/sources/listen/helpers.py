"""What the plays of `kind = "listen"` share: a source that listens on loopback, and clients of it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from msgspec import structs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from steno.config import ListenSource as ListenConfig
from steno.config import Tls
from steno.core.facts import EventsMissed
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.sources.listen.source import ListenSource
from steno.sources.recorder import Recorder
from tests.sources.helpers import Stage, counted, until

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "another-token-0123456789"


class Play(Stage):
    """A source that listens, what was fed of it, and its clients."""

    def __init__(self, recorder: Recorder | None = None, **config: Any) -> None:
        super().__init__(recorder)
        self.frames: list[Frame] = []
        if "tls" in config:
            config["tls"] = Tls(**config["tls"])
        self.config = ListenConfig(name="push", kind="listen", **{"listen": "127.0.0.1:0", **config})
        self.source = ListenSource(self.config, self.sessions)
        feed = self.pipeline.feed

        def fed(stream: Stream, frame: Frame) -> None:
            self.frames.append(frame)
            feed(stream, frame)

        self.pipeline.feed = fed  # type: ignore[method-assign]  # looks at what is fed

    @asynccontextmanager
    async def running(self, *, ready: bool = True) -> AsyncIterator[None]:
        """Run the source, and stop it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.source.run)
            if ready:
                await until(lambda: self.source.ready)
            try:
                yield
            finally:
                await self.source.stop()

    @property
    def port(self) -> int:
        assert self.source.address
        return self.source.address[1]

    def url(self, query: str = "", path: str = "/v1/push") -> str:
        scheme = "wss" if self.source._certificate else "ws"
        return f"{scheme}://127.0.0.1:{self.port}{path}{query}"

    @asynccontextmanager
    async def client(
        self, query: str = "", token: str | None = None, **options: Any
    ) -> AsyncIterator[ClientConnection]:
        """Connect, and close in order."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options = {"additional_headers": headers, "proxy": None, "compression": None, "ping_interval": None, **options}
        async with connect(self.url(query), **options) as connection:
            yield connection

    async def refused(self, query: str = "", token: str | None = None, **options: Any) -> tuple[int, str, str]:
        """Return the status, code and message that a client is refused with."""
        try:
            async with self.client(query, token, **options):
                pass
        except InvalidStatus as refusal:
            response = refusal.response
            assert response.headers["Content-Type"] == "application/json"
            body = json.loads(bytes(response.body))["error"]
            return response.status_code, body["code"], body["message"]
        raise AssertionError("it was accepted")

    async def still_up(self, token: str | None = None, **options: Any) -> None:
        """Make sure that another client can push."""
        before = len(self.frames)
        async with self.client("", token, **options) as connection:
            await connection.send('{"type":"ping"}')
            await until(lambda: len(self.frames) > before)

    @property
    def outcomes(self) -> dict[str, float]:
        return counted({str(outcome): count for outcome, count in self.source.counters.handshakes.items()})

    @property
    def gaps(self) -> Mapping[str, float]:
        return counted({str(gap): count for gap, count in self.source.counters.gaps.items()})

    @property
    def ends(self) -> list[tuple[str, int | None, str | None]]:
        """How the streams ended."""
        return [(fact.reason, fact.code, fact.gap) for fact in self.closed]

    @property
    def missed(self) -> list[EventsMissed]:
        return [fact for fact in self.facts if isinstance(fact, EventsMissed)]

    async def reconfigure(self, **changes: Any) -> None:
        """Give the source another configuration."""
        self.config = structs.replace(self.config, **changes)
        await self.source.reconfigure(self.config)


def tokens_file(folder: Path, text: str) -> Path:
    """Write a file of tokens."""
    path = folder / "tokens"
    path.write_text(text)
    return path


async def asked(port: int, request: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Send something to the port, and return all that is answered until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=1 << 26)
    try:
        writer.write(request)
        with anyio.fail_after(20):
            return await reader.read()
    finally:
        writer.transport.abort()
