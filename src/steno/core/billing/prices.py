"""The price of a usage: exact arithmetic over disjoint buckets of tokens, at the rates of a table that arrives as data.

A usage has a price for all of its buckets, or none. Without a price there is a reason from a closed list: nothing
costs 0 because its price is unknown. With a price there are the rates, the quantities and the version of the table.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from steno.core.billing.price_table import PriceTable, merge, parse, parse_shipped, resolve
from steno.core.billing.rates import Rates, TokenRates
from steno.core.facts import CacheWrite, Tokens

__all__ = [
    "CallsLine",
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
    "parse_shipped",
    "price",
    "price_calls",
    "price_seconds",
    "price_standby",
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
report the modality of tokens, and the modalities' rates differ; the model has no rate for a bucket, at this service
tier and this length of the input."""

STANDARD: Final = frozenset({None, "", "auto", "default"})
"""The service tiers that are priced by the standard rates: `auto` is what the project has, which is this by default."""
_TIERS: Final = {"fast": "priority"}
"""Another name of a service tier."""


class Line(Struct, frozen=True, gc=False):
    """One bucket of a usage, and its rate in USD per token."""

    direction: str
    modality: str
    cached: bool
    tokens: int
    rate: Decimal
    cache_write: str | None = None
    """How long they are kept, where they were written to the cache."""


class DurationLine(Struct, frozen=True):
    """A duration, and its rate in USD per `per`."""

    seconds: Decimal
    rate: Decimal
    per: Literal["second", "minute"]
    standby: bool = False


class CallsLine(Struct, frozen=True):
    """Calls of a built-in tool, and the rate in USD of one."""

    calls: int
    rate: Decimal


class Priced(Struct, frozen=True, gc=False):
    """The price of a usage and its calculation: the sum over `lines`, at the rates of `model` in a table of a version.

    `model` is the name that was found in the table, and None for a usage of no tokens, which costs nothing.
    """

    usd: Decimal
    model: str | None
    lines: tuple[Line | DurationLine | CallsLine, ...]
    table_version: str
    tier: str | None = None
    """The service tier that the rates are of; None for the standard one."""
    above: int | None = None
    """The length of the input past which the rates hold, in tokens; None for the first ones."""


class Unpriced(Struct, frozen=True):
    """Why a usage has no price."""

    reason: UnpricedReason


def price(
    table: PriceTable | None,
    buckets: Iterable[Tokens],
    tier: str | None = None,
    writes: Sequence[CacheWrite] = (),
) -> Priced | Unpriced:
    """Return the exact price of the `buckets` of one usage, which are of one model.

    Cached tokens are priced by a cached rate alone, never by the full rate or that of cached text. (LiteLLM falls back
    to those without saying so. A table for a model without a discount has the full rate in the cached member.) Tokens
    of unknown modality are priced where all modalities of their direction have the same rate, as in a model of text.

    `tier` is the service tier that upstream names. `writes` are the tokens of the fresh input that were written to the
    cache: these have rates of their own. No tier stands for another one, and no length of the input.

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
    held, named, length = _holding(rates, tier, used)
    lines = "no_rate" if held is None else _lines(held, used, writes)
    if isinstance(lines, str):
        return Unpriced(lines)
    usd = _NOTHING
    for line in lines:
        usd = EXACT.fma(line.rate, line.tokens, usd)
    return Priced(usd, name, tuple(lines), table.version, named, length)


def _holding(
    rates: Rates, tier: str | None, used: Iterable[Tokens]
) -> tuple[TokenRates | None, str | None, int | None]:
    """Return the rates that hold for a usage, None where there are none; and the tier and the length that they are of.

    The two are None for the standard tier and for a short input.
    """
    if tier in STANDARD and not rates.lengths:  # most often
        return rates, None, None
    named = "" if tier in STANDARD else _TIERS.get(tier or "", tier or "")
    tokens = _input(used)
    length = max((length for length in rates.lengths if tokens > length), default=0)
    held = rates.special.get((named, length)) if named or length else rates
    return held, named or None, length or None


def _lines(held: TokenRates, used: Iterable[Tokens], writes: Sequence[CacheWrite]) -> list[Line] | UnpricedReason:
    """Return each bucket with its rate, or why one has none."""
    lines = []
    for bucket in used:
        direction, modality, cached, tokens = bucket.direction, bucket.modality, bucket.cached, bucket.tokens
        rate = held.tokens.get((direction, modality, cached)) or _rate_of(held, bucket)
        if isinstance(rate, str):
            return rate
        lines.append(Line(direction, modality, cached, tokens, rate))
    return (_write(lines, writes, held) if writes else None) or lines


def _write(lines: list[Line], writes: Iterable[CacheWrite], held: TokenRates) -> UnpricedReason | None:
    """Let the tokens that were written to the cache have lines of their own. Return why they have no price, or None.

    They are fresh input. Where that is of several modalities nothing says which of it was written.
    """
    fresh = [place for place, line in enumerate(lines) if line.direction == "input" and not line.cached]
    if len(fresh) != 1 or lines[fresh[0]].modality not in {"text", "unknown"}:
        return "unknown_modality"
    rest = lines.pop(fresh[0])
    left = rest.tokens
    for number, write in enumerate(writes):
        rate = held.writes.get(write.kept)
        if rate is None:
            return "no_rate"
        left -= write.tokens
        lines.insert(fresh[0] + number, Line("input", rest.modality, False, write.tokens, rate, write.kept))
    if left:
        lines.insert(fresh[0], Line("input", rest.modality, False, left, rest.rate))
    return None


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
        line = DurationLine(duration, rates.minute, "minute")
        return Priced(_of_minutes(duration, rates.minute), name, (line,), table.version)
    if rates.second is not None:
        usd = EXACT.multiply(duration, rates.second)
        return Priced(usd, name, (DurationLine(duration, rates.second, "second"),), table.version)
    return Unpriced("no_rate")


def _of_minutes(seconds: Decimal, rate: Decimal) -> Decimal:
    return EXACT.divide(EXACT.multiply(seconds, rate), Decimal(60)).quantize(PICODOLLAR, context=EXACT)


def price_standby(table: PriceTable | None, model: str | None, seconds: Decimal) -> Priced | Unpriced:
    """Return the price of `seconds` in which a session of `model` was paused, to the 12th decimal place."""
    if table is None:
        return Unpriced("no_price_list")
    found = _found(table, model)
    if isinstance(found, Unpriced):
        return found
    name, rates = found
    if rates.standby is None:
        return Unpriced("no_rate")
    line = DurationLine(seconds, rates.standby, "minute", standby=True)
    return Priced(_of_minutes(seconds, rates.standby), name, (line,), table.version)


def price_calls(table: PriceTable | None, model: str | None, kind: str, calls: int) -> Priced | Unpriced:
    """Return the exact price of `calls` of the built-in tool `kind` by responses of `model`."""
    if table is None:
        return Unpriced("no_price_list")
    found = _found(table, model)
    if isinstance(found, Unpriced):
        return found
    name, rates = found
    rate = rates.calls.get(kind)
    if rate is None:
        return Unpriced("no_rate")
    return Priced(EXACT.multiply(rate, calls), name, (CallsLine(calls, rate),), table.version)


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


def _rate_of(rates: TokenRates, bucket: Tokens) -> Decimal | UnpricedReason:
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
