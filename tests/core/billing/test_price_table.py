"""The price list: the one that is shipped, an operator's own, and the name under which a model is found."""

import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.core.billing import price_table
from steno.core.billing.prices import (
    Line,
    Priced,
    PriceTable,
    Unpriced,
    merge,
    parse,
    parse_shipped,
    price,
    price_seconds,
    resolve,
)
from steno.core.billing.rates import (
    CALL_RATES,
    MINUTE_RATE,
    SEARCH_RATES,
    SECOND_RATE,
    STANDBY_RATE,
    TOKEN_RATES,
    WRITE_RATES,
    Rates,
    rates_of,
)
from tests.core.billing.lists import SHIPPED, TABLE, VERSION, bucket, listed, priced

TEXT_IN: Final = ("input", "text", False)
TEXT_OUT: Final = ("output", "text", False)
TEXT_CACHED: Final = ("input", "text", True)
IMAGE_OUT: Final = ("output", "image", False)


def found(model: str, table: PriceTable = TABLE) -> str | None:
    resolved = resolve(table, model)
    return resolved and resolved[0]


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


def test_an_entry_of_the_shipped_list_is_read_when_its_model_is_first_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once, also where an operator's own list overrides others. Read are the same rates as at once."""
    read = []

    def noting(model: str, members: Mapping[str, Any]) -> Rates:
        read.append(model)
        return rates_of(model, members)

    own = parse(LITELLM)
    monkeypatch.setattr(price_table, "rates_of", noting)
    lazy = parse_shipped(SHIPPED)
    both = merge(lazy, own)
    assert (read, list(lazy.models)) == ([], list(TABLE.models))
    for table in (both, both, lazy):
        assert found("openai/gpt-realtime-2025-08-28", table) == "gpt-realtime-2025-08-28"
        assert found("gpt-nothing", table) is None
    assert both.models["gpt-realtime"] == own.models["gpt-realtime"]
    assert read == ["'gpt-realtime-2025-08-28'"] * 2
    assert lazy == TABLE


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

    assert (table.version, table.date, dict(table.models)) == ("1", "2026-01-01", {})


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


# Laws -----------------------------------------------------------------------------------------------------------

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
