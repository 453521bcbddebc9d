"""What a turn has in a recording: by direction and kind, in both forms of a line."""

import json
from pathlib import Path

import pytest

from benchmarks import rates

USAGE = {"output_token_details": {"audio_tokens": 40}}
EVENTS = [
    {"type": "session.created"},
    {"type": "response.output_audio.delta"},
    {"type": "response.output_audio.delta"},
    {"type": "response.output_audio_transcript.delta"},
    {"type": "response.done", "response": {"usage": USAGE}},
]


@pytest.mark.parametrize("framed", [True, False])
def test_a_turn_is_counted(tmp_path: Path, framed: bool) -> None:
    lines: list[object] = [{"dir": "received", "data": event} if framed else event for event in EVENTS]
    if framed:
        lines += [{"dir": "sent", "data": {"type": "response.create"}}, {"dir": "close", "code": 1000}]
    path = tmp_path / "call.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    found = rates.Rates()
    for event, sent in rates.events(path):
        found.add(event, sent=sent)

    assert found == rates.Rates(
        sent=int(framed), sound=2, deltas=1, rest=2, responses=1, spoken_seconds=40 * rates.TOKEN_SECONDS
    )
    assert found.line().endswith("2.0 s of speech, 1.0 of sound a second of speech")
