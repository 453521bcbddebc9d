"""The short form of `make fuzz`, and that it finds what does not hold."""

import json
from pathlib import Path

import pytest

from steno.sources.recording import parse
from tests.fuzz import harness, run
from tests.fuzz.harness import TIGHT, as_recording, check
from tests.processes import steno


def test_traffic_that_nobody_meant_does_no_harm(tmp_path: Path) -> None:
    """A few rounds of the fuzzer, the same in every run."""
    for seed in range(2):
        run.fuzz_once(seed, tmp_path / "failing.jsonl", examples=20)


def test_what_fails_is_written_to_a_recording_that_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the fewest frames that fail, to the byte, and the seed is said."""
    monkeypatch.setattr(run, "FOUND", tmp_path)
    monkeypatch.setattr(harness, "STEPS", 0)
    monkeypatch.setattr(harness, "STEPS_A_BYTE", 0)
    said: list[str] = []

    assert run.fuzz(60, 7, said.append) == 1

    assert said[0] == "seed 7\n"
    assert "steps for" in said[1]
    assert "make fuzz SEED=7" in said[2]
    assert len((tmp_path / "7.jsonl").read_bytes().splitlines()) == 1
    assert steno("replay", tmp_path / "7.jsonl").returncode == 0


def test_a_recording_of_frames_has_their_bytes() -> None:
    frames = [b'{"type":"x"}', b"\xff\n", b""]
    assert [parse(line).payload for line in as_recording(frames).splitlines()] == frames  # type: ignore[union-attr]


def test_frames_that_are_not_counted_once_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle is no ornament."""
    monkeypatch.setattr("steno.pipeline.SourceCounts.reject", lambda _self, _reason: None)
    with pytest.raises(AssertionError):
        check([json.dumps([]).encode()], tmp_path, TIGHT)
