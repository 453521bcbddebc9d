"""What usage costs: exact arithmetic over disjoint buckets of tokens, at the rates of a table that arrives as data.

A usage is priced whole or not at all. What cannot be priced says why, in a word from a closed list: nothing costs
0 because its price is not known. What was priced names the rates, the quantities and the version of the table.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final, Literal

from msgspec import Struct

from steno.core.billing.price_table import PriceTable, Rates, merge, parse, resolve
from steno.core.facts import Tokens

__all__ = [
    "DurationLine",
    "Line",
    "PriceTable",
    "Priced",
    "Rates",
    "Unpriced",
    "UnpricedReason",
    "add_usd",
    "merge",
    "parse",
    "price",
    "price_seconds",
    "resolve",
    "usd_text",
]

EXACT: Final = Context(prec=100, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
"""Wide enough for any rate times any count that is believed: nothing that is priced by tokens is ever rounded."""

PICODOLLAR: Final = Decimal("1e-12")
"""What the price of a duration by the minute is rounded to, half to even: dividing by 60 may have no end."""

UnpricedReason = Literal["no_price_list", "no_model", "unknown_model", "unknown_modality", "no_rate"]
"""Why there is no price: no table; upstream named no model; a model that is not in the table; tokens whose modality
upstream did not tell, where the modalities' rates differ; a bucket that the model has no rate for."""


class Line(Struct, frozen=True):
    """One bucket of a usage and its rate, in USD per token."""

    direction: str
    modality: str
    cached: bool
    tokens: int
    rate: Decimal


class DurationLine(Struct, frozen=True):
    """A duration and its rate, in USD per `per`."""

    seconds: Decimal
    rate: Decimal
    per: Literal["second", "minute"]


class Priced(Struct, frozen=True):
    """What a usage costs, and the proof: the sum over `lines`, at the rates of `model` in a table of this version.

    `model` is the name as it was found in the table; it is None for a usage of nothing, which costs nothing.
    """

    usd: Decimal
    model: str | None
    lines: tuple[Line | DurationLine, ...]
    table_version: str


class Unpriced(Struct, frozen=True):
    """Why a usage has no price."""

    reason: UnpricedReason


def price(table: PriceTable | None, buckets: Iterable[Tokens]) -> Priced | Unpriced:
    """Return what the `buckets` of one usage cost, exactly. They are of one model, as in `core.usage`.

    Cached tokens without a cached rate have none: neither the full rate nor that of cached text is theirs. (LiteLLM
    takes these in silence; for a model without a discount, write the full rate there.) Tokens of unknown modality
    have a rate where all modalities that the model takes in their direction have the same, as in a model of text.
    Raises ValueError when the buckets name several models.
    """
    if table is None:
        return Unpriced("no_price_list")
    used = [bucket for bucket in buckets if bucket.tokens]
    models = {bucket.model for bucket in used}
    if len(models) > 1:
        raise ValueError("the buckets of one usage name several models")
    if not used:
        return Priced(Decimal(0), None, (), table.version)
    found = _found(table, models.pop())
    if isinstance(found, Unpriced):
        return found
    name, rates = found
    if rates.tier_tokens is not None and _input(used) > rates.tier_tokens:
        return Unpriced("no_rate")
    lines = []
    for bucket in used:
        rate = _rate_of(rates, bucket)
        if not isinstance(rate, Decimal):
            return Unpriced(rate)
        lines.append(Line(bucket.direction, bucket.modality, bucket.cached, bucket.tokens, rate))
    return Priced(_sum(lines), name, tuple(lines), table.version)


def price_seconds(table: PriceTable | None, model: str | None, seconds: float | Decimal) -> Priced | Unpriced:
    """Return what `seconds` of `model` cost: exactly by the second, else by the minute, to the 12th decimal place.

    A float is taken for the decimal that it is written as. Raises ValueError when it is no duration.
    """
    if table is None:
        return Unpriced("no_price_list")
    duration = seconds if isinstance(seconds, Decimal) else Decimal(repr(seconds))
    if not duration.is_finite() or duration < 0:
        raise ValueError("seconds: expected a duration")
    found = _found(table, model)
    if isinstance(found, Unpriced):
        return found
    name, rates = found
    if rates.minute is not None:
        usd = EXACT.divide(EXACT.multiply(duration, rates.minute), Decimal(60)).quantize(PICODOLLAR, context=EXACT)
        return Priced(usd, name, (DurationLine(duration, rates.minute, "minute"),), table.version)
    if rates.second is not None:
        usd = EXACT.multiply(duration, rates.second)
        return Priced(usd, name, (DurationLine(duration, rates.second, "second"),), table.version)
    return Unpriced("no_rate")


def add_usd(usd: Decimal, further: Decimal) -> Decimal:
    """Return the sum of two prices, exactly: `+` would round to the 28 digits of the thread's own context."""
    return EXACT.add(usd, further)


def usd_text(usd: Decimal) -> str:
    """Return `usd` as a plain decimal: no exponent, no trailing zeros, `0` for nothing."""
    return format(usd.normalize(EXACT), "f") if usd else "0"


def _found(table: PriceTable, model: str | None) -> tuple[str, Rates] | Unpriced:
    if model is None:
        return Unpriced("no_model")
    return resolve(table, model) or Unpriced("unknown_model")


def _rate_of(rates: Rates, bucket: Tokens) -> Decimal | UnpricedReason:
    direction, cached = bucket.direction, bucket.cached
    if bucket.modality != "unknown":
        rate = rates.tokens.get((direction, bucket.modality, cached))
        return "no_rate" if rate is None else rate
    taken = {modality for side, modality, _ in rates.tokens if side == direction}
    possible = {rates.tokens.get((direction, modality, cached)) for modality in taken}
    if len(possible) > 1:
        return "unknown_modality"
    rate = next(iter(possible), None)
    return "no_rate" if rate is None else rate


def _input(buckets: Iterable[Tokens]) -> int:
    return sum(bucket.tokens for bucket in buckets if bucket.direction == "input")


def _sum(lines: Iterable[Line]) -> Decimal:
    usd = Decimal(0)
    for line in lines:
        usd = add_usd(usd, EXACT.multiply(Decimal(line.tokens), line.rate))
    return usd
