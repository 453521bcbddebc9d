"""The table as lines of a terminal, for any width. Pure: all that is shown is passed.

What upstream wrote (keys, models) is printable when it comes out of here, and no markup.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from steno.app.tables import shown_name
from steno.app.terminal import printable
from steno.app.top.look import LARGEST_FIRST, Look
from steno.app.top.mirror import Figures
from steno.view.rows import Row

NAME_WIDTH: Final = 20
"""The least room of a conversation's name: where it would be less, columns are left out."""
WIDEST: Final = 10_000
NAME_WIDTH_WANTED: Final = 30
"""Its room before a column comes in that few need."""
HEAD_LINES: Final = 4
"""Two of sums, one of what is wrong, and the heads of the columns."""
FOOT_LINES: Final = 1
KEYS: Final = "q quit  ? help  s sort  r reverse  / filter  a ended too"
STYLES: Final = {
    "speaking": "green",
    "responding": "cyan",
    "running": "cyan",
    "tool": "magenta",
    "waiting": "yellow",
    "paused": "dim",
    "idle": "dim",
    "closed": "dim",
}
HELP: Final = """\
s S        sort by the next column, by the one before
r          reverse the order
up down    one row; also j and k
PgUp PgDn  one screen; also b and the space bar
Home End   the first rows, the last rows; also g and G
/          filter by conversation, source, model, state or label:
           Enter keeps the filter, Esc clears it
a          show conversations that have ended, too
q          quit; Ctrl-C does too

state      speaking: the user speaks. waiting: nothing has come back yet.
           responding, running: a response, a run is under way.
           tool: the model waits for a tool. listening: nobody speaks.
           paused: upstream stopped the model. idle: silent for a minute.
worst      the longest wait for an answer    last  the latest one
tools      tool calls that are done, x failed, + open
cost       USD; + where usages have no price
trouble    e errors  g gaps  u unanswered turns  r rejected events

Any key goes back to the table."""


class Shown(Struct, frozen=True):
    """All that is drawn."""

    rows: Sequence[Row]
    """Those that match, in order."""
    ages: Callable[[Row], float]
    figures: Figures
    look: Look
    address: str
    problem: str | None
    lost: bool


class Column(Struct, frozen=True):
    """A column of the table."""

    head: str
    width: int
    """Characters; 0: what the others leave."""
    rank: int
    """The lower, the longer it stays where there is little room."""
    order: str | None
    """The order that it shows; None where rows cannot be sorted by it."""
    cell: Callable[[Row, float], str]
    """What stands there, by the row and its age."""
    left: bool = False


def number(value: float) -> str:
    """Return a number in at most 5 characters: `9999`, `12.3k`, `4.5M`."""
    if value < 10_000:  # noqa: PLR2004  # four digits fit
        return f"{value:.0f}"
    for unit in ("k", "M", "G", "T"):
        value /= 1000
        if value < 999.5:  # noqa: PLR2004  # what rounds to three digits
            return f"{value:.1f}{unit}" if value < 99.95 else f"{value:.0f}{unit}"  # noqa: PLR2004  # likewise
    return "many"


def seconds(value: float | None) -> str:
    """Return a duration in at most 6 characters: `0.41s`, `12.3s`, `4:05`, `1:02:03`, `3d04h`."""
    if value is None:
        return "-"
    if value < 59.95:  # noqa: PLR2004  # what rounds to less than a minute
        return f"{value:.2f}s" if value < 9.995 else f"{value:.1f}s"  # noqa: PLR2004  # likewise
    return _clock(value)


def age(value: float) -> str:
    """Return an age, by the second."""
    return f"{value:.0f}s" if value < 59.5 else _clock(value)  # noqa: PLR2004  # what rounds to less than a minute


def _clock(value: float) -> str:
    whole = round(value)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d{hours:02}h"
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _tools(row: Row) -> str:
    calls = row.tool_calls
    if not (calls.done or calls.failed or calls.open):
        return ""
    parts = [number(calls.done)]
    parts += [f"x{number(calls.failed)}"] if calls.failed else []
    return " ".join([*parts, *([f"+{number(calls.open)}"] if calls.open else [])])


