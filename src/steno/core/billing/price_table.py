"""The price table: parsed from our own file or from a LiteLLM price list, overridden, and looked up by model.

Rates are in USD, in the members of LiteLLM's list, which is read as it is. Its further members are not read: tiers of
service, batches, searches and regions are not in the stream, and reasoning is text. One member is our own,
`input_cost_per_minute`, since a 60th of $0.017 has no end as a decimal.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec import Struct

SCHEMA: Final = "steno.prices/1"

RateKey = tuple[str, str, bool]
"""Direction, modality, cached or not: as in `facts.Tokens`."""

TOKEN_RATES: Final[Mapping[str, RateKey]] = {
    "input_cost_per_token": ("input", "text", False),
    "input_cost_per_audio_token": ("input", "audio", False),
    "input_cost_per_image_token": ("input", "image", False),
    "cache_read_input_token_cost": ("input", "text", True),
    "cache_read_input_audio_token_cost": ("input", "audio", True),
    "cache_read_input_image_token_cost": ("input", "image", True),
    "output_cost_per_token": ("output", "text", False),
    "output_cost_per_audio_token": ("output", "audio", False),
}
SECOND_RATE: Final = "input_cost_per_second"
MINUTE_RATE: Final = "input_cost_per_minute"

RATE_MAX: Final = 1_000
"""Largest rate that is accepted, in USD. A larger one is for something else than a token, a second or a minute."""

PLACES_MAX: Final = 40
"""Most decimal places of a rate; LiteLLM's have 24. The bound keeps sums within the precision of `prices.EXACT`."""

VENDOR: Final = "openai/"
_SAMPLE: Final = "sample_spec"  # an entry of LiteLLM's list that explains the members, and is no model
_DATE: Final = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_SNAPSHOT: Final = re.compile(rf"(.+)-{_DATE.pattern}")
_TIER: Final = re.compile(r"(?:(?:in|out)put_cost_per_\w*token|cache_read_input_\w*cost)_above_([0-9]{1,6})k_tokens")
_VERSION: Final = re.compile(r"[\w.+:-]{1,64}", re.ASCII)


class Rates(Struct, frozen=True):
    """The rates of one model, in USD: per token by bucket, per second, per minute."""

    tokens: Mapping[RateKey, Decimal]
    second: Decimal | None = None
    minute: Decimal | None = None
    tier_tokens: int | None = None
    """Input tokens past which other rates hold. Those are not read, so such a usage has no price."""


class PriceTable(Struct, frozen=True):
    """Rates by model, as of a date. `digest` is the SHA-256, in hex, of the bytes that it was parsed from."""

    version: str
    date: str | None
    digest: str
    models: Mapping[str, Rates]


def parse(data: bytes) -> PriceTable:
    """Parse a price table: our own (`"schema": "steno.prices/1"`), or a LiteLLM list, which has no version and no date.

    The version of a LiteLLM list is the beginning of its digest. Raises ValueError, and nothing else, that names the
    model and the member that are wrong.
    """
    members = _json(data)
    digest = hashlib.sha256(data).hexdigest()
    if "schema" not in members:
        return PriceTable(f"sha256:{digest[:12]}", None, digest, _models(members))
    if members["schema"] != SCHEMA:
        raise ValueError(f"schema: expected {SCHEMA!r}")
    version, date = members.get("version"), members.get("date")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ValueError("version: expected up to 64 letters, digits and .+:-_")
    if not isinstance(date, str) or not _DATE.fullmatch(date):
        raise ValueError("date: expected YYYY-MM-DD")
    return PriceTable(version, date, digest, _models(_object(members.get("models"), "models")))


def merge(base: PriceTable, override: PriceTable) -> PriceTable:
    """Return `base` with the models of `override`. Each replaces all rates of the model of its exact name.

    Rates for `gpt-realtime` do not replace those that `base` has for a snapshot of it. The date is the newer one.
    """
    return PriceTable(
        f"{base.version}+override:{override.digest[:12]}",
        max((date for date in (base.date, override.date) if date), default=None),
        hashlib.sha256(f"{base.digest}{override.digest}".encode()).hexdigest(),
        {**base.models, **override.models},
    )


def _json(data: bytes) -> dict[str, Any]:
    try:
        members = msgspec.json.Decoder(float_hook=_decimal).decode(data)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested without end
        raise ValueError("price list: expected JSON") from None
    return _object(members, "price list")


def _object(value: Any, what: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{what}: expected an object")


def _decimal(text: str) -> Decimal:
    """Return a JSON number exactly. One that no Decimal can hold is NaN, and refused where it is a rate."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _models(members: dict[str, Any]) -> dict[str, Rates]:
    return {
        model: _rates(repr(model[:80]), _object(rates, repr(model[:80])))
        for model, rates in members.items()
        if model != _SAMPLE
    }


def _rates(model: str, members: dict[str, Any]) -> Rates:
    tokens = {key: _rate(model, member, members) for member, key in TOKEN_RATES.items()}
    tiers = [int(found[1]) * 1_000 for found in map(_TIER.fullmatch, members) if found]
    return Rates(
        {key: rate for key, rate in tokens.items() if rate is not None},
        _rate(model, SECOND_RATE, members),
        _rate(model, MINUTE_RATE, members),
        min(tiers, default=None),
    )


def _rate(model: str, member: str, members: dict[str, Any]) -> Decimal | None:
    value = members.get(member)
    if value is None:
        return None
    number = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal("NaN")
    if not number.is_finite() or number.is_signed() or number > RATE_MAX or _places(number) > PLACES_MAX:
        raise ValueError(f"{model}: {member}: expected a number from 0 to {RATE_MAX}, in USD")
    return number


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def resolve(table: PriceTable, model: str) -> tuple[str, Rates] | None:
    """Return the name under which `table` has `model`, and its rates; None where it has none.

    The names are tried in this order: the exact one; for a dated snapshot `<name>-YYYY-MM-DD`, the `<name>`; then the
    same two without a leading `openai/`, since a bare name is that vendor's. No other prefix is removed: what
    `azure/gpt-realtime` costs is for the table to say. No name stands for a longer one: `gpt-realtime-translate` is
    another model than `gpt-realtime`.
    """
    for name in _names(model):
        rates = table.models.get(name)
        if rates is not None:
            return name, rates
    return None


def _names(model: str) -> Iterator[str]:
    for name in (model, model.removeprefix(VENDOR)):
        yield name
        snapshot = _SNAPSHOT.fullmatch(name)
        if snapshot:
            yield snapshot[1]
