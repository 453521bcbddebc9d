"""The price of a usage: exact, for all of it or none, and with its calculation."""

import re
from collections import Counter
from decimal import Decimal, localcontext
from fractions import Fraction
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
    parse,
    price,
    price_calls,
    price_seconds,
    usd_text,
)
from steno.core.billing.rates import (
    TOKEN_RATES,
    WRITE_RATES,
)
from steno.core.facts import CacheWrite, Tokens
from steno.limits import TOKENS_MAX
from steno.wire.usage import CompletionUsage, ResponseUsage, Usage
from tests.core.billing.lists import TABLE, VERSION, bucket, listed, priced

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
