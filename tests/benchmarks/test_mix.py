"""The generated traffic: no two payloads alike, composed as promised, and nothing that steno does not know."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import mix
from benchmarks.traffic import RECEIVED
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


def test_it_is_composed_as_it_says() -> None:
    """In frames: transcripts and texts 40 %, audio 25 %, arguments 10 %. Their sizes are those of providers."""
    payloads = received(mix.lines(12_000))

    kinds = Counter(map(kind_of, payloads))
    shares = {kind: count / len(payloads) for kind, count in kinds.items()}
    sizes = {kind: sum(len(each) for each in payloads if kind_of(each) == kind) / kinds[kind] for kind in kinds}
    assert shares == {
        "texts": pytest.approx(0.40, abs=0.03),
        "audio": pytest.approx(0.25, abs=0.03),
        "arguments": pytest.approx(0.10, abs=0.03),
        "rest": pytest.approx(0.25, abs=0.03),
    }
    assert sizes["texts"] == pytest.approx(250, abs=10)
    assert sizes["audio"] == pytest.approx(8_192, abs=100)


def received(lines: Iterable[bytes]) -> list[bytes]:
    return [line.partition(b'"data":')[2][:-2] for line in lines if line.startswith(RECEIVED)]


def kind_of(payload: bytes) -> str:
    name = payload.split(b'"', 4)[3]
    if not name.endswith(b".delta"):
        return "rest"
    if name == b"response.output_audio.delta":
        return "audio"
    return "arguments" if b"arguments" in name or b"step" in name else "texts"


def test_one_session_goes_on_as_the_mix_does() -> None:
    """It is opened once, and has no end."""
    payloads = received(mix.session_lines(FRAMES))

    kinds = Counter(map(kind_of, payloads))
    assert len(payloads) >= FRAMES
    assert sum(payload.startswith(b'{"type":"session.created"') for payload in payloads) == 1
    assert kinds["audio"] / len(payloads) == pytest.approx(0.28, abs=0.04)


def test_sessions_can_be_cut() -> None:
    """Each connection keeps its first frames and its end."""
    frame, end = RECEIVED + b"}\n", b'{"dir":"close"}\n'

    assert list(mix.begins([frame, frame, frame, end, frame, end], 2)) == [frame, frame, end, frame, end]


def test_every_kind_of_event_is_there() -> None:
    """Deltas of all kinds, and the objects around them."""
    kinds = Counter(event.get("type") or event["event"] for event in events(list(mix.lines(3 * FRAMES))))

    deltas = {kind for kind in kinds if kind.endswith("delta")}
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
