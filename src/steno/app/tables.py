"""Tables for people: the totals of conversations, in a form that needs no documentation."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from typing import IO, Final

from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from steno.app.terminal import printable
from steno.core.billing.prices import add_usd, usd_text
from steno.core.conversation import Conversation, Totals
from steno.timestamps import seconds
from steno.wire.secrets import mask_text

_START_TIME: Final = re.compile(r"/\d{16}/")
"""The daemon's start in the name of a stream. It is long, and the same in all rows."""

OTHER_COLUMNS: Final = 60
"""The width of a row without the name of its conversation."""
SHOWN_NAMES: Final = 12
"""Names that `counted` shows; the others are a number."""
SHOWN_CHARACTERS: Final = 60
"""Longest name that is shown."""
SHORTEST_NAME: Final = 20
"""Characters of a conversation's name that are shown however narrow the terminal is."""


def console(*, stderr: bool = False, file: IO[str] | None = None) -> Console:
    """Return a console that prints every text as it is: brackets are no markup, and `:name:` is no emoji."""
    return Console(stderr=stderr, file=file, markup=False, emoji=False, highlight=False)


class Row(Struct, frozen=True):
    """The totals of one conversation, or the sum of many."""

    key: str
    family: str
    state: str
    events: int
    responses: dict[str, int]
    runs: dict[str, int]
    interruptions: dict[str, int]
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    cost: Decimal
    """USD of the usages that have a price."""
    unpriced: dict[str, int]
    """Usages that have none, by reason."""
    seconds: float | None
    """From its begin to its last frame; None where the recording has no times, and in a sum."""
    unbilled: int = 0
    """What has begun, and its usage is still to be reported."""


def row_of(state: Conversation) -> Row:
    """Return the row of a conversation as it is now."""
    totals = state.totals
    return Row(
        key=state.key,
        family=state.family,
        state=state.closed_reason or "open",
        events=state.events,
        responses=dict(totals.responses),
        runs=dict(totals.runs),
        interruptions=dict(totals.interruptions),
        tokens_in=_tokens(totals, "input"),
        tokens_cached=_tokens(totals, "input", cached=True),
        tokens_out=_tokens(totals, "output"),
        cost=totals.cost,
        unpriced=dict(totals.unpriced),
        seconds=seconds(state.opened_at, state.last_at),
        unbilled=state.unbilled(),
    )


def sum_of(rows: Iterable[Row]) -> Row:
    """Return all `rows` added up."""
    rows = list(rows)
    return Row(
        key=f"all {len(rows)}",
        family="",
        state="",
        events=sum(row.events for row in rows),
        responses=_added(row.responses for row in rows),
        runs=_added(row.runs for row in rows),
        interruptions=_added(row.interruptions for row in rows),
        tokens_in=sum(row.tokens_in for row in rows),
        tokens_cached=sum(row.tokens_cached for row in rows),
        tokens_out=sum(row.tokens_out for row in rows),
        cost=reduce(add_usd, (row.cost for row in rows), Decimal(0)),
        unpriced=_added(row.unpriced for row in rows),
        seconds=None,
        unbilled=sum(row.unbilled for row in rows),
    )


def conversation_table(rows: Sequence[Row], title: str, width: int, total: Row | None = None) -> Table:
    """Return a table with a line a conversation, and a line of sums where there are several.

    Args:
        rows: the conversations.
        title: the heading.
        width: columns of the terminal. With 80 or more nothing is cut but long names.
        total: the sum, where `rows` are only the first of many.
    """
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("conversation", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for heading in ("events", "resp.", "broken", "runs", "tokens", "s"):
        table.add_column(heading, justify="right", no_wrap=True)
    room = max(SHORTEST_NAME, width - OTHER_COLUMNS)
    for row in rows:
        table.add_row(*_cells(row, room))
    if len(rows) > 1:
        table.add_section()
        table.add_row(*_cells(total or sum_of(rows), room), style="bold")
    return table


def _cells(row: Row, room: int) -> Sequence[str]:
    return (
        shown_name(row.key, room),
        row.state,
        str(row.events),
        _unless_zero(sum(row.responses.values())),
        _unless_zero(sum(row.interruptions.values())),
        _unless_zero(sum(row.runs.values())),
        _unless_zero(row.tokens_in + row.tokens_out),
        "" if row.seconds is None else f"{row.seconds:.1f}",
    )


def shown_name(key: str, room: int) -> str:
    """Return the key of a conversation in up to `room` characters, without the daemon's start in it."""
    return printable(_shortened(_START_TIME.sub("/…/", mask_text(key)), room))


def _shortened(name: str, room: int) -> str:
    """Cut the middle out of `name`: names differ at both ends."""
    if len(name) <= room:
        return name
    head = (room - 1) * 2 // 3
    return f"{name[:head]}…{name[head + 1 - room :]}"


def outcome_lines(total: Row) -> list[str]:
    """Return `total` as lines: one for each kind of thing that ended, then tokens and cost."""
    kinds = (("responses", total.responses), ("broken off", total.interruptions), ("runs", total.runs))
    lines = [f"{name:<11}{_listed(counts)}" for name, counts in kinds if counts]
    tokens = f"{total.tokens_in} in, {total.tokens_cached} of them cached, {total.tokens_out} out"
    lines += [f"{'tokens':<11}{tokens}", f"{'cost':<11}{_cost(total)}"]
    return [*lines, f"{'unpriced':<11}{_listed(total.unpriced)}"] if total.unpriced else lines


def _cost(total: Row) -> str:
    """Return what all usages cost. Where one has no price, or is not reported yet, what is known is not all of it."""
    known = f"{usd_text(total.cost)} USD"
    if total.unpriced:
        known = f"unknown, at least {known}" if total.cost else "unknown"
    return f"{known}, without {total.unbilled} in progress" if total.unbilled else known


def _unless_zero(number: int) -> str:
    """Return an empty cell for a zero, so that the other numbers are seen at once."""
    return str(number) if number else ""


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def counted(counts: dict[str, int]) -> str:
    """Return the most frequent of `counts` as text. Names may be upstream's, so control characters are replaced."""
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{_printable(name)} {count}" for name, count in frequent[:SHOWN_NAMES])
    more = len(frequent) - SHOWN_NAMES
    return f"{shown}, and {more} more" if more > 0 else shown


def _printable(name: str) -> str:
    return printable(mask_text(name)[:SHOWN_CHARACTERS])


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _tokens(totals: Totals, direction: str, *, cached: bool = False) -> int:
    return sum(
        tokens
        for (_, bucket_direction, _, bucket_cached), tokens in totals.tokens.items()
        if bucket_direction == direction and (bucket_cached or not cached)
    )
