"""What a Live session costs: the time that it was active and the time that it was paused, each by its own rate.

Upstream reports how long a session has lasted so far, over and over: each report replaces the one before it, and none
is added to another. What a report brings is its increase over all that was billed before, and the price of that is the
price of the whole less the price of what came before. So the increases of a session add up to the price of its newest
report, to the last digit. Where its end was not seen that is a lower bound.

Responses and decisions that a session causes are no part of this: each is a usage of its own, of its own model.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import reduce
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from steno.core.billing.claims import Times
from steno.core.billing.costs import CONTRADICTORY, DUPLICATE_SOURCE, Terms, cost_of
from steno.core.billing.prices import Priced, PriceTable, Unpriced, add_usd, price_seconds, price_standby
from steno.core.conversation import Conversation
from steno.core.facts import Cost
from steno.wire.usage import SessionUsage

DECREASED: Final = "usage_decreased"
"""What is noted of a report of less than was reported before. It changes nothing."""
APART: Final = Decimal(1)
"""How far the two times may be from their sum, in seconds: one of them is rounded."""

PriceOfTime = Callable[[PriceTable | None, str | None, Decimal], Priced | Unpriced]

_NONE: Final = Decimal(0)


class Meter(Struct, gc=False):
    """What was reported of one session so far. It changes in place."""

    terms: Terms
    active: Decimal = _NONE
    paused: Decimal = _NONE
    billed: Times = (_NONE, _NONE)
    """Up to where this was billed. The rest another source was, or nobody."""
    unpriced: str | None = None
    """Why the session has no price, where that was said: it is said once."""


class Increase(Struct, frozen=True, gc=False):
    """What one report of a session brings."""

    seconds: float
    """How long the session has lasted so far, of which:"""
    active_seconds: float
    """The further time in which it was active,"""
    paused_seconds: float
    """and in which it was paused."""
    cost: Cost | None
    """The price of the further time. None where there is none, or where its price is unknown and that was said."""


def report(state: Conversation, meter: Meter, reported: SessionUsage | None, key: str | None) -> Increase | None:
    """Take how long a session has lasted so far; return what that adds to the totals, and to the bill.

    None where nothing is reported, or less than before, or times that contradict each other: then nothing changes, and
    the two latter are noted. `key` is the id of the session: what another source, or an earlier stream, was billed for
    is not billed again.
    """
    times = _times(reported)
    if times is None:
        if reported is not None and reported.seconds is not None:
            state.note(CONTRADICTORY)
        return None
    if times[0] < meter.active or times[1] < meter.paused:
        state.note(DECREASED)
        return None
    heard = before = (meter.active, meter.paused)
    meter.active, meter.paused = times
    if state.claims is not None:
        if not state.claims.bill(state, None):
            return Increase(float(sum(times)), 0, 0, _unpriced(state, meter, DUPLICATE_SOURCE))
        before = state.claims.meter(key, heard, meter.billed, times)
    meter.billed = times
    active, paused = times[0] - before[0], times[1] - before[1]
    if not active and not paused:
        return Increase(float(sum(times)), 0, 0, None)
    state.totals.add_seconds(meter.terms.model, float(active + paused))
    return Increase(float(sum(times)), float(active), float(paused), _cost(state, meter, before, times))


def _times(reported: SessionUsage | None) -> Times | None:
    """Return the active and the paused time. None where they are not reported, or are not the whole time.

    Without the two, a session was active all the time.
    """
    if reported is None:
        return None
    whole, active, paused = map(_exact, (reported.seconds, reported.active_seconds, reported.paused_seconds))
    if whole is None:
        return None if active is None else (active, paused or _NONE)
    if paused is None:
        paused = _NONE if active is None else whole - active
    elif active is not None and abs(whole - active - paused) > APART:
        return None
    return None if paused < 0 or paused > whole else (whole - paused, paused)


def _exact(seconds: float | None) -> Decimal | None:
    return None if seconds is None else Decimal(repr(seconds))


def _cost(state: Conversation, meter: Meter, before: Times, now: Times) -> Cost | None:
    """Return the price of the time since `before`, added to the totals; None where it is unknown and that was said."""
    parts = [
        priced
        for price, was, lasted in zip((price_seconds, price_standby), before, now, strict=True)
        if lasted > was
        for priced in [_since(price, meter.terms, was, lasted)]
    ]
    for part in parts:
        if isinstance(part, Unpriced):
            return _unpriced(state, meter, part.reason)
    whole = _joined([part for part in parts if isinstance(part, Priced)])
    state.totals.add_cost(whole.usd)
    return cost_of(whole)


def _since(price: PriceOfTime, terms: Terms, was: Decimal, lasted: Decimal) -> Priced | Unpriced:
    """Return the price of the time from `was` to `lasted`."""
    before, now = price(terms.prices, terms.model, was), price(terms.prices, terms.model, lasted)
    if isinstance(before, Unpriced) or isinstance(now, Unpriced):
        return now
    (line,) = now.lines
    return replace(now, usd=add_usd(now.usd, before.usd.copy_negate()), lines=(replace(line, seconds=lasted - was),))


def _joined(parts: Sequence[Priced]) -> Priced:
    usd = reduce(add_usd, (part.usd for part in parts))
    return replace(parts[0], usd=usd, lines=tuple(line for part in parts for line in part.lines))


def _unpriced(state: Conversation, meter: Meter, reason: str) -> Cost | None:
    if meter.unpriced == reason:
        return None
    meter.unpriced = reason
    state.totals.add_unpriced(reason)
    return Cost(unpriced=reason)
