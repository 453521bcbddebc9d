"""The generated traffic: no two payloads alike, mostly deltas, and nothing that steno does not know."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import mix
from tools import revisions

FRAMES = 3_000


def events(lines: list[bytes]) -> list[dict[str, Any]]:
    decoded = map(json.loads, lines)
    return [line["data"] for line in decoded if line["dir"] == "received"]


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Another one gives others."""
    assert list(mix.lines(FRAMES, 1)) == list(mix.lines(FRAMES, 1))
    assert not set(mix.lines(FRAMES, 1)) & set(mix.lines(FRAMES, 2))


def test_every_payload_is_another() -> None:
    """So that no cache flatters, also across seeds."""
    payloads = [json.dumps(event) for seed in (1, 2) for event in events(list(mix.lines(FRAMES, seed)))]

    assert len(payloads) >= 2 * FRAMES
    assert [payload for payload, count in Counter(payloads).items() if count > 1] == []


def test_two_thirds_are_deltas() -> None:
    """Of text, transcripts, arguments and audio; every other kind of event is there too."""
    kinds = Counter(event.get("type") or event["event"] for event in events(list(mix.lines(4 * FRAMES))))

    deltas = {kind for kind in kinds if kind.endswith("delta")}
    assert 0.6 <= sum(kinds[kind] for kind in deltas) / kinds.total() <= 0.7
    assert {
        "response.output_text.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.function_call_arguments.delta",
        "conversation.item.input_audio_transcription.delta",
        "thread.message.delta",
        "thread.run.step.delta",
    } == deltas
    assert {
        "session.created",
        "response.done",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.truncated",
        "rate_limits.updated",
        "thread.run.requires_action",
        "thread.run.step.completed",
        "thread.message.completed",
        "thread.run.completed",
    } <= set(kinds)


def test_replay_knows_all_of_it(tmp_path: Path) -> None:
    """Nothing is malformed, unknown or out of place, and everything has a price."""
    recording = tmp_path / "mix.jsonl"
    lines = list(mix.lines(FRAMES))
    recording.write_bytes(b"".join(lines))

    done = subprocess.run(
        [sys.executable, "-m", "steno", "replay", recording],
        env=revisions.environment(revisions.ROOT),
        capture_output=True,
        text=True,
        check=True,
    )

    said = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    assert f"frames     {len(events(lines))}\n" in done.stdout
    assert {"responses", "runs", "tokens", "cost"} <= said
    assert not said & {"unknown", "malformed", "out", "unpriced"}
