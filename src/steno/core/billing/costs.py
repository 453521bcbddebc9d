"""The price of each usage as it is reported: for its fact, and added to the totals of its conversation."""

from decimal import Decimal
from typing import Final

from steno.core.billing.prices import DurationLine, Line, Priced, Unpriced, price, price_seconds, usd_text
from steno.core.conversation import Conversation
from steno.core.facts import Cost, CostLine, Tokens

NO_USAGE: Final = "no_usage"
"""Why there is no price where upstream reported no usage: what nobody counted is not free."""


def of_tokens(state: Conversation, buckets: tuple[Tokens, ...]) -> Cost | None:
    """Return the price of the `buckets` of one usage, added to the totals; None where there are none."""
    return _added(state, price(state.prices, buckets)) if buckets else None


def of_seconds(state: Conversation, model: str | None, seconds: float) -> Cost | None:
    """Return the price of a duration, added to the totals."""
    return _added(state, price_seconds(state.prices, model, Decimal(repr(seconds))))


def of_no_usage(state: Conversation) -> Cost:
    """Return that a usage has no price since none was reported, counted in the totals."""
    state.totals.add_unpriced(NO_USAGE)
    return Cost(unpriced=NO_USAGE)


def _added(state: Conversation, result: Priced | Unpriced) -> Cost:
    if isinstance(result, Unpriced):
        state.totals.add_unpriced(result.reason)
        return Cost(unpriced=result.reason)
    state.totals.add_cost(result.usd)
    return Cost(
        usd=usd_text(result.usd),
        model=result.model,
        table_version=result.table_version,
        lines=tuple(_line(line) for line in result.lines),
    )


def _line(line: Line | DurationLine) -> CostLine:
    if isinstance(line, DurationLine):
        return CostLine(rate=usd_text(line.rate), per=line.per, quantity=usd_text(line.seconds))
    return CostLine(
        rate=usd_text(line.rate),
        per="token",
        quantity=str(line.tokens),
        direction=line.direction,
        modality=line.modality,
        cached=line.cached,
    )
