"""What the user said, and what its transcription cost."""

from typing import Any

from steno.view.shapes import SpanMark
from tests.view.records import BEGIN, record, shown, text

COST: dict[str, Any] = {"usd": "0.0001", "unpriced": None, "model": "whisper", "lines": []}


def transcribed(at: float, key: str, cost: dict[str, Any] | None = COST) -> Any:
    return record(
        "transcription.finished",
        at,
        item_id=key,
        status="completed",
        model="whisper",
        transcript=text("transcript", "Hello"),
        tokens=[],
        cost=cost,
    )


def test_speech_that_is_committed_while_it_goes_on_ends_there() -> None:
    made = shown(
        "k",
        [record("speech.started", 1, item_id="a", audio_start_ms=100), record("input.committed", 2, item_id="a")],
    )

    assert [(span.begin, span.end, span.status, span.marks) for span in made.spans] == [
        (BEGIN + 1, BEGIN + 2, "committed", [SpanMark("committed", BEGIN + 2)])
    ]


def test_each_further_part_of_a_transcription_is_a_span_of_its_own() -> None:
    """The first one is the speech's; one without a price is nothing to draw."""
    made = shown(
        "k",
        [
            record("input.committed", 1, item_id="a"),
            *(transcribed(at, "a") for at in (2, 3)),
            transcribed(4, "a", None),
            transcribed(5, "b", None),
        ],
    )

    assert [(span.status, span.end, span.cost and span.cost["usd"]) for span in made.spans] == [
        ("committed", BEGIN + 1, "0.0001"),
        ("transcribed", BEGIN + 3, "0.0001"),
    ]
    assert made.spans[0].detail["transcription_model"] == "whisper"
