"""The price of a usage: exact, for all of it or none, and with its calculation."""

import re
from collections import Counter
from contextlib import suppress
from decimal import Decimal, localcontext
from fractions import Fraction
from importlib.resources import files
from typing import Any, Final, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core.billing import usage
from steno.core.billing.prices import (
    CallsLine,
    DurationLine,
    Line,
    Priced,
    PriceTable,
    Unpriced,
    UnpricedReason,
    add_usd,
    merge,
    parse,
    price,
    price_calls,
    price_seconds,
    resolve,
    usd_text,
)
from steno.core.billing.rates import (
    CALL_RATES,
    MINUTE_RATE,
    SEARCH_RATES,
    SECOND_RATE,
    STANDBY_RATE,
    TOKEN_RATES,
    WRITE_RATES,
    rates_of,
)
from steno.core.facts import CacheWrite, Tokens
from steno.limits import TOKENS_MAX
from steno.wire.usage import CompletionUsage, ResponseUsage, Usage

SHIPPED: Final = (files("steno.core.billing") / "prices.json").read_bytes()
TABLE: Final = parse(SHIPPED)
VERSION: Final = "2026-11-27"
TEXT_IN: Final = ("input", "text", False)
TEXT_OUT: Final = ("output", "text", False)
TEXT_CACHED: Final = ("input", "text", True)
IMAGE_OUT: Final = ("output", "image", False)


def bucket(model: str | None, direction: str, modality: str, tokens: int, *, cached: bool = False) -> Tokens:
    return Tokens(model, direction, modality, cached, tokens)


def listed(**models: dict[str, Any]) -> PriceTable:
    return parse(msgspec.json.encode(models))


def found(model: str, table: PriceTable = TABLE) -> str | None:
    resolved = resolve(table, model)
    return resolved and resolved[0]


def priced(result: Priced | Unpriced) -> Priced:
    assert isinstance(result, Priced), result
    return result


# A price --------------------------------------------------------------------------------------------------------


