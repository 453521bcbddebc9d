"""Tables for people: what conversations came to, in a form that needs no documentation."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from typing import Final

from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.table import Table

from steno.core.billing.prices import add_usd, usd_text
from steno.core.conversation import Conversation, Totals
from steno.timestamps import seconds
from steno.wire.secrets import mask_text

_STARTED: Final = re.compile(r"/\d{16}/")
"""The daemon's start in the name of a stream: the same in all rows, and long."""

OTHER_COLUMNS: Final = 60
"""What a row takes beside the name of its conversation."""
SHOWN_NAMES: Final = 12
SHOWN_LETTERS: Final = 60
SHORTEST_NAME: Final = 20


class Row(Struct, frozen=True):
    """What one conversation came to, or the sum of many."""

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
    """USD of what has a price."""
    unpriced: dict[str, int]
    """Why usages have none, and how many."""
    seconds: float | None


def row_of(state: Conversation) -> Row:
    """Return the row of a conversation as it stands."""
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
    )


def conversation_table(rows: Sequence[Row], title: str, width: int, total: Row | None = None) -> Table:
    """Return a table with a line a conversation, and a line of sums where there are several.

    Args:
        rows: what stands in it.
        title: what stands above it.
        width: the columns of the terminal, 80 or more for nothing to be cut but long names.
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
        _printable(_shortened(_STARTED.sub("/…/", mask_text(row.key)), room)),
        row.state,
        str(row.events),
        _some(sum(row.responses.values())),
        _some(sum(row.interruptions.values())),
        _some(sum(row.runs.values())),
        _some(row.tokens_in + row.tokens_out),
        "" if row.seconds is None else f"{row.seconds:.1f}",
    )


def _shortened(name: str, room: int) -> str:
    """Cut the middle out of `name`: what tells names apart stands at both ends."""
    if len(name) <= room:
        return name
    head = (room - 1) * 2 // 3
    return f"{name[:head]}…{name[head + 1 - room :]}"


def outcome_lines(total: Row) -> list[str]:
    """Return what `total` came to in words: a line a kind of thing that ended, where there is one."""
    kinds = (("responses", total.responses), ("broken off", total.interruptions), ("runs", total.runs))
    lines = [f"{name:<11}{_words(counts)}" for name, counts in kinds if counts]
    tokens = f"{total.tokens_in} in, {total.tokens_cached} of them cached, {total.tokens_out} out"
    lines += [f"{'tokens':<11}{tokens}", f"{'cost':<11}{usd_text(total.cost)} USD"]
    return [*lines, f"{'unpriced':<11}{_words(total.unpriced)}"] if total.unpriced else lines


def _some(number: int) -> str:
    """Leave a zero out: what is there is then seen at once."""
    return str(number) if number else ""


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))


def counted(counts: dict[str, int]) -> str:
    """Return the most frequent of `counts` in words. Names may be upstream's: what could move a cursor is hidden."""
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{_printable(name)} {count}" for name, count in frequent[:SHOWN_NAMES])
    more = len(frequent) - SHOWN_NAMES
    return f"{shown}, and {more} more" if more > 0 else shown


def _printable(name: str) -> str:
    shown = mask_text(name)[:SHOWN_LETTERS]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _tokens(totals: Totals, direction: str, *, cached: bool = False) -> int:
    return sum(
        tokens
        for (_, told, _, was_cached), tokens in totals.tokens.items()
        if told == direction and (was_cached or not cached)
    )