def _cost(row: Row) -> str:
    if not row.unpriced:
        return f"{float(row.cost_usd):.4f}" if row.cost_usd is not None else "-"
    return f"{float(row.cost_usd):.3f}+" if row.cost_usd is not None and float(row.cost_usd) else "no price"


def _trouble(row: Row) -> str:
    found = (("e", row.errors), ("g", row.gaps), ("u", row.unanswered_turns), ("r", row.rejected))
    return " ".join(f"{letter}{number(count)}" for letter, count in found if count)


def _count(value: int | None) -> str:
    return number(value) if value else ""


NAME: Final = Column("conversation", 0, 0, "conversation", lambda row, _: printable(row.key), left=True)
COLUMNS: Final = (
    Column("state", 10, 0, "state", lambda row, _: row.state, left=True),
    NAME,
    Column("source", 12, 8, "source", lambda row, _: printable(row.source), left=True),
    Column("labels", 20, 12, None, lambda row, _: printable(_labels(row)), left=True),
    Column("model", 16, 9, None, lambda row, _: printable(row.model or row.kind), left=True),
    Column("age", 7, 2, "age", lambda _, old: age(old)),
    Column("turns", 5, 5, "turns", lambda row, _: _count(row.turns)),
    Column("last", 7, 10, None, lambda row, _: seconds(row.turn_latency_seconds.last)),
    Column("worst", 7, 3, "latency", lambda row, _: seconds(row.turn_latency_seconds.worst)),
    Column("cut off", 7, 11, None, lambda row, _: _count(row.interruptions)),
    Column("tools", 7, 4, "tools", lambda row, _: _tools(row)),
    Column("tokens", 6, 6, "tokens", lambda row, _: _count(row.tokens.input + row.tokens.output)),
    Column("cost", 8, 1, "cost", lambda row, _: _cost(row)),
    Column("trouble", 9, 7, "trouble", lambda row, _: _trouble(row), left=True),
)
MINIMUM: Final = 6
"""Columns up to this rank come in where the name keeps `NAME_WIDTH`; the others where it keeps `NAME_WIDTH_WANTED`."""


def columns(width: int) -> list[Column]:
    """Return the columns for a terminal of `width` characters; the name takes what is left."""
    kept: list[Column] = []
    for column in sorted(COLUMNS, key=lambda each: each.rank):
        least = NAME_WIDTH if column.rank <= MINIMUM else NAME_WIDTH_WANTED
        if column.rank and width - _taken([*kept, column]) < least:
            break
        kept.append(column)
    room = max(1, width - _taken(kept))
    name = replace(NAME, width=room, cell=lambda row, _: shown_name(row.key, room))
    return [each if each.width else name for each in COLUMNS if each in kept]


def _taken(kept: Sequence[Column]) -> int:
    """Return the characters of all columns but the name, with a space beside each."""
    return sum(column.width + 1 for column in kept if column.width)


def _labels(row: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in row.labels.items())


def lines(shown: Shown, width: int, height: int) -> list[Text]:
    """Return all lines of a screen: sums, the table, and what the keys do."""
    body = max(1, height - HEAD_LINES - FOOT_LINES)
    drawn = _head(shown, width)
    if shown.look.help:
        drawn += [Text(line) for line in HELP.splitlines()[: height - len(drawn) - FOOT_LINES]]
    else:
        drawn += list(table(shown, width, body))
    drawn += [_blank()] * (height - FOOT_LINES - len(drawn))
    return [_cut(line, width) for line in [*drawn[: height - FOOT_LINES], _foot(shown, body)]]


def snapshot(shown: Shown, width: int | None) -> list[Text]:
    """Return the sums and all rows, for a terminal of `width` characters; None: nothing is cut."""
    head = [line for line in _head(shown, width or WIDEST) if line.plain]
    drawn = [*head, _blank(), *table(shown, width, len(shown.rows))]
    return drawn if width is None else [_cut(line, width) for line in drawn]