def test_spoken_answer_costs_the_sum_of_its_buckets() -> None:
    """Cached tokens, which upstream counts as input, cost their own rate once."""
    reported = msgspec.convert(
        {
            "total_tokens": 1_000,
            "input_tokens": 800,
            "output_tokens": 200,
            "input_token_details": {
                "text_tokens": 300,
                "audio_tokens": 450,
                "image_tokens": 50,
                "cached_tokens": 384,
                "cached_tokens_details": {"text_tokens": 256, "audio_tokens": 128, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": 40, "audio_tokens": 160},
        },
        Usage,
    )

    assert price(TABLE, usage.measure(reported, "gpt-realtime-2025-08-28").tokens) == Priced(
        # 44 x 4 + 322 x 32 + 50 x 5 + 256 x 0.4 + 128 x 0.4 + 40 x 16 + 160 x 64, in millionths
        usd=Decimal("0.0217636"),
        model="gpt-realtime-2025-08-28",
        lines=(
            Line("input", "text", False, 44, Decimal("0.000004")),
            Line("input", "audio", False, 322, Decimal("0.000032")),
            Line("input", "image", False, 50, Decimal("0.000005")),
            Line("input", "text", True, 256, Decimal("0.0000004")),
            Line("input", "audio", True, 128, Decimal("0.0000004")),
            Line("output", "text", False, 40, Decimal("0.000016")),
            Line("output", "audio", False, 160, Decimal("0.000064")),
        ),
        table_version=VERSION,
    )


def test_run_of_a_text_model_is_priced_without_modalities() -> None:
    """All modalities that a text model takes have one rate."""
    reported = msgspec.convert(
        {"prompt_tokens": 100, "completion_tokens": 10, "prompt_token_details": {"cached_tokens": 60}}, CompletionUsage
    )

    assert price(TABLE, usage.measure(reported, "gpt-4o-2024-08-06").tokens) == Priced(
        usd=Decimal("0.000275"),
        model="gpt-4o-2024-08-06",
        lines=(
            Line("input", "unknown", False, 40, Decimal("0.0000025")),
            Line("input", "unknown", True, 60, Decimal("0.00000125")),
            Line("output", "unknown", False, 10, Decimal("0.00001")),
        ),
        table_version=VERSION,
    )


def test_transcription_by_tokens_is_priced() -> None:
    """Its output has no modality, and a transcription model writes text alone."""
    reported = msgspec.convert(
        {"type": "tokens", "input_tokens": 30, "output_tokens": 5, "input_token_details": {"audio_tokens": 30}},
        Usage,
    )

    assert priced(price(TABLE, usage.measure(reported, "gpt-4o-transcribe").tokens)).usd == Decimal("0.000125")


def test_usage_of_no_tokens_costs_nothing() -> None:
    """Whatever the model."""
    nothing = Priced(Decimal(0), None, (), TABLE.version)

    assert price(TABLE, ()) == nothing
    assert price(TABLE, [bucket("no such model", "input", "text", 0)]) == nothing


def test_buckets_of_several_models_are_refused() -> None:
    """A usage is of one model."""
    with pytest.raises(ValueError, match="several models"):
        price(TABLE, [bucket("gpt-4o", "input", "text", 1), bucket("gpt-4", "input", "text", 1)])


# No price -------------------------------------------------------------------------------------------------------


def test_reasons_are_a_closed_list() -> None:
    """Each of them has a case below."""
    assert get_args(UnpricedReason) == ("no_price_list", "no_model", "unknown_model", "unknown_modality", "no_rate")


@pytest.mark.parametrize(
    ("reason", "used"),
    [
        ("no_model", bucket(None, "input", "text", 1)),
        ("unknown_model", bucket("gpt-realtime-global-standard", "input", "text", 1)),
        ("unknown_modality", bucket("gpt-realtime", "input", "unknown", 1)),
        ("unknown_modality", bucket("gpt-realtime", "output", "unknown", 1)),
        ("unknown_modality", bucket("gpt-realtime", "input", "unknown", 1, cached=True)),
        ("no_rate", bucket("gpt-4o-realtime-preview", "input", "image", 1)),
        ("no_rate", bucket("gpt-realtime", "output", "image", 1)),
        ("no_rate", bucket("gpt-4", "input", "unknown", 1, cached=True)),
        ("no_rate", bucket("gpt-realtime-whisper", "input", "unknown", 1)),
    ],
)
def test_usage_is_priced_in_full_or_not_at_all(reason: UnpricedReason, used: Tokens) -> None:
    """One bucket without a price leaves the usage without one."""
    beside = bucket(used.model, "output", "text", 1)

    assert price(TABLE, [used]) == price(TABLE, [used, beside]) == Unpriced(reason)


def test_nothing_has_a_price_without_a_table() -> None:
    """Neither tokens nor seconds."""
    assert price(None, [bucket("gpt-4o", "input", "text", 1)]) == Unpriced("no_price_list")
    assert price_seconds(None, "whisper-1", 1) == Unpriced("no_price_list")


def test_unknown_modality_has_a_price_where_all_cost_the_same() -> None:
    """Of two models, one has no rate for cached audio, which the tokens may be."""
    same = {"input_cost_per_token": 0.5, "input_cost_per_audio_token": 0.5}
    table = listed(same=same, cached={**same, "cache_read_input_token_cost": 0.1})

    assert priced(price(table, [bucket("same", "input", "unknown", 3)])).usd == Decimal("1.5")
    assert price(table, [bucket("cached", "input", "unknown", 3, cached=True)]) == Unpriced("unknown_modality")
    assert price(table, [bucket("same", "input", "unknown", 3, cached=True)]) == Unpriced("no_rate")


def test_cached_tokens_cost_a_cached_rate_alone() -> None:
    """The full rate counts only where the table has it in the cached member."""
    table = listed(none={"input_cost_per_token": 2}, full={"input_cost_per_token": 2, "cache_read_input_token_cost": 2})

    assert price(table, [bucket("none", "input", "text", 3, cached=True)]) == Unpriced("no_rate")
    assert priced(price(table, [bucket("full", "input", "text", 3, cached=True)])).usd == Decimal(6)


def test_cached_audio_does_not_cost_the_rate_of_cached_text() -> None:
    """Each modality has its own rate."""
    rates = {"input_cost_per_audio_token": 3, "input_cost_per_token": 2, "cache_read_input_token_cost": 1}

    assert price(listed(m=rates), [bucket("m", "input", "audio", 1, cached=True)]) == Unpriced("no_rate")


# Lengths, tiers and the cache ------------------------------------------------------------------------------------


def test_a_long_input_costs_its_own_rates_from_the_first_token_on() -> None:
    """Cached tokens are part of its length. A rate that the list does not have for it is not made up."""
    table = listed(
        m={
            "input_cost_per_token": 1,
            "input_cost_per_token_above_200k_tokens": 2,
            "cache_read_input_token_cost": 0.5,
            "output_cost_per_token": 3,
        }
    )
    long = bucket("m", "input", "text", 200_001)

    assert priced(price(table, [bucket("m", "input", "text", 200_000)])).usd == Decimal(200_000)
    assert price(table, [long]) == Priced(
        Decimal(400_002), "m", (Line("input", "text", False, 200_001, Decimal(2)),), table.version, above=200_000
    )
    assert price(table, [long, bucket("m", "output", "text", 1)]) == Unpriced("no_rate")
    cached = bucket("m", "input", "text", 200_000, cached=True)
    assert price(table, [cached, bucket("m", "input", "text", 1)]) == Unpriced("no_rate")


SOL: Final[dict[str, Any]] = {
    "input_cost_per_token": 4,
    "cache_read_input_token_cost": 0.4,
    "cache_creation_input_token_cost": 5,
    "cache_creation_input_token_cost_above_12hr": 10,
    "output_cost_per_token": 20,
    "input_cost_per_token_flex": 2,
    "cache_creation_input_token_cost_above_12hr_flex": 6,
    "input_cost_per_token_above_272k_tokens": 8,
    "cache_creation_input_token_cost_above_12hr_above_272k_tokens": 11,
    "input_cost_per_token_above_272k_tokens_priority": 16,
    "input_cost_per_token_batches": 1,
}


@pytest.mark.parametrize(
    ("tier", "tokens", "usd", "named"),
    [
        (None, 1, 4, (None, None)),
        ("default", 1, 4, (None, None)),
        ("auto", 1, 4, (None, None)),
        ("flex", 1, 2, ("flex", None)),
        ("batch", 1, 1, ("batch", None)),
        (None, 272_001, 2_176_008, (None, 272_000)),
        ("priority", 272_001, 4_352_016, ("priority", 272_000)),
        ("fast", 272_001, 4_352_016, ("priority", 272_000)),
    ],
)
def test_the_service_tier_of_a_response_has_its_own_rates(
    tier: str | None, tokens: int, usd: int, named: tuple[str | None, int | None]
) -> None:
    """Upstream says by which tier a response was served; one that it leaves to the project is the standard one."""
    found = priced(price(listed(m=SOL), [bucket("m", "input", "unknown", tokens)], tier))

    assert (found.usd, (found.tier, found.above)) == (Decimal(usd), named)


@pytest.mark.parametrize(("tier", "tokens"), [("priority", 1), ("flex", 272_001), ("scale", 1), ("turbo", 1)])
def test_no_tier_stands_for_another(tier: str, tokens: int) -> None:
    """Capacity that was bought beforehand has no price a token, and a tier of tomorrow has none yet."""
    assert price(listed(m=SOL), [bucket("m", "input", "text", tokens)], tier) == Unpriced("no_rate")


def test_tokens_that_are_written_to_the_cache_cost_their_own_rate() -> None:
    """They are part of the fresh input."""
    used = [bucket("m", "input", "unknown", 9), bucket("m", "input", "unknown", 4, cached=True)]

    found = priced(price(listed(m=SOL), used, None, (CacheWrite("30m", 5), CacheWrite("12h", 3))))

    assert found.usd == 1 * 4 + 5 * 5 + 3 * 10 + 4 * Decimal("0.4")
    assert found.lines == (
        Line("input", "unknown", False, 1, Decimal(4)),
        Line("input", "unknown", False, 5, Decimal(5), "30m"),
        Line("input", "unknown", False, 3, Decimal(10), "12h"),
        Line("input", "unknown", True, 4, Decimal("0.4")),
    )


@pytest.mark.parametrize(
    ("reason", "tier", "used"),
    [
        ("no_rate", "flex", [bucket("m", "input", "text", 9)]),
        ("unknown_modality", None, [bucket("m", "input", "text", 9), bucket("m", "input", "unknown", 9)]),
        ("no_rate", None, [bucket("m", "input", "audio", 9)]),
    ],
)
def test_what_is_written_to_the_cache_has_no_other_rate(
    reason: UnpricedReason, tier: str | None, used: list[Tokens]
) -> None:
    """Neither that of fresh input nor that of another time or tier."""
    assert price(listed(m=SOL), used, tier, [CacheWrite("30m", 9)]) == Unpriced(reason)


def test_calls_of_a_built_in_tool_have_a_price_each() -> None:
    """A search of old costs what it always did. Rates that differ by what a search brings are not read."""
    sizes = {f"search_context_size_{size}": 0.025 for size in ("low", "medium", "high")}
    table = listed(
        m={
            "search_context_cost_per_query": sizes,
            "web_search_cost_per_query": 0.01,
            "file_search_cost_per_1k_calls": 2.5,
        },
        one={"search_context_cost_per_query": sizes},
        many={"search_context_cost_per_query": {**sizes, "search_context_size_low": 0.02}},
    )

    assert price_calls(table, "m", "web_search", 3) == Priced(
        Decimal("0.03"), "m", (CallsLine(3, Decimal("0.01")),), table.version
    )
    assert priced(price_calls(table, "m", "web_search_preview", 3)).usd == Decimal("0.075")
    assert priced(price_calls(table, "m", "file_search", 3)).usd == Decimal("0.0075")
    assert priced(price_calls(table, "one", "web_search", 1)).usd == Decimal("0.025")
    assert price_calls(table, "many", "web_search", 1) == Unpriced("no_rate")
    assert price_calls(table, "m", "code_interpreter", 1) == Unpriced("no_rate")
    assert price_calls(None, "m", "web_search", 1) == Unpriced("no_price_list")
    assert price_calls(table, "none", "web_search", 1) == Unpriced("unknown_model")


# Durations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "seconds", "usd", "line"),
    [
        ("whisper-1", 3.25, "0.000325", DurationLine(Decimal("3.25"), Decimal("0.0001"), "second")),
        ("whisper-1", Decimal("0.1"), "0.00001", DurationLine(Decimal("0.1"), Decimal("0.0001"), "second")),
        ("gpt-realtime-whisper", 60, "0.017", DurationLine(Decimal(60), Decimal("0.017"), "minute")),
        ("gpt-realtime-whisper", 1, "0.000283333333", DurationLine(Decimal(1), Decimal("0.017"), "minute")),
        ("gpt-live-1", 1, "0.000833333333", DurationLine(Decimal(1), Decimal("0.05"), "minute")),
        ("gpt-realtime-translate", 90.5, "0.051283333333", DurationLine(Decimal("90.5"), Decimal("0.034"), "minute")),
    ],
)
def test_duration_costs_by_the_second_or_by_the_minute(
    model: str, seconds: float | Decimal, usd: str, line: DurationLine
) -> None:
    """By the rate that the model has."""
    assert price_seconds(TABLE, model, seconds) == Priced(Decimal(usd), model, (line,), VERSION)


def test_duration_without_a_price_has_a_reason() -> None:
    """As a usage by tokens has."""
    assert price_seconds(TABLE, None, 1) == Unpriced("no_model")
    assert price_seconds(TABLE, "grok-transcribe", 1) == Unpriced("unknown_model")
    assert price_seconds(TABLE, "gpt-4o-transcribe", 1) == Unpriced("no_rate")


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), Decimal("-0.1"), Decimal("Infinity")])
def test_number_that_is_no_duration_is_refused(seconds: float | Decimal) -> None:
    """A mistake of the caller, who checks what upstream reports."""
    with pytest.raises(ValueError, match="a duration"):
        price_seconds(TABLE, "whisper-1", seconds)


