"""Spans in a real backend, Phoenix, which takes no metrics. `make test-operations PHOENIX=1` installs it."""

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.processes import running, wait_for
from tests.recordings import recording

PHOENIX: Final = Path(__file__).parents[2] / "build/operations/phoenix/bin/phoenix"
pytestmark = pytest.mark.skipif(
    not PHOENIX.exists(), reason="Phoenix is not installed: make test-operations PHOENIX=1 does that (600 MB)"
)
START_SECONDS: Final = 300
"""It loads much before it listens."""
CONFIG: Final = """
[http]
listen = "127.0.0.1:0"
[otel]
endpoint = "{url}"
metrics = false
ids = true
[[sources]]
name = "desk"
kind = "follow"
path = "{folder}/voice.jsonl"
start = "beginning"
labels = {{ team = "sales" }}
[[sources]]
name = "office"
kind = "follow"
path = "{folder}/assistants.jsonl"
start = "beginning"
labels = {{ team = "service" }}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as reply:  # noqa: S310  # of a server of this test
        return json.loads(reply.read())


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    """Run Phoenix with a store of its own; yield its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {
        "PHOENIX_WORKING_DIR": str(tmp_path / "phoenix"),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with (tmp_path / "phoenix.log").open("w") as log:
        process = subprocess.Popen(
            [PHOENIX, "serve"], stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environ}
        )

        def listens() -> bool:
            with suppress(OSError):
                ask(f"{url}/v1/projects")
                return True
            assert process.poll() is None, (tmp_path / "phoenix.log").read_text()
            return False

        try:
            wait_for(listens, START_SECONDS)
            yield url
        finally:
            process.terminate()
            process.wait()


def ended(folder: Path, kind: str) -> set[str]:
    """Return the ids of the responses, or the runs, that ended in a recording."""
    of = {"voice": ("response.done", "response"), "assistants": ("thread.run.", "data")}
    word, member = of[kind]
    events = [json.loads(line)["data"] for line in (folder / f"{kind}.jsonl").read_text().splitlines()]
    final = ("completed", "failed", "cancelled", "incomplete", "expired")
    return {
        event[member]["id"]
        for event in events
        if (name := event.get("type") or event.get("event") or "").startswith(word)
        if kind == "voice" or name.removeprefix(word) in final
    }


def test_a_backend_takes_the_spans_of_calls_and_runs(phoenix: str, tmp_path: Path) -> None:
    """Each that ended is there once, under a parent that is there as well, with what the conventions have names for."""
    for kind in ("voice", "assistants"):
        (tmp_path / f"{kind}.jsonl").write_bytes(recording(kind))
    config = tmp_path / "steno.toml"
    config.write_text(CONFIG.format(url=phoenix, folder=tmp_path))
    responses, runs = ended(tmp_path, "voice"), ended(tmp_path, "assistants")

    def spans() -> list[dict[str, Any]]:
        return list(ask(f"{phoenix}/v1/projects/default/spans?limit=1000")["data"])

    def found(name: str) -> set[str]:
        return {span["attributes"][name] for span in spans() if name in span["attributes"]}

    with running(config) as daemon:
        wait_for(lambda: daemon.metric('steno_otel_exports_total{kind="spans"}') > 0)
        assert daemon.stop() == 0
    assert not [line for line in daemon.lines() if line["level"] in {"warning", "error"} and "otel" in str(line)]
    wait_for(lambda: responses <= found("gen_ai.response.id") and runs <= found("steno.run.id"))

    taken = spans()
    known = {span["context"]["span_id"] for span in taken}
    assert len(known) == len(taken)
    assert {span["parent_id"] for span in taken} - known == {None}
    assert sum(span["parent_id"] is not None for span in taken) > len(taken) / 3
    assert responses
    assert runs
    for span in taken:
        shown = span["attributes"]
        assert shown["session.id"] == shown["gen_ai.conversation.id"]  # what Phoenix makes of the convention
        assert (span["status_code"] == "ERROR") == (shown["steno.status"] in {"failed", "expired"})
        assert shown["steno.label.team"] == {"desk": "sales", "office": "service"}[shown["steno.source"]]
        assert span["start_time"] <= span["end_time"]
