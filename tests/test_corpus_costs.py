"""What recordings of real services cost, by hand, and that each usage in them is billed once, whoever follows it."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from steno.core.billing.prices import parse
from steno.core.facts import Cost
from tests.core.helpers import Play, line_of

BESIDE: Final = Path(__file__).resolve().parents[2] / "shared" / "corpus"
CORPUS: Final = Path(os.environ.get("STENO_CORPUS", BESIDE))
TABLE: Final = parse(
    msgspec.json.encode(
        {
            "gpt-4o-mini": {"input_cost_per_token": 0.00000015, "output_cost_per_token": 0.0000006},
            "gpt-5.6-sol": {
                "input_cost_per_token": 0.000004,
                "cache_creation_input_token_cost": 0.000005,
                "output_cost_per_token": 0.00002,
            },
            "gpt-live-1": {"input_cost_per_minute": 0.05},
        }
    )
)
"""As of November 2026. It stands here so that the sums below stay right."""

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no recordings: {CORPUS} is no folder")


def payloads(name: str) -> list[bytes]:
    return [line for line in (CORPUS / f"{name}.jsonl").read_bytes().splitlines() if line.strip()]


def replayed(name: str, sources: int = 1) -> Play:
    """A recording as so many sources hear it, each frame by all of them in turn."""
    play = Play(timed=False)
    play.pipeline.registry.prices = TABLE
    streams = [play.stream, *(play.open(f"tap_{number}/1/1", source=f"tap_{number}") for number in range(1, sources))]
    for payload in payloads(name):
        for stream in streams:
            play.feed(payload, on=stream)
    return play


def bills(play: Play) -> list[tuple[str, str | None]]:
    """Facts that have a cost, and what it is."""
    costs = [(type(fact).__name__, getattr(fact, "cost", None)) for fact in play.facts]
    return [(name, cost.usd or cost.unpriced) for name, cost in costs if isinstance(cost, Cost)]


def totals(play: Play) -> list[dict[str, Any]]:
    return [line_of(state)["totals"] for state in play.pipeline.registry.conversations.values()]


def test_two_chained_responses_cost_what_their_tokens_cost() -> None:
    """In millionths: 46 x 0.15 + 15 x 0.6 = 15.9, and 70 x 0.15 + 12 x 0.6 = 17.7."""
    play = replayed("responses-ws__pydantic_request_with_tools")

    assert bills(play) == [("ResponseFinished", "0.0000159"), ("ResponseFinished", "0.0000177")]
    assert [(each["cost_usd"], each["unpriced"]) for each in totals(play)] == [("0.0000336", {})]


def test_a_live_call_costs_its_time_and_the_responses_of_its_backend() -> None:
    """805 written to the cache x 5 + 19 x 20 = 4405, and 846 x 4 + 19 x 20 = 3764 millionths; 14 s at 0.05 a minute."""
    play = replayed("live__pydantic_delegated_tool_round")

    assert Counter(bills(play)) == Counter(
        [("ResponseFinished", "0.004405"), ("ResponseFinished", "0.003764"), ("SessionMetered", "0.011666666667")]
    )
    assert [(each["cost_usd"], each["unpriced"]) for each in totals(play)] == [("0.019835666667", {})]


def reported(name: str) -> int:
    """The tokens that a recording reports, of each response once."""
    usages = {}
    for payload in payloads(name):
        event = json.loads(payload)
        response = event.get("response") or event.get("event", {}).get("response") or {}
        if response.get("usage"):
            usages[response["id"]] = response["usage"]["total_tokens"]
    return sum(usages.values())


@pytest.mark.parametrize("sources", [1, 3])
@pytest.mark.parametrize(
    "name",
    sorted(file.stem for pattern in ("responses*.jsonl", "live*.jsonl") for file in CORPUS.glob(pattern)),
)
def test_each_usage_of_a_recording_is_billed_once(name: str, sources: int) -> None:
    """Each source after the first has a reason where the first has a price."""
    play = replayed(name, sources)
    alone = replayed(name)

    assert sum(bucket["tokens"] for each in totals(play) for bucket in each["tokens"]) == reported(name)
    assert sum(float(part["seconds"]) for each in totals(play) for part in each["seconds"]) == sum(
        float(part["seconds"]) for each in totals(alone) for part in each["seconds"]
    )
    once = Counter(bills(alone))
    several = Counter(bill for bill in bills(play) if bill[1] not in {"duplicate_source", "no_usage"})
    assert several == Counter({bill: n for bill, n in once.items() if bill[1] != "no_usage"})
