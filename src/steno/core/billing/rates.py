"""The rates of one model, read from its entry in a price list.

Rates are in USD, in the members of LiteLLM's list, which is read as it is. A rate of tokens may have two endings, in
this order: the length of the input past which it holds for the whole of a usage, and the service tier
(`input_cost_per_token_above_272k_tokens_flex`). Without them it is of the standard tier and of a short input. Tokens
that are written to the prompt cache have a rate for each time to live (`cache_creation_input_token_cost`, which is 30
minutes, and `..._above_12hr`).

Other members are not read: regions are not in the stream, and reasoning is text. Three are our own:

    input_cost_per_minute       a 60th of $0.017 has no end as a decimal
    standby_cost_per_minute     of a session that is paused
    web_search_cost_per_query   where the older tool, with `search_context_cost_per_query`, costs something else
"""

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from functools import cache, lru_cache
from typing import Any, Final

from msgspec import Struct

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
    "output_cost_per_image_token": ("output", "image", False),
}
WRITE_RATES: Final[Mapping[str, str]] = {
    "cache_creation_input_token_cost": "30m",
    "cache_creation_input_token_cost_above_12hr": "12h",
}
"""The rate of text that is written to the cache, and how long it is kept there."""
SEARCH: Final = "web_search"
SEARCH_OF_OLD: Final = "web_search_preview"
CALL_RATES: Final[Mapping[str, tuple[str, int]]] = {
    "web_search_cost_per_query": (SEARCH, 1),
    "file_search_cost_per_1k_calls": ("file_search", 1_000),
}
"""The rate of calls of a built-in tool: its kind, and how many calls it is of."""
SEARCH_RATES: Final = "search_context_cost_per_query"
"""The rates of a search of the web, by the size of what it brings into the input. Read where all are the same."""
SECOND_RATE: Final = "input_cost_per_second"
MINUTE_RATE: Final = "input_cost_per_minute"
STANDBY_RATE: Final = "standby_cost_per_minute"

TIERS: Final[Mapping[str, str]] = {
    "flex": "flex",
    "priority": "priority",
    "batches": "batch",
    "scale": "scale",
    "ultrafast": "ultrafast",
    "decisions": "decisions",
}
"""The ending of a rate, and the service tier that it is for."""

RATE_MAX: Final = 1_000
"""Largest rate that is accepted, in USD. A larger one is for something else than a token, a second or a minute."""

PLACES_MAX: Final = 40
"""Most decimal places of a rate; LiteLLM's have 24. The bound keeps sums within the precision of `prices.EXACT`."""

_EXACT: Final = Context(prec=100)
# Compiled when a model is first priced.
_RATE: Final = cache(
    lambda: re.compile(
        rf"({'|'.join((*TOKEN_RATES, *sorted(WRITE_RATES, reverse=True)))})"
        rf"(?:_above_([0-9]{{1,6}})k_tokens)?(?:_({'|'.join(TIERS)}))?"
    )
)
_LONG: Final = cache(
    lambda: re.compile(r"(?:(?:in|out)put_cost_per_\w*token|cache_read_input_\w*cost)_above_([0-9]{1,6})k_tokens")
)
"""A rate that says from which length of the input on others hold, whether or not it is one that is read."""


class TokenRates(Struct, frozen=True):
    """What a token costs, in USD, by its bucket; and one that is written to the cache, by how long it is kept."""

    tokens: Mapping[RateKey, Decimal]
    writes: Mapping[str, Decimal] = {}


class Rates(TokenRates, frozen=True):
    """The rates of one model, in USD: per token, per second, per minute, per call of a built-in tool.

    Its own rates of tokens are those of the standard tier and of a short input.
    """

    second: Decimal | None = None
    minute: Decimal | None = None
    standby: Decimal | None = None
    """Per minute in which a session is paused."""
    calls: Mapping[str, Decimal] = {}
    """By the kind of tool."""
    lengths: tuple[int, ...] = ()
    """Input tokens past which other rates hold, in ascending order."""
    special: Mapping[tuple[str, int], TokenRates] = {}
    """Rates by service tier (empty: the standard one) and by the length of the input past which they hold."""


def rates_of(model: str, members: Mapping[str, Any]) -> Rates:
    """Read the rates of `model`. Raises ValueError, which names the model and the member that is wrong."""
    tokens: dict[tuple[str, int], dict[RateKey, Decimal]] = {("", 0): {}}
    writes: dict[tuple[str, int], dict[str, Decimal]] = {("", 0): {}}
    lengths = set()
    for member in members:
        base, tier, length = _of_tokens(member)
        lengths.add(length)
        rate = _rate(model, member, members) if base else None
        if base in WRITE_RATES and rate is not None:
            writes.setdefault((tier, length), {})[WRITE_RATES[base]] = rate
        elif base in TOKEN_RATES and rate is not None:
            tokens.setdefault((tier, length), {})[TOKEN_RATES[base]] = rate
    return Rates(
        tokens.pop(("", 0)),
        writes.pop(("", 0)),
        second=_rate(model, SECOND_RATE, members),
        minute=_rate(model, MINUTE_RATE, members),
        standby=_rate(model, STANDBY_RATE, members),
        calls=_calls(model, members),
        lengths=tuple(sorted(lengths - {0})),
        special={key: TokenRates(tokens.get(key, {}), writes.get(key, {})) for key in (*tokens, *writes)},
    )


@lru_cache(maxsize=1_024)  # a list has some hundred different ones, over and over
def _of_tokens(member: str) -> tuple[str, str, int]:
    """Return a rate of tokens without its endings, the tier and the length of the input that those say.

    The first is empty where the member is none that is read. It may say a length all the same.
    """
    found = _RATE().fullmatch(member)
    if found:
        base, length, tier = found.groups()
        return base, TIERS[tier] if tier else "", int(length or 0) * 1_000
    other = _LONG().fullmatch(member)
    return "", "", int(other[1]) * 1_000 if other else 0


def _calls(model: str, members: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return the rates of one call of each built-in tool."""
    found = {SEARCH_OF_OLD: rate} if (rate := _search_rate(model, members)) is not None else {}
    for member, (kind, calls) in CALL_RATES.items():
        rate = _rate(model, member, members)
        if rate is not None:
            found[kind] = _EXACT.divide(rate, calls)
    if SEARCH_OF_OLD in found:
        found.setdefault(SEARCH, found[SEARCH_OF_OLD])
    return found


def _search_rate(model: str, members: Mapping[str, Any]) -> Decimal | None:
    sizes = members.get(SEARCH_RATES)
    if sizes is None:
        return None
    if not isinstance(sizes, dict):
        raise ValueError(f"{model}: {SEARCH_RATES}: expected an object")  # noqa: TRY004  # no mistake of the caller
    rates = {_rate(f"{model}: {SEARCH_RATES}", size, sizes) for size in sizes}
    return rates.pop() if len(rates) == 1 else None


def _rate(model: str, member: str, members: Mapping[str, Any]) -> Decimal | None:
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