# Names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-realtime", "gpt-realtime"),
        ("gpt-realtime-2025-08-28", "gpt-realtime-2025-08-28"),
        ("gpt-realtime-2025-08-25", "gpt-realtime"),
        ("gpt-4o-realtime-preview-2024-12-18", "gpt-4o-realtime-preview"),
        ("openai/gpt-realtime", "gpt-realtime"),
        ("openai/gpt-realtime-2031-01-31", "gpt-realtime"),
    ],
)
def test_model_is_found_by_its_name_or_as_a_dated_snapshot(model: str, name: str) -> None:
    """With or without the vendor's prefix."""
    assert found(model) == name


@pytest.mark.parametrize(
    "model",
    [
        "gpt-realtime-translate-mini",
        "gpt-realtime-global-standard",
        "gpt-realtime-2025-13-01",
        "gpt-realtime-2025-08-28-preview",
        "gpt-realtime-20250828",
        "gpt-realtime-2025-08-28\n",
        "gpt-4-0314",
        "gpt-4 o",
        "GPT-4o",
        "azure/gpt-realtime",
        "azure/gpt-realtime-2025-08-28",
        "openrouter/openai/gpt-4o",
        "ft:gpt-4o-2024-08-06",
        "openai/",
        "",
    ],
)
def test_model_is_not_guessed(model: str) -> None:
    """Other prefixes, other suffixes and other spellings are other models."""
    assert found(model) is None


