"""What sessions send, read by steno: nothing is unknown, malformed or out of place, and the usage adds up."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.processes import PATIENCE_SECONDS, STENO
from tests.simulate.interactive.plays import Event, Play
from tests.simulate.interactive.test_beta import BetaPlay
from tests.simulate.interactive.test_session import whole_play


def beta() -> list[Event]:
    play = BetaPlay()
    play.say("Hello")
    play.ask("response.create")
    play.speak(500, 700)
    play.rest()
    return play.sent


def call() -> list[Event]:
    play = Play(call_id="rtc_1")
    play.session.join()
    play.rest()
    return play.sent


@pytest.mark.parametrize("events", [whole_play(3), beta(), call()], ids=["session", "beta", "call"])
def test_steno_reads_all_of_it(events: list[Event], tmp_path: Path) -> None:
    recording = tmp_path / "session.jsonl"
    recording.write_text("".join(json.dumps(event) + "\n" for event in events))

    done = subprocess.run(
        [*STENO, "replay", "--strict", "--state", "-", recording],
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    conversation, stream = map(json.loads, done.stdout.splitlines())
    usages = [event["response"]["usage"] for event in events if event["type"] == "response.done"]
    counted = sum(bucket["tokens"] for bucket in conversation["totals"]["tokens"])
    assert done.returncode == 0
    assert conversation["rejected"] == {}
    assert (stream["events"], stream["unknown"], stream["malformed"]) == (len(events), {}, {})
    assert counted == sum(usage["total_tokens"] for usage in usages)
