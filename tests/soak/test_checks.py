"""What the checks of a soak find, on a recording of a few lines."""

import json
from pathlib import Path
from typing import Any

from tests.soak.checks import Findings, check_source
from tests.soak.expected import Outputs
from tests.soak.honest import VOICE, Source


def sent(folder: Path, *ids: str) -> Source:
    """Return a source that sent responses that ended, each of three tokens."""
    source = Source("caller", VOICE, 1, 1.0, folder)
    lines = (
        json.dumps({"dir": "received", "data": {"type": "response.done", "response": {"id": each, "usage": usage}}})
        for each in ids
        for usage in [{"total_tokens": 3}]
    )
    (source.folder / "000001.jsonl").write_text("\n".join(lines))
    return source


def outputs(*ids: str, tokens: int = 3) -> Outputs:
    """Return the records that these responses led to."""
    written = Outputs()
    for each in ids:
        written.add(finished(each, tokens), "000001")
    return written


def finished(response: str, tokens: int) -> dict[str, Any]:
    body = {"response_id": response, "tokens": [{"tokens": tokens}], "duration_seconds": len(response)}
    return {"fact": "response.finished", "event_id": f"event_{response}", "body": body}


def found(source: Source, live: Outputs, replayed: Outputs) -> list[str]:
    """Return what is wrong with it, without the figures."""
    findings = Findings()
    check_source(source, live, replayed, findings, state=True)
    return [fault.partition(": it is ")[0] for fault in findings.faults]


def test_what_was_sent_and_recorded_is_complete(tmp_path: Path) -> None:
    assert found(sent(tmp_path, "r1", "r2"), outputs("r1", "r2"), outputs("r1", "r2")) == []


def test_a_response_that_is_missing_or_there_twice_is_found(tmp_path: Path) -> None:
    source, replayed = sent(tmp_path, "r1", "r2"), outputs("r1", "r2")
    lost = [
        "caller: ends of each response",
        "caller: tokens of each response",
        "caller/000001: facts",
    ]

    assert found(source, outputs("r1"), replayed) == lost
    assert found(source, outputs("r1", "r2", "r2"), replayed) == [lost[0], lost[2]]


def test_tokens_that_differ_are_found(tmp_path: Path) -> None:
    source = sent(tmp_path, "r1")

    assert found(source, outputs("r1", tokens=4), outputs("r1")) == [
        "caller: tokens of each response",
        "caller/000001: fact 0",
    ]


def test_what_a_replay_has_too_is_still_held_against_what_was_sent(tmp_path: Path) -> None:
    assert found(sent(tmp_path, "r1", "r2"), outputs("r1"), outputs("r1")) == [
        "caller: ends of each response",
        "caller: tokens of each response",
    ]


def test_a_gap_and_a_connection_that_was_left_are_found(tmp_path: Path) -> None:
    source, live = sent(tmp_path, "r1"), outputs("r1")
    live.gaps.append("blocked")
    source.broken.append("000001.jsonl: gone")

    assert found(source, live, outputs("r1")) == [
        "caller: no connection was left by the daemon: ['000001.jsonl: gone']",
        "caller: gaps",
    ]


def test_state_that_differs_is_found_but_not_what_a_thread_lost_at_the_end(tmp_path: Path) -> None:
    source, live, replayed = sent(tmp_path, "r1"), outputs("r1"), outputs("r1")
    live.state["thread_1"] = {"events": 4, "runs": {"abandoned": 1}}
    replayed.state["thread_1"] = {"events": 5, "runs": {}}
    live.facts["thread_1"].append("run.abandoned")
    live.closed["thread_1"] = "shutdown"

    assert found(source, live, replayed) == ["caller/thread_1: state: events"]
