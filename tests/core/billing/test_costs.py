"""The price of a usage stands in its fact, with its rates or the reason why it has none, and in the totals."""

import json
from pathlib import Path

import pytest

from steno.core import facts
from steno.core.billing.prices import parse
from steno.core.facts import CostLine
from tests.core.helpers import USAGE, Play, done, event, session
from tests.processes import steno
from tests.recordings import recording

TABLE = parse(
    json.dumps(
        {
            "schema": "steno.prices/1",
            "version": "7",
            "date": "2026-01-01",
            "models": {
                "gpt-realtime": {
                    "mode": "realtime",
                    "input_cost_per_token": 0.000004,
                    "cache_read_input_token_cost": 0.0000004,
                    "output_cost_per_token": 0.000016,
                    "input_cost_per_audio_token": 0.000032,
                    "cache_read_input_audio_token_cost": 0.0000004,
                    "output_cost_per_audio_token": 0.000064,
                },
                "whisper-1": {"mode": "audio_transcription", "input_cost_per_second": 0.0001},
            },
        }
    ).encode()
)
HEARD = "conversation.item.input_audio_transcription.completed"


def priced() -> Play:
    play = Play()
    play.pipeline.registry.prices = TABLE
    return play


def total(play: Play) -> tuple[str | None, dict[str, int]]:
    (state,) = play.pipeline.registry.conversations.values()
    return state.totals.cost_usd(), state.totals.unpriced


def test_response_has_its_cost_and_the_calculation() -> None:
    """The amount, each quantity and rate, and the version of the list."""
    play = priced()
    play.say(session())

    play.say(done(usage={"input_tokens": 3, "output_tokens": 2, **texts(3, 2)}))

    (finished,) = play.of(facts.ResponseFinished)
    assert isinstance(finished, facts.ResponseFinished)
    assert finished.cost == facts.Cost(
        usd="0.000044",
        model="gpt-realtime",
        table_version="7",
        lines=(
            CostLine(rate="0.000004", per="token", quantity="3", direction="input", modality="text", cached=False),
            CostLine(rate="0.000016", per="token", quantity="2", direction="output", modality="text", cached=False),
        ),
    )
    assert total(play) == ("0.000044", {})


def texts(put: int, got: int) -> dict[str, object]:
    return {"input_token_details": {"text_tokens": put}, "output_token_details": {"text_tokens": got}}


@pytest.mark.parametrize(("model", "reason"), [("gpt-of-tomorrow", "unknown_model"), (None, "no_model")])
def test_usage_without_a_price_has_a_reason(model: str | None, reason: str) -> None:
    """The sum of the conversation is unknown then, and not 0."""
    play = priced()
    play.say(event("session.created", session={"id": "sess_1", "model": model}), done(usage=USAGE))

    assert total(play) == (None, {reason: 1})


def test_usage_of_no_tokens_costs_nothing() -> None:
    """A response that was cancelled before any output reports zeros."""
    play = priced()
    play.say(session(), done(status="cancelled", usage={"input_tokens": 0, "output_tokens": 0, **texts(0, 0)}))

    assert total(play) == ("0", {})


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"type": "duration", "seconds": 2.5}, ("0.00025", {})),
        ({"type": "tokens", "input_tokens": 5, "output_tokens": 1}, (None, {"no_rate": 1})),
        (None, (None, {"no_usage": 1})),
    ],
)
def test_transcription_is_priced_by_its_own_model(
    usage: dict[str, object] | None, cost: tuple[str | None, dict[str, int]]
) -> None:
    """Where no usage is reported it has no price."""
    play = priced()
    play.say(session(audio={"input": {"transcription": {"model": "whisper-1"}}}))
    for _ in range(2):  # a repeated transcription is not billed again
        play.say(event(HEARD, item_id="item_1", content_index=0, transcript="Hello.", usage=usage))

    assert total(play) == cost


def test_replay_prices_by_the_list_it_is_given(tmp_path: Path) -> None:
    """A list that cannot be parsed is refused with its name, and its content is not shown."""
    (tmp_path / "voice.jsonl").write_bytes(recording("voice", 2))
    text_alone = {"mode": "chat", "input_cost_per_token": 1}  # the audio has no rate
    own = {"gpt-realtime": text_alone, "gpt-realtime-2.1": text_alone}
    (tmp_path / "own.json").write_text(json.dumps(own))
    (tmp_path / "bad.json").write_text('{"gpt-realtime":{"input_cost_per_token":"cheap"}}')

    shipped = steno("replay", tmp_path / "voice.jsonl", "--state", "-")
    again = steno("replay", tmp_path / "voice.jsonl", "--state", "-", "--prices", tmp_path / "own.json")
    bad = steno("replay", tmp_path / "voice.jsonl", "--prices", tmp_path / "bad.json")

    first, second = (json.loads(done.stdout.splitlines()[0])["totals"] for done in (shipped, again))
    assert (first["unpriced"], second["cost_usd"]) == ({}, None)
    assert float(first["cost_usd"]) > 0
    assert second["unpriced"]["no_rate"] > 0
    assert (bad.returncode, b"cheap" in bad.stderr) == (78, False)
    assert b"bad.json: is no price list (--prices): " in bad.stderr
