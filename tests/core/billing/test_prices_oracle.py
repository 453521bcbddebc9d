"""Our prices against those of genai-prices, which has its own table and arithmetic, for the models that both have.

Each difference between the two is explained here, and each explanation must still hold: a release of the oracle that
agrees, or that differs elsewhere, fails.
"""

from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from itertools import product
from typing import Final

import pytest
from genai_prices import Usage, calc_price

from steno.core.billing.prices import Priced, PriceTable, Unpriced, parse, price, price_seconds
from steno.core.facts import Tokens

TABLE: Final[PriceTable] = parse((files("steno.core.billing") / "prices.json").read_bytes())
AS_OF: Final = datetime.fromisoformat(f"{TABLE.date}T12:00:00").replace(tzinfo=UTC)

ELSEWHERE: Final = ("azure/", "xai/")
"""Prefixes of names that the oracle does not have. What xAI serves is compared under its own names."""
BY_TOKENS: Final = [
    model
    for model, rates in TABLE.models.items()
    if rates.tokens and ("output", "image", False) not in rates.tokens and not model.startswith(ELSEWHERE)
]
"""Without the models that draw, which the oracle has by the picture."""
BY_DURATION: Final = [
    model for model, rates in TABLE.models.items() if (rates.second or rates.minute) and not model.startswith(ELSEWHERE)
]

NOT_KNOWN: Final = {
    "gpt-4o-mini-transcribe-2025-03-20",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-6.2-sol",
    "grok-4.20-reasoning",
    "grok-4.20-non-reasoning",
}
"""Models that the oracle does not have."""

DIFFERENT_RATES: Final = {
    ("gpt-4o-transcribe", "input_audio_mtok"): ("6", "2.5"),
    ("gpt-4o-transcribe-diarize", "input_audio_mtok"): ("6", "2.5"),
    ("gpt-4o-mini-transcribe", "input_audio_mtok"): ("3", "1.25"),
    ("gpt-4o-realtime-preview-2024-10-01", "input_audio_mtok"): ("40", "100"),
    ("gpt-4o-realtime-preview-2024-10-01", "cache_audio_read_mtok"): ("2.5", "20"),
    ("gpt-4o-realtime-preview-2024-10-01", "output_audio_mtok"): ("80", "200"),
}
"""The oracle's rate and ours, in USD a million tokens. Of the transcription models the vendor's pages have ours, as
LiteLLM does. The oracle finds the snapshots of gpt-4o-realtime-preview by their prefix, and so has for the first one
the lower rates of the next."""

MEMBERS: Final = {
    ("input", "text", False): "input_mtok",
    ("input", "audio", False): "input_audio_mtok",
    ("input", "image", False): "input_image_mtok",
    ("input", "text", True): "cache_read_mtok",
    ("input", "audio", True): "cache_audio_read_mtok",
    ("input", "image", True): "cache_image_read_mtok",
    ("output", "text", False): "output_mtok",
    ("output", "audio", False): "output_audio_mtok",
}
"""Our buckets by their names in the oracle."""

Counts = dict[tuple[str, str, bool], int]

GRID: Final[list[Counts]] = [
    dict(zip(MEMBERS, counts, strict=True))
    for counts in product((0, 1_234_567), (0, 89), (0, 3), (0, 41), (0, 600_001), (0, 7), (0, 53), (0, 999_983))
]
"""Each bucket used or not: 256 usages, in odd numbers, so that no two errors cancel."""


def asked(model: str, counts: Counts) -> Decimal:
    """Return the oracle's price. As with upstream, sums include what is named apart, and the input what is cached."""
    apart = {
        "input_audio_tokens": total(counts, "input", "audio"),
        "input_image_tokens": total(counts, "input", "image"),
        "cache_read_tokens": sum(tokens for (_, _, cached), tokens in counts.items() if cached),
        "cache_audio_read_tokens": counts["input", "audio", True],
        "cache_image_read_tokens": counts["input", "image", True],
        "output_audio_tokens": counts["output", "audio", False],
    }
    used = Usage(input_tokens=total(counts, "input"), output_tokens=total(counts, "output"), **apart)
    provider = "x-ai" if model.startswith("grok") else "openai"
    return calc_price(used, model, provider_id=provider, genai_request_timestamp=AS_OF).total_price


def total(counts: Counts, direction: str, modality: str | None = None) -> int:
    return sum(tokens for (side, kind, _), tokens in counts.items() if side == direction and modality in {None, kind})


def ours(model: str, counts: Counts) -> Priced | Unpriced:
    return price(TABLE, [Tokens(model, *key, tokens) for key, tokens in counts.items()])


def surplus(model: str, counts: Counts) -> Decimal:
    """Return the explained difference of the oracle's price to ours."""
    return sum(
        (
            (Decimal(theirs) - Decimal(own)).scaleb(-6) * tokens
            for key, tokens in counts.items()
            for theirs, own in [DIFFERENT_RATES.get((model, MEMBERS[key]), ("0", "0"))]
        ),
        Decimal(0),
    )


@pytest.mark.parametrize("model", [model for model in BY_TOKENS if model not in NOT_KNOWN])
def test_usage_that_both_can_price_costs_the_same(model: str) -> None:
    """Buckets that the model has no rate for are left out: there the oracle falls back to another bucket's rate."""
    has = TABLE.models[model].tokens
    grid = [counts for counts in GRID if all(key in has for key, tokens in counts.items() if tokens)]
    prices = [(counts, ours(model, counts)) for counts in grid]

    assert len(grid) == 2 ** len(has)
    assert [(counts, mine.usd + surplus(model, counts)) for counts, mine in prices if isinstance(mine, Priced)] == [
        (counts, asked(model, counts)) for counts in grid
    ]


@pytest.mark.parametrize("model", [model for model in BY_TOKENS if model not in NOT_KNOWN])
def test_bucket_without_a_rate_is_not_priced_here(model: str) -> None:
    """The oracle falls back to the full rate for cached tokens, and to text for images."""
    has = TABLE.models[model].tokens
    grid = [counts for counts in GRID if not all(key in has for key, tokens in counts.items() if tokens)]

    assert {ours(model, counts) for counts in grid} <= {Unpriced("no_rate")}


@pytest.mark.parametrize("model", [model for model in BY_DURATION if model != "gpt-live-1.1"])  # too new
@pytest.mark.parametrize("seconds", [0, 0.5, 1, 59.9, 60, 3_600, 86_399.999])
def test_duration_costs_the_same(model: str, seconds: float) -> None:
    """To the picodollar, to which a price by the minute is rounded here."""
    used = Usage(audio_seconds=Decimal(repr(seconds)))
    theirs = calc_price(used, model, provider_id="openai", genai_request_timestamp=AS_OF).total_price
    mine = price_seconds(TABLE, model, seconds)

    assert isinstance(mine, Priced)
    assert mine.usd == theirs.quantize(Decimal("1e-12"))


@pytest.mark.parametrize("model", sorted(NOT_KNOWN))
def test_model_that_the_oracle_lacks_is_still_unknown_to_it(model: str) -> None:
    """Else the exception can go."""
    with pytest.raises(LookupError):
        asked(model, GRID[-1])


def test_model_that_differs_is_in_the_shipped_table() -> None:
    """Else the exception can go."""
    assert {model for model, _ in DIFFERENT_RATES} | NOT_KNOWN <= set(BY_TOKENS)