def test_name_does_not_stand_for_a_longer_one() -> None:
    """Else a translation by the minute is priced as a realtime model by tokens."""
    table = listed(**{"gpt-realtime": {"input_cost_per_token": 1}})

    assert found("gpt-realtime-translate", table) is None
    assert found("gpt-realtime-translate") == "gpt-realtime-translate"
    assert price(TABLE, [bucket("gpt-realtime-translate", "input", "audio", 1)]) == Unpriced("no_rate")


def test_model_of_another_provider_has_the_price_of_its_own_entry() -> None:
    """The table may have one under its full name."""
    table = listed(**{"azure/gpt-realtime": {"input_cost_per_token": 1}, "openai/own": {"input_cost_per_token": 1}})

    assert found("azure/gpt-realtime", table) == "azure/gpt-realtime"
    assert found("azure/gpt-realtime-2025-08-28", table) == "azure/gpt-realtime"
    assert found("gpt-realtime", table) is None
    assert (found("openai/own", table), found("own", table)) == ("openai/own", None)


# Tables ---------------------------------------------------------------------------------------------------------


def test_shipped_table_has_a_version_and_a_date() -> None:
    """Both are shown to operators."""
    assert (TABLE.version, TABLE.date) == (VERSION, VERSION)
    assert re.fullmatch("[0-9a-f]{64}", TABLE.digest)


