"""What replay says of small recordings, whole, as people read it: `tests/golden/<story>/`.

`make golden` writes the outputs anew: what changed is then read as a diff.
"""

import io
import os
from pathlib import Path
from typing import Final

import msgspec
import pytest

from steno.app.price_list import load_prices
from steno.app.replay import DEFAULTS, Outputs, replay
from steno.config import parse

GOLDEN: Final = Path(__file__).parent / "golden"
STORIES: Final = sorted(path.parent.name for path in GOLDEN.glob("*/recording.jsonl"))
WRITE: Final = os.environ.get("STENO_GOLDEN") == "write"
SHOWN: Final = ("fact", "conversation", "at", "body")


def replayed(recording: Path, folder: Path) -> dict[str, str]:
    """Replay a recording as `steno replay` does without a configuration; return the golden files' texts by name."""
    outputs = Outputs(state=folder / "state", metrics=folder / "metrics", audit=folder / "audit")
    replay([recording], parse("", "", DEFAULTS), outputs, load_prices(None), io.BytesIO(), lambda _: None)
    return {
        "state.json": state_text((folder / "state").read_bytes()),
        "metrics.prom": metrics_text((folder / "metrics").read_text()),
        "audit.jsonl": audit_text(sorted((folder / "audit").glob("*.jsonl"))),
    }


def state_text(state: bytes) -> str:
    """Indent the state; its members stay in the order, and its numbers in the form, in which they were written."""
    return msgspec.json.format(b"[%b]" % b",".join(state.splitlines()), indent=2).decode() + "\n"


def metrics_text(metrics: str) -> str:
    """Keep steno's own samples that are not 0, without their help and their buckets."""
    lines = (line for line in metrics.splitlines() if line.startswith("steno_") and not line.endswith(" 0.0"))
    return "".join(f"{line}\n" for line in lines if not line.partition("{")[0].endswith("_bucket"))


def audit_text(files: list[Path]) -> str:
    """Keep what the records tell of the story: nothing of the log itself, which tells of version and settings."""
    records = (msgspec.json.decode(line) for file in files for line in file.read_bytes().splitlines())
    shown = ({name: record[name] for name in SHOWN} for record in records if not record["fact"].startswith("log."))
    return "".join(f"{msgspec.json.encode(record).decode()}\n" for record in shown)


@pytest.mark.parametrize("story", STORIES)
def test_replay_says_what_was_read_and_found_right(story: str, tmp_path: Path) -> None:
    """Every output of a recording is, to the letter, the golden one."""
    folder = GOLDEN / story
    texts = replayed(folder / "recording.jsonl", tmp_path)
    if WRITE:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        pytest.skip("STENO_GOLDEN=write: the golden files were written, not compared")
    for name, text in texts.items():
        assert text == (folder / name).read_text(encoding="utf-8"), f"{story}/{name} differs; make golden rewrites it"


@pytest.mark.parametrize("story", STORIES)
def test_a_story_is_small_and_told_to_people(story: str) -> None:
    """A recording can be read whole, and a few lines say what happens in it."""
    folder = GOLDEN / story
    assert len((folder / "recording.jsonl").read_bytes().splitlines()) <= 40
    assert 3 <= len((folder / "story.md").read_text(encoding="utf-8").splitlines()) <= 8
