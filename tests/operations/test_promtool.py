"""What `promtool check metrics` says of the metrics of a daemon and of a replay."""

import subprocess
import sys
from pathlib import Path

from steno.app.serving import opened
from steno.config import parse
from steno.metrics.exposition import daemon_registry
from steno.metrics.formats import Form, render
from tests.app.test_process_metrics import EVERY_KIND

RECORDING = Path(__file__).parent.parent / "golden/barge-in/recording.jsonl"


def findings(text: bytes) -> str:
    """Return what promtool says; nothing where all is well."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def test_the_metrics_of_a_daemon_hold(tmp_path: Path) -> None:
    config = parse(EVERY_KIND, "steno.toml")
    with opened(config, {"LOGS_DIRECTORY": str(tmp_path)}) as daemon:
        registry = daemon_registry(daemon.pipeline, daemon.metrics, daemon.numbers())
        assert findings(render(registry, Form(openmetrics=False, gzip=False))) == ""


def test_the_metrics_of_a_replay_hold() -> None:
    command = [sys.executable, "-m", "steno", "replay", str(RECORDING), "--metrics", "-"]
    text = subprocess.run(command, capture_output=True, check=True).stdout

    assert b"steno_turn_latency_seconds_bucket" in text
    assert findings(text) == ""