SHIPPED_MODELS: Final[dict[str, dict[str, Any]]] = msgspec.json.decode(SHIPPED)["models"]
NOT_RATES: Final = {"mode", "source", "note", "deprecation_date"}
SOURCES: Final = ("https://developers.openai.com/", "https://azure.microsoft.com/", "https://docs.x.ai/")


def is_read(member: str) -> bool:
    """Whether a member makes a difference."""
    value = {"search_context_size_low": 1} if member == SEARCH_RATES else 1
    return rates_of("m", {member: value}) != rates_of("m", {})


@pytest.mark.parametrize("model", SHIPPED_MODELS)
def test_shipped_model_has_the_rates_that_its_mode_needs(model: str) -> None:
    """So that usual usages have a price."""
    entry, rates = SHIPPED_MODELS[model], TABLE.models[model]
    has = set(rates.tokens)
    inputs = {("input", "text", False), ("input", "audio", False)}
    cached = {("input", "text", True), ("input", "audio", True)}
    outputs = {("output", "text", False), ("output", "audio", False)}
    image = {("input", "image", False), ("input", "image", True)}
    needs: dict[str, list[set[Any]]] = {
        "realtime": [inputs | cached | outputs, inputs | cached | outputs | image],
        "audio_transcription": [inputs | {TEXT_OUT}],
        "chat": [{TEXT_IN, TEXT_OUT}, {TEXT_IN, TEXT_OUT, TEXT_CACHED}],
        "responses": [{TEXT_IN, TEXT_OUT}, {TEXT_IN, TEXT_OUT, TEXT_CACHED}],
        "image_generation": [{TEXT_IN, TEXT_CACHED, *image, *out} for out in ({IMAGE_OUT}, {TEXT_OUT, IMAGE_OUT})],
        "live": [set()],
    }
    by_duration = not has and (rates.second is None) != (rates.minute is None)

    assert all(member in NOT_RATES or is_read(member) for member in entry)
    assert entry["source"].startswith(SOURCES)
    assert has in needs[entry["mode"]] or entry["mode"] in {"audio_transcription", "realtime"}
    assert bool(has) != by_duration
    assert all(rate > 0 for rate in rates.tokens.values())
    assert all(
        rates.tokens[direction, modality, True] < rates.tokens[direction, modality, False]
        for direction, modality, is_cached in has
        if is_cached
    )


@pytest.mark.parametrize("model", [model for model, rates in TABLE.models.items() if rates.special])
def test_shipped_rates_of_a_tier_and_of_a_length_are_whole(model: str) -> None:
    """Each has what a usage needs; a long input costs no less than a short one, and flex and batches less than both."""
    own = TABLE.models[model]
    for (tier, length), rates in own.special.items():
        assert {TEXT_IN, TEXT_OUT} <= set(rates.tokens) <= set(own.tokens)
        assert set(rates.writes) <= set(own.writes)
        assert length in {0, *own.lengths}
        short = own.special.get((tier, 0)) if tier else own
        assert short is None or all(rate >= short.tokens.get(key, 0) for key, rate in rates.tokens.items())
        usual = own.special[("", length)] if length else own
        cheaper = tier in {"flex", "batch"}
        assert not cheaper or all(rate < usual.tokens[key] for key, rate in rates.tokens.items())


def test_what_is_written_to_the_cache_costs_more_the_longer_it_is_kept() -> None:
    """And more than what is not written; what is read costs least."""
    written = {model: rates for model, rates in TABLE.models.items() if rates.writes}

    assert {"gpt-5.6-sol", "gpt-6-luna", "gpt-6.2-sol", "azure/gpt-5.6-sol"} <= set(written)
    for rates in written.values():
        assert rates.tokens[TEXT_CACHED] < rates.tokens[TEXT_IN] < rates.writes["30m"]
        assert rates.writes["30m"] < rates.writes.get("12h", Decimal(1))