def table(shown: Shown, width: int | None, most: int) -> Iterator[Text]:
    """Yield the heads of the columns, and up to `most` rows."""
    kept = _whole(shown) if width is None else columns(width)
    yield _line(kept, [_headed(column, shown.look) for column in kept], ["bold"] * len(kept))
    rows = shown.rows[shown.look.place : shown.look.place + most]
    for row in rows:
        old = shown.ages(row)
        yield _line(kept, [column.cell(row, old) for column in kept], [_style(column, row) for column in kept])
    if not rows:
        yield Text(_nothing(shown), style="dim")


def _whole(shown: Shown) -> list[Column]:
    """Return all columns, each as wide as what stands in it. Names stand whole, so that they can be used."""
    return [replace(each, width=max(len(each.head) + 1, *_widths(each, shown))) for each in COLUMNS]


def _widths(column: Column, shown: Shown) -> Iterator[int]:
    yield 1
    for row in shown.rows:
        yield cell_len(column.cell(row, shown.ages(row)))


def _nothing(shown: Shown) -> str:
    if shown.look.text:
        return "No conversation matches the filter: Esc clears it."
    if shown.look.ended or not shown.figures.ended:
        return "No conversation yet."
    return "No conversation is open: a shows those that have ended."


def _headed(column: Column, look: Look) -> str:
    if column.order is None or column.order != look.order:
        return column.head
    sign = "▼" if (look.order in LARGEST_FIRST) != look.turned else "▲"
    return f"{column.head}{sign}" if column.left else f"{sign}{column.head}"


def _style(column: Column, row: Row) -> str:
    if not row.open:
        return "dim"
    if column.head == "state":
        return STYLES.get(row.state, "")
    return "red" if column.head == "trouble" or (column.head == "tools" and row.tool_calls.failed) else ""


def _line(kept: Sequence[Column], cells: Sequence[str], styles: Sequence[str]) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    for column, cell, style in zip(kept, cells, styles, strict=True):
        line.append(_fitted(cell, column.width, left=column.left), style=style)
        line.append(" ")
    line.rstrip()
    return line


def _fitted(cell: str, width: int, *, left: bool) -> str:
    """Return `cell` in exactly `width` places of the terminal: a letter of some scripts takes two."""
    if cell_len(cell) > width:
        return f"{set_cell_size(cell, width - 1)}…"
    return set_cell_size(cell, width) if left else " " * (width - cell_len(cell)) + cell


def _head(shown: Shown, width: int) -> list[Text]:
    """Return the sums on a line or two, and what is wrong on another."""
    figures = shown.figures
    line = Text()
    line.append("steno top", style="bold")
    line.append(f"  {printable(shown.address)}  ")
    line.append(f"{figures.ready} of {figures.sources} sources ready", "" if _all_ready(figures) else "red")
    rest = Text(f"{figures.open} open, {figures.ended} ended   cost {figures.cost:.4f} USD")
    if figures.unpriced:
        rest.append(f" + {number(figures.unpriced)} unpriced", style="yellow")
    rest.append(f"   worst latency {seconds(figures.worst)}")
    return [line, rest, _wrong(shown, width)]


def _all_ready(figures: Figures) -> bool:
    return figures.ready == figures.sources


def _wrong(shown: Shown, width: int) -> Text:
    """Return what does not work: the daemon itself, or some sources."""
    if shown.problem is not None:
        return Text(printable(f"{'NO DAEMON, trying again: ' if shown.lost else ''}{shown.problem}"), style="bold red")
    named = ", ".join(f"{name} ({why})" for name, why in shown.figures.problems)
    return Text(printable(f"not ready: {named}")[:width] if named else "", style="red")


def _foot(shown: Shown, body: int) -> Text:
    look, count = shown.look, len(shown.rows)
    if look.typing:
        return Text(f"filter: {printable(look.text)}_   Enter keeps it, Esc clears it", style="reverse")
    until = min(look.place + body, count)
    where = f"{look.place + 1}-{until} of {count}" if count > body else f"{count} shown"
    kept = f"  filter: {printable(look.text)}" if look.text else ""
    order = f"by {look.order}{' reversed' if look.turned else ''}"
    return Text(f"{where}, {order}{kept}   {KEYS}", style="dim")


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="crop")
    return line


def _blank() -> Text:
    return Text("")
