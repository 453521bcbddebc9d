"""What plays of a daemon in the process of the test share."""

import http.client
import json
from pathlib import Path
from typing import Any

import anyio.to_thread

from steno.app.daemon import Daemon
from steno.core.facts import Fact, Origin
from steno.pipeline import Sink


def emit_to(daemon: Daemon, sink: Sink) -> None:
    """Let a daemon emit what happens in conversations to `sink` besides."""
    emit = daemon.pipeline.registry._emit

    def emit_both(origin: Origin, fact: Fact) -> None:
        emit(origin, fact)
        sink.emit(origin, fact)

    daemon.pipeline.registry._emit = emit_both


async def get(daemon: Daemon, path: str) -> tuple[int, str]:
    """Return the status and the body of a response of the HTTP face."""

    def request() -> tuple[int, str]:
        connection = http.client.HTTPConnection(daemon.address, timeout=20)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    return await anyio.to_thread.run_sync(request)


def records_of_the_log(folder: Path) -> list[dict[str, Any]]:
    """Return all records of an audit log, in order."""
    segments = sorted(folder.glob("audit-*.jsonl"))
    return [json.loads(line) for segment in segments for line in segment.read_text().splitlines()]