def test_models_of_xai_are_known_by_both_of_their_names() -> None:
    """As its own API says them, and as gateways do."""
    names = [name for name in TABLE.models if name.startswith("grok-")]

    assert names
    assert all(TABLE.models[name] == TABLE.models[f"xai/{name}"] for name in names)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
        ("gpt-5.6-sol", "gpt-5.6-sol"),
        ("gpt-5.4-2026-03-05", "gpt-5.4"),
        ("gpt-5.3-chat-latest", "gpt-5.3-chat-latest"),
        ("azure/gpt-5.6-sol-2026-07-09", "azure/gpt-5.6-sol"),
        ("gpt-live-1.1", "gpt-live-1.1"),
        ("grok-4.3-latest", "grok-4.3-latest"),
    ],
)
def test_models_of_responses_and_live_sessions_have_a_price(model: str, name: str) -> None:
    """Snapshots that cost what their name costs need no entry of their own."""
    assert found(model) == name


def test_snapshot_in_the_table_has_its_own_price() -> None:
    """Before that of the name without the date."""
    dear, cheap = (TABLE.models[f"gpt-4o-realtime-preview{date}"] for date in ("-2024-10-01", ""))

    assert dear.tokens["output", "audio", False] == Decimal("0.0002")
    assert cheap.tokens["output", "audio", False] == Decimal("0.00008")


LITELLM: Final = b"""{
  "sample_spec": {"input_cost_per_token": 0.0, "max_tokens": "an explanation", "mode": "one of: chat, embedding"},
  "gpt-realtime": {
    "input_cost_per_token": 4.4e-06, "cache_read_input_token_cost": null, "litellm_provider": "openai",
    "supported_endpoints": ["/v1/realtime"], "search_context_cost_per_query": {"search_context_size_low": 0.025}
  },
  "gpt-realtime-whisper": {"input_cost_per_second": 0.000283333333333, "output_cost_per_second": 0, "mode": "realtime"}
}"""


def test_litellm_price_list_is_read_as_it_is() -> None:
    """Numbers are exact decimals. The entry that explains the list is no model."""
    table = parse(LITELLM)

    assert (table.date, table.version) == (None, f"sha256:{table.digest[:12]}")
    assert list(table.models) == ["gpt-realtime", "gpt-realtime-whisper"]
    assert table.models["gpt-realtime"].tokens == {TEXT_IN: Decimal("0.0000044")}
    assert table.models["gpt-realtime-whisper"].second == Decimal("0.000283333333333")


@pytest.mark.parametrize(("own", "shown"), [("2027-01-31", "2027-01-31"), ("2026-01-31", VERSION)])
def test_the_date_of_two_lists_is_the_newer_one(own: str, shown: str) -> None:
    override = parse(b'{"schema":"steno.prices/1","version":"own","date":"%b","models":{}}' % own.encode())

    assert merge(TABLE, override).date == shown


def test_override_replaces_whole_models() -> None:
    """It shows in the version. Snapshots are models of their own."""
    override = parse(LITELLM)
    table = merge(TABLE, override)

    assert (table.version, table.date) == (f"{VERSION}+override:{override.digest[:12]}", VERSION)
    assert table.digest not in {TABLE.digest, override.digest}
    assert price(table, [bucket("gpt-realtime", "input", "text", 5)]) == Priced(
        Decimal("0.000022"), "gpt-realtime", (Line("input", "text", False, 5, Decimal("0.0000044")),), table.version
    )
    assert price(table, [bucket("gpt-realtime", "output", "audio", 5)]) == Unpriced("no_rate")
    assert table.models["gpt-realtime-2025-08-28"] == TABLE.models["gpt-realtime-2025-08-28"]
    assert priced(price_seconds(table, "gpt-realtime-whisper", 60)).usd == Decimal("0.01699999999998")


OWN: Final = {"schema": "steno.prices/1", "version": "1", "date": "2026-01-01", "models": {}}


