"""How the table is looked at: order, filter and place, and what the keys do to them. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from steno.view.query import SORTS
from steno.view.rows import Row

Key = Literal["up", "down", "page up", "page down", "home", "end", "enter", "escape", "rub out", "clear"]
"""The keys that are no characters; a character stands for itself."""

ORDERS: Final[Mapping[str, str]] = {
    "age": "opened_at",
    "recent": "last_event_at",
    "latency": "turn_latency_seconds",
    "turns": "turns",
    "tools": "tool_calls",
    "tokens": "tokens",
    "cost": "cost_usd",
    "trouble": "trouble",
    "state": "state",
    "source": "source",
    "conversation": "key",
}
"""What rows may be sorted by, in the order of the key `s`: the name, and the field of the API."""
LARGEST_FIRST: Final = frozenset({"recent", "latency", "turns", "tools", "tokens", "cost", "trouble", "age"})
"""Orders that begin with the largest. The latest of `opened_at` is the youngest."""
FILTER_CHARACTERS: Final = 100

_SEQUENCES: Final[Mapping[str, Key]] = {
    "[A": "up",
    "OA": "up",
    "[B": "down",
    "OB": "down",
    "[5~": "page up",
    "[6~": "page down",
    "[H": "home",
    "OH": "home",
    "[1~": "home",
    "[F": "end",
    "OF": "end",
    "[4~": "end",
}
_CONTROLS: Final[Mapping[str, Key]] = {
    "\r": "enter",
    "\n": "enter",
    "\x7f": "rub out",
    "\b": "rub out",
    "\x15": "clear",
}
_PLACES: Final[Mapping[str, Key]] = {
    "k": "up",
    "j": "down",
    "g": "home",
    "G": "end",
    " ": "page down",
    "b": "page up",
}


class Look(Struct, frozen=True):
    """What is looked at."""

    order: str = "age"
    turned: bool = False
    """The other way round."""
    ended: bool = False
    """Whether conversations that have ended are shown too."""
    text: str = ""
    """What a row must contain."""
    typing: bool = False
    """Whether the keys go into the filter."""
    help: bool = False
    place: int = 0
    """Rows above the first that is shown."""
    over: bool = False
    """Whether it is to end."""


def keys_of(text: str) -> list[str]:
    """Return the keys that a terminal sent: each a character, or one of `Key`. What is unknown is left out."""
    keys: list[str] = []
    while text:
        if text[0] == "\x1b":
            sequence, text = _sequence(text[1:])
            keys += [_SEQUENCES[sequence]] if sequence in _SEQUENCES else ["escape"] if not sequence else []
            continue
        first, text = text[0], text[1:]
        if first in _CONTROLS:
            keys.append(_CONTROLS[first])
        elif first.isprintable():
            keys.append(first)
    return keys


def _sequence(text: str) -> tuple[str, str]:
    """Return what belongs to the escape before `text`, and the rest."""
    if not text or text[0] not in "[O":
        return "", text
    for at, each in enumerate(text[1:], 1):
        if "@" <= each <= "~":
            return text[: at + 1], text[at + 1 :]
    return text, ""


def pressed(look: Look, key: str, rows: int, page: int) -> Look:
    """Return what is looked at after a key; `rows` match now, of which `page` fit."""
    if look.typing:
        return _typed(look, key)
    if look.help:
        return replace(look, help=False, over=key == "q")
    match key:
        case "q":
            return replace(look, over=True)
        case "s" | "S":
            return replace(look, order=_next(look.order, 1 if key == "s" else -1), turned=False, place=0)
        case "r":
            return replace(look, turned=not look.turned, place=0)
        case "a":
            return replace(look, ended=not look.ended, place=0)
        case "/":
            return replace(look, typing=True)
        case "escape":
            return replace(look, text="", place=0)
        case "?" | "h":
            return replace(look, help=True)
        case _:
            return replace(look, place=_place(look.place, _PLACES.get(key, key), rows, page))


def clamped(look: Look, rows: int, page: int) -> Look:
    """Return the same where rows have become fewer, or the terminal larger: the last ones stay in sight."""
    place = _place(look.place, "", rows, page)
    return look if place == look.place else replace(look, place=place)


def _typed(look: Look, key: str) -> Look:
    match key:
        case "enter":
            return replace(look, typing=False)
        case "escape":
            return replace(look, typing=False, text="", place=0)
        case "rub out":
            return replace(look, text=look.text[:-1], place=0)
        case "clear":
            return replace(look, text="", place=0)
        case _ if len(key) == 1 and len(look.text) < FILTER_CHARACTERS:
            return replace(look, text=look.text + key, place=0)
        case _:
            return look


def _next(order: str, step: int) -> str:
    names = list(ORDERS)
    return names[(names.index(order) + step) % len(names)]


def _place(place: int, key: str, rows: int, page: int) -> int:
    last = max(0, rows - page)
    moves = {"up": place - 1, "down": place + 1, "page up": place - page, "page down": place + page}
    target = {**moves, "home": 0, "end": last}.get(key, place)
    return min(max(0, target), last)


# Rows -----------------------------------------------------------------------------------------------------


def trouble(row: Row) -> int:
    """Return how much went wrong in a conversation."""
    return row.errors + row.gaps + row.unanswered_turns + row.rejected + row.tool_calls.failed


def chosen(rows: Iterable[Row], look: Look) -> list[Row]:
    """Return the rows that are looked at, in order. Those without a value stand last."""
    value = _value(look.order)
    matching = [row for row in rows if (row.open or look.ended) and _contains(row, look.text.casefold())]
    known = [row for row in matching if value(row) is not None]
    known.sort(key=lambda row: (value(row), row.key), reverse=(look.order in LARGEST_FIRST) != look.turned)
    return known + sorted((row for row in matching if value(row) is None), key=lambda row: row.key)


def _value(order: str) -> Callable[[Row], str | float | None]:
    return trouble if order == "trouble" else SORTS[ORDERS[order]]


def _contains(row: Row, text: str) -> bool:
    words = (row.key, row.source, row.model or "", row.kind, row.state, *row.labels.values())
    return not text or any(text in word.casefold() for word in words)
