"""The price of each usage as it is reported: for its fact, and added to the totals of its conversation.

A response, a run or a transcription is judged by what held when it began: its model, and the price list of that moment
(`Terms`). Each ends in one `Bill`, and what the bill says is what all outputs say.
"""

from decimal import Decimal
from typing import Final

from msgspec import UNSET, Struct

from steno.core.billing import usage
from steno.core.billing.prices import (
    CallsLine,
    DurationLine,
    Line,
    Priced,
    PriceTable,
    Unpriced,
    price,
    price_calls,
    price_seconds,
    rate_text,
    usd_text,
)
from steno.core.billing.usage import Measured
from steno.core.conversation import Conversation
from steno.core.facts import CacheWrite, Cost, CostLine, Tokens
from steno.wire.usage import Usage

NO_USAGE: Final = "no_usage"
"""Why there is no price where upstream did not report all of a usage: what nobody counted is not free."""


class Terms(Struct, frozen=True):
    """What a usage is billed by."""

    model: str | None
    prices: PriceTable | None
    tier: str | None = None
    """The service tier that upstream says a response was served by; None where it names none."""


class Bill(Struct, frozen=True, gc=False):
    """What one usage was, and what it cost."""

    tokens: tuple[Tokens, ...]
    seconds: float | None
    """Where it is billed by duration."""
    cost: Cost
    cache_writes: tuple[CacheWrite, ...] = ()
    """What of the tokens was written to the prompt cache."""


CONTRADICTORY: Final = "contradictory_usage"
"""What is noted of a usage whose parts are more than the whole of it. What it costs is unknown."""
DUPLICATE_SOURCE: Final = "duplicate_source"
"""Why there is no price where another source follows the same call, and is billed for it."""


def part_key(item_id: str, part: int) -> str | None:
    """Return what a transcription is known by: its item, and which part of it. None where nothing names it."""
    return f"{item_id} {part}" if item_id else None


def bill(state: Conversation, reported: Usage | None, terms: Terms, key: str | None) -> Bill:
    """Return the bill of one usage, added to the totals. One that is not `reported` in full has no price.

    `key` is what the usage is known by: the id of its response, run or session, or `part_key`; None where it has none.
    One that another source is billed for counts nothing here.
    """
    if state.claims is not None and not state.claims.bill(state, key):
        return Bill((), None, _unpriced(state, DUPLICATE_SOURCE))
    measured = usage.measure(reported, terms.model)
    if measured.contradictory:
        state.note(CONTRADICTORY)
    state.totals.add_tokens(measured.tokens)
    if measured.seconds is not None:
        state.totals.add_seconds(terms.model, measured.seconds)
    return Bill(measured.tokens, measured.seconds, _cost(state, measured, terms), measured.writes)


def bill_calls(state: Conversation, kind: str, calls: int, terms: Terms, key: str | None) -> Cost:
    """Return what `calls` of the built-in tool `kind` cost, added to the totals. `key` names both."""
    if state.claims is not None and not state.claims.bill(state, key):
        return _unpriced(state, DUPLICATE_SOURCE)
    return _added(state, price_calls(terms.prices, terms.model, kind, calls))


def of_no_usage(state: Conversation, key: str | None) -> Cost:
    """Return that a usage has no price since none was reported, counted in the totals. `key` is that of `bill`."""
    elsewhere = state.claims is not None and state.claims.elsewhere(state, key)
    return _unpriced(state, DUPLICATE_SOURCE if elsewhere else NO_USAGE)


def _unpriced(state: Conversation, reason: str) -> Cost:
    state.totals.add_unpriced(reason)
    return Cost(unpriced=reason)


def _cost(state: Conversation, measured: Measured, terms: Terms) -> Cost:
    if not measured.whole:
        return _unpriced(state, NO_USAGE)
    if measured.seconds:
        return _added(state, price_seconds(terms.prices, terms.model, Decimal(repr(measured.seconds))))
    if measured.tokens:
        return _added(state, price(terms.prices, measured.tokens, terms.tier, measured.writes))
    return Cost(usd="0")  # whatever the model and the prices


def _added(state: Conversation, result: Priced | Unpriced) -> Cost:
    if isinstance(result, Unpriced):
        return _unpriced(state, result.reason)
    state.totals.add_cost(result.usd)
    return cost_of(result)


def cost_of(priced: Priced) -> Cost:
    """Return what a fact says of a price."""
    return Cost(
        usd=usd_text(priced.usd),
        model=priced.model,
        table_version=priced.table_version,
        lines=tuple(map(_line, priced.lines)),
        service_tier=priced.tier or UNSET,
        above_tokens=priced.above or UNSET,
    )


def _line(line: Line | DurationLine | CallsLine) -> CostLine:
    if isinstance(line, Line):
        kept = line.cache_write or UNSET
        rate, tokens = rate_text(line.rate), str(line.tokens)
        return CostLine(rate, "token", tokens, line.direction, line.modality, line.cached, kept)
    if isinstance(line, CallsLine):
        return CostLine(rate_text(line.rate), "call", str(line.calls))
    standby = line.standby or UNSET
    return CostLine(rate=rate_text(line.rate), per=line.per, quantity=usd_text(line.seconds), standby=standby)