def test_own_form_without_models_is_a_table() -> None:
    """It has no rates."""
    table = parse(msgspec.json.encode(OWN))

    assert (table.version, table.date, table.models) == ("1", "2026-01-01", {})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "price list: expected JSON"),
        (b"{", "price list: expected JSON"),
        (b"\xff\xfe", "price list: expected JSON"),
        (b'{"m":{"input_cost_per_token":NaN}}', "price list: expected JSON"),
        (b"[" * 100_000, "price list: expected JSON"),
        (b"[]", "price list: expected an object"),
        (b'{"m":5}', "'m': expected an object"),
        (b'{"$comment":"prices"}', "'$comment': expected an object"),
        (msgspec.json.encode({**OWN, "schema": "steno.prices/2"}), "schema: expected 'steno.prices/1'"),
        (msgspec.json.encode({**OWN, "schema": None}), "schema: expected 'steno.prices/1'"),
        (msgspec.json.encode({**OWN, "version": 1}), "version: expected up to 64 letters, digits and .+:-_"),
        (msgspec.json.encode({**OWN, "version": "a b"}), "version: expected up to 64 letters, digits and .+:-_"),
        (msgspec.json.encode({**OWN, "date": "2026-13-01"}), "date: expected YYYY-MM-DD"),
        (msgspec.json.encode({**OWN, "models": []}), "models: expected an object"),
        (msgspec.json.encode({**OWN, "models": {"m": []}}), "'m': expected an object"),
    ],
)
def test_data_that_is_no_price_list_is_refused(data: bytes, message: str) -> None:
    """With what was expected."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse(data)


@pytest.mark.parametrize(
    "member",
    [*TOKEN_RATES, SECOND_RATE, MINUTE_RATE, STANDBY_RATE, *WRITE_RATES, *CALL_RATES, "output_cost_per_token_flex"],
)
@pytest.mark.parametrize(
    "rate", ['"0.1"', "true", "[]", "{}", "-0.1", "-0.0", "1001", "1e-41", "1e999999999999999999999", "9" * 4_000]
)
def test_refusal_of_a_rate_names_it_and_hides_its_value(member: str, rate: str) -> None:
    """The value may be anything."""
    data = f'{{"gpt-x": {{"mode": "chat", "{member}": {rate}}}}}'.encode()

    with pytest.raises(ValueError, match=f"^'gpt-x': {member}: expected a number from 0 to 1000, in USD$"):
        parse(data)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ("5", "'m': search_context_cost_per_query: expected an object"),
        ('{"search_context_size_low":"x"}', "'m': search_context_cost_per_query: search_context_size_low: expected"),
    ],
)
def test_refusal_of_the_rates_of_searches_names_them(sizes: str, message: str) -> None:
    """They are an object of rates."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parse(f'{{"m":{{"search_context_cost_per_query":{sizes}}}}}'.encode())


def test_refusal_is_bounded_in_length() -> None:
    """Names in a list may be of any length."""
    with pytest.raises(ValueError, match="expected an object") as refused:
        parse(msgspec.json.encode({"\n" * 5_000: 1}))
    assert str(refused.value) == repr("\n" * 80) + ": expected an object"


# Text -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0E-12", "0"),
        ("0.0217636", "0.0217636"),
        ("0.0100", "0.01"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("4e-07", "0.0000004"),
        ("12345678901234567890123456789.123456789012", "12345678901234567890123456789.123456789012"),
    ],
)
def test_price_is_written_as_a_plain_decimal(usd: str, text: str) -> None:
    """Without an exponent and trailing zeros."""
    assert usd_text(Decimal(usd)) == text


# Laws -----------------------------------------------------------------------------------------------------------

RATE: Final = st.decimals(min_value=0, max_value=1_000, places=24)
COUNT: Final = st.integers(0, TOKENS_MAX)
COUNTS: Final = st.dictionaries(st.sampled_from(sorted(TOKEN_RATES.values())), COUNT)
BUCKET: Final = st.builds(
    Tokens,
    st.just("m"),
    st.sampled_from(["input", "output"]),
    st.sampled_from(["text", "audio", "image", "unknown"]),
    st.booleans(),
    COUNT,
)
MODEL: Final = st.fixed_dictionaries(dict.fromkeys(TOKEN_RATES, RATE))


def table_of(model: dict[str, Decimal]) -> PriceTable:
    rates = ",".join(f'"{member}":{rate:f}' for member, rate in model.items())
    return parse(f'{{"m":{{{rates}}}}}'.encode())


def buckets_of(counts: dict[tuple[str, str, bool], int]) -> list[Tokens]:
    return [Tokens("m", *key, tokens) for key, tokens in counts.items()]


@given(MODEL, st.lists(COUNTS, max_size=4))
def test_price_of_a_sum_is_the_sum_of_the_prices(
    model: dict[str, Decimal], usages: list[dict[tuple[str, str, bool], int]]
) -> None:
    """Exactly, in any decimal context of the thread, with fractions as the oracle."""
    table = table_of(model)
    each = Decimal(0)
    together: dict[tuple[str, str, bool], int] = {}
    with localcontext(prec=3):
        for counts in usages:
            each = add_usd(each, priced(price(table, buckets_of(counts))).usd)
            together |= {key: together.get(key, 0) + tokens for key, tokens in counts.items()}
        at_once = priced(price(table, buckets_of(together))).usd
    fractions = {TOKEN_RATES[member]: Fraction(rate) for member, rate in model.items()}

    assert each == at_once
    assert Fraction(at_once) == sum((fractions[key] * tokens for key, tokens in together.items()), Fraction())


