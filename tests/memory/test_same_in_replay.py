"""What a daemon evicted for the sake of memory, a replay of its recording evicts as well: state and records agree."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import pytest

from tests.memory.plays import enveloped, event, item, session
from tests.processes import running, steno, upstream, wait_until

pytestmark = pytest.mark.anyio

LIMITS: Final = """
[limits]
memory_bytes = 4_194_304
kept_objects = 64
object_bytes = 65_536
transcript_bytes = 65_536
"""
"""2 MiB for all conversations. `steno replay` keeps to them too where they stand in the file."""
CONVERSATIONS: Final = 300


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def frames() -> Iterator[str]:
    """Conversations that take turns, each with texts, objects, and deltas that lead to no fact."""
    chance = random.Random(7)
    for number in range(2_000):
        subject = f"call-{min(number // 5, CONVERSATIONS - 1) - chance.randrange(20)}"
        response = {"id": f"resp_{number}", "status": "completed", "output": [], "note": "x" * chance.randrange(9_000)}
        said = (
            session(number, subject),
            item(number, "\N{GRINNING FACE} said" * chance.randrange(300)),
            event("response.created", number, response={"id": f"open_{number}"}),
            event(
                "response.output_text.delta", number, response_id=f"open_{number}", item_id="item", delta="word " * 40
            ),
            event("response.done", number, response=response),
        )
        yield enveloped(subject, number, chance.choice(said))


def state(path: Path) -> list[dict[str, Any]]:
    """The conversations that were evicted, without the names that a live stream has."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    evicted = [line for line in lines if line.get("closed_reason") == "evicted"]
    return [{**line, "key": line["key"].partition("/")[2], "stream": None} for line in evicted]


def records(folder: Path) -> list[tuple[str, str | None, Any]]:
    """Fact, conversation and body of each record up to the end of the stream."""
    segments = sorted(folder.glob("audit-*.jsonl"))
    lines = [json.loads(line) for each in segments for line in each.read_text(encoding="utf-8").splitlines()]
    (end,) = [number for number, line in enumerate(lines) if line["fact"] == "stream.closed"]
    return [
        (line["fact"], (line["conversation"] or "").partition("/")[2], line["body"])
        for line in lines[:end]
        if not line["fact"].startswith(("log.", "daemon.", "stream."))
    ]


async def test_replay_evicts_what_the_daemon_evicted(tmp_path: Path) -> None:
    """Objects and conversations alike, in the same order."""
    config = tmp_path / "steno.toml"
    sent = list(frames())
    evicted = 'steno_conversations_closed_total{family="realtime",reason="evicted",source="desk"}'
    async with upstream(sent, hang_up=True) as (_, url):
        audit = f'directory = "{tmp_path}/audit"\nqueue_bytes = 1_048_576\ncontent = "full"\n'
        source = f'name = "desk"\nkind = "connect"\nurl = "{url}"\nframe_bytes = 1_048_576\n'
        config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[audit]\n{audit}{LIMITS}[[sources]]\n{source}')
        with running(config, "--record", tmp_path / "frames", "--state", tmp_path / "live.jsonl") as daemon:
            ended = 'steno_connect_attempts_total{reason="server_error",source="desk"}'
            await wait_until(lambda: daemon.metric(ended))
            closed, dropped = daemon.metric(evicted), daemon.metric("steno_evicted_objects_total")
            await anyio.to_thread.run_sync(daemon.stop)
    (recording,) = (tmp_path / "frames").glob("*.jsonl")
    outputs = ("--state", tmp_path / "again.jsonl", "--audit", tmp_path / "again", "--metrics", tmp_path / "again.prom")
    done = await anyio.to_thread.run_sync(lambda: steno("replay", recording, "-c", config, *outputs))

    assert (done.returncode, closed > 50, dropped > 50) == (0, True, True)
    replayed = evicted.replace("desk", "replay")
    assert f"{replayed} {closed}" in (tmp_path / "again.prom").read_text(encoding="utf-8").splitlines()
    assert len(state(tmp_path / "live.jsonl")) == closed
    assert state(tmp_path / "again.jsonl") == state(tmp_path / "live.jsonl")
    assert records(tmp_path / "again") == records(tmp_path / "audit")


def test_replay_without_a_limit_of_its_own_keeps_all(tmp_path: Path) -> None:
    """Its help says what that may take."""
    recording = tmp_path / "recording.jsonl"
    recording.write_text("\n".join(json.dumps({"data": json.loads(each), "dir": "received"}) for each in frames()))
    done = steno("replay", recording, "--state", tmp_path / "state.jsonl", STENO_CONFIG="")
    shown = " ".join(steno("replay", "--help").stdout.decode().split())

    assert done.returncode == 0
    assert state(tmp_path / "state.jsonl") == []
    assert "it may take" in shown
    assert "limits.memory_bytes" in shown
