"""The price of a usage: exact arithmetic over disjoint buckets of tokens, at the rates of a table that arrives as data.

A usage has a price for all of its buckets, or none. Without a price there is a reason from a closed list: nothing
costs 0 because its price is unknown. With a price there are the rates, the quantities and the version of the table.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import lru_cache
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
    "rate_text",
    "resolve",
    "usd_text",
]

EXACT: Final = Context(prec=100, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
"""Wide enough for any rate times any count that is accepted: a price by tokens is never rounded."""

_NOTHING: Final = Decimal(0)
PICODOLLAR: Final = Decimal("1e-12")
"""What the price of a duration by the minute is rounded to, half to even, since a division by 60 may have no end."""

UnpricedReason = Literal["no_price_list", "no_model", "unknown_model", "unknown_modality", "no_rate"]
"""Why there is no price: there is no table; upstream named no model; the model is not in the table; upstream did not
report the modality of tokens, and the modalities' rates differ; the model has no rate for a bucket."""


class Line(Struct, frozen=True, gc=False):
    """One bucket of a usage, and its rate in USD per token."""

    direction: str
    modality: str
    cached: bool
    tokens: int
    rate: Decimal


class DurationLine(Struct, frozen=True):
    """A duration, and its rate in USD per `per`."""

    seconds: Decimal
    rate: Decimal
    per: Literal["second", "minute"]


class Priced(Struct, frozen=True, gc=False):
    """The price of a usage and its calculation: the sum over `lines`, at the rates of `model` in a table of a version.

    `model` is the name that was found in the table, and None for a usage of no tokens, which costs nothing.
    """

    usd: Decimal
    model: str | None
    lines: tuple[Line | DurationLine, ...]
    table_version: str


class Unpriced(Struct, frozen=True):
    """Why a usage has no price."""

    reason: UnpricedReason


def price(table: PriceTable | None, buckets: Iterable[Tokens]) -> Priced | Unpriced:
    """Return the exact price of the `buckets` of one usage, which are of one model.

    Cached tokens are priced by a cached rate alone, never by the full rate or that of cached text. (LiteLLM falls back
    to those without saying so. A table for a model without a discount has the full rate in the cached member.) Tokens
    of unknown modality are priced where all modalities of their direction have the same rate, as in a model of text.

    Raises ValueError where the buckets name several models.
    """
    if table is None:
        return Unpriced("no_price_list")
    used = [bucket for bucket in buckets if bucket.tokens]
    if not used:
        return Priced(_NOTHING, None, (), table.version)
    model = used[0].model
    for bucket in used:
        if bucket.model != model:
            raise ValueError("the buckets of one usage name several models")
    found = _found(table, model)
    if isinstance(found, Unpriced):
        return found
    name, rates = found
    if rates.tier_tokens is not None and _input(used) > rates.tier_tokens:
        return Unpriced("no_rate")
    lines = []
    usd = _NOTHING
    for bucket in used:
        direction, modality, cached, tokens = bucket.direction, bucket.modality, bucket.cached, bucket.tokens
        rate = rates.tokens.get((direction, modality, cached)) or _rate_of(rates, bucket)
        if type(rate) is not Decimal:
            return Unpriced(rate)  # type: ignore[arg-type]  # it is no Decimal: it is why there is none
        lines.append(Line(direction, modality, cached, tokens, rate))
        usd = EXACT.fma(rate, tokens, usd)
    return Priced(usd, name, tuple(lines), table.version)


def price_seconds(table: PriceTable | None, model: str | None, seconds: float | Decimal) -> Priced | Unpriced:
    """Return the price of `seconds` of `model`: by the minute, to the 12th decimal place, or exactly by the second.

    A float counts as the decimal that it is written as. Raises ValueError where it is no duration.
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
    """Return the exact sum of two prices. `+` would round to the 28 digits of the thread's own context."""
    return EXACT.add(usd, further)


def usd_text(usd: Decimal) -> str:
    """Return `usd` as a plain decimal: no exponent, no trailing zeros, `0` for nothing."""
    if not usd:
        return "0"
    normal = usd.normalize(EXACT)
    text = str(normal)
    return format(normal, "f") if "E" in text else text


rate_text: Final = lru_cache(maxsize=1_024)(usd_text)
"""The same for a rate: of these there are few."""


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