@given(MODEL, COUNTS, st.integers(0, 1_000))
def test_price_scales_and_is_never_negative(
    model: dict[str, Decimal], counts: dict[tuple[str, str, bool], int], times: int
) -> None:
    """For any rates and counts."""
    table = table_of(model)
    once = priced(price(table, buckets_of(counts))).usd
    often = priced(price(table, buckets_of({key: tokens * times for key, tokens in counts.items()}))).usd

    assert once >= 0
    assert Fraction(often) == Fraction(once) * times


@given(st.sampled_from(sorted(TABLE.models)), st.lists(BUCKET))
def test_any_usage_of_any_shipped_model_has_a_price_or_a_reason(model: str, used: list[Tokens]) -> None:
    """And raises nothing."""
    result = price(TABLE, [msgspec.structs.replace(each, model=model) for each in used])

    if isinstance(result, Priced):
        assert result.usd == sum(Fraction(line.rate) * line.tokens for line in result.lines if isinstance(line, Line))
        assert [line.tokens for line in result.lines if isinstance(line, Line)] == [
            each.tokens for each in used if each.tokens
        ]
    else:
        assert result.reason in {"unknown_modality", "no_rate"}


@given(st.sampled_from(["whisper-1", "gpt-realtime-whisper"]), st.floats(0, TOKENS_MAX))
def test_duration_costs_its_share_to_the_picodollar(model: str, seconds: float) -> None:
    """For any length."""
    rate = {"whisper-1": Fraction(6, 1_000), "gpt-realtime-whisper": Fraction(17, 1_000)}[model]
    usd = priced(price_seconds(TABLE, model, seconds)).usd

    assert abs(Fraction(usd) - Fraction(Decimal(repr(seconds))) * rate / 60) <= Fraction(1, 2 * 10**12)


@given(st.decimals(min_value=0, allow_nan=False, allow_infinity=False, places=20))
def test_written_price_reads_the_same(usd: Decimal) -> None:
    """For any price."""
    text = usd_text(usd)

    assert Decimal(text) == usd
    assert re.fullmatch(r"0|[1-9][0-9]*|(?:0|[1-9][0-9]*)\.[0-9]*[1-9]", text)


JSON: Final = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["schema", "models", "m", *TOKEN_RATES]) | st.text(), inner)
    ),
)


@given(st.binary() | JSON.map(msgspec.json.encode))
def test_any_bytes_are_a_price_list_or_refused(data: bytes) -> None:
    """With a ValueError, and nothing else."""
    with suppress(ValueError):
        assert isinstance(parse(data), PriceTable)


ENDINGS: Final = st.sampled_from(
    ["", "_above_1k_tokens", "_flex", "_above_1k_tokens_flex", "_above_2k_tokens_priority"]
)
AGENT: Final = st.dictionaries(
    st.builds(
        lambda member, ending: member + ending,
        st.sampled_from(["input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token", *WRITE_RATES]),
        ENDINGS,
    ),
    st.decimals(min_value=0, max_value=1, places=9),
    min_size=1,
)
AGENT_USAGE: Final = st.fixed_dictionaries(
    {
        "input_tokens": st.integers(0, 3_000),
        "input_tokens_details": st.fixed_dictionaries(
            {"cached_tokens": st.integers(0, 500), "cache_write_tokens": st.integers(0, 500)},
            optional={"cache_write_tokens_details": st.fixed_dictionaries({"ttl_12h_tokens": st.integers(0, 500)})},
        ),
        "output_tokens": st.integers(0, 3_000),
    }
)


@given(AGENT, AGENT_USAGE, st.sampled_from([None, "auto", "default", "flex", "priority", "fast", "scale", "x"]))
def test_price_of_a_response_is_that_of_its_lines(
    model: dict[str, Decimal], reported: dict[str, Any], tier: str | None
) -> None:
    """They are its buckets, with what was written apart; or it has no price at all."""
    table = table_of(model)
    measured = usage.measure(msgspec.convert(reported, ResponseUsage), "m")
    result = price(table, measured.tokens, tier, measured.writes)

    if isinstance(result, Unpriced):
        assert result.reason == "no_rate"
        return
    lines = [line for line in result.lines if isinstance(line, Line)]
    sums: Counter[tuple[str, bool]] = Counter()
    for line in lines:
        assert line.tokens > 0
        sums[line.direction, line.cached] += line.tokens
    assert sums == Counter({(each.direction, each.cached): each.tokens for each in measured.tokens})
    written = tuple(CacheWrite(line.cache_write, line.tokens) for line in lines if line.cache_write)
    assert sorted(written, key=repr) == sorted(measured.writes, key=repr)
    assert Fraction(result.usd) == sum((Fraction(line.rate) * line.tokens for line in lines), Fraction())
    assert {line.rate for line in lines} <= set(model.values())
