"""Which conversations are asked for, in which order, and where the next page begins. Pure.

A cursor holds the last row of a page: what it was sorted by, and its key. The next page begins behind that place in the
order of that moment, so a conversation that comes or goes in between moves no other one into or out of a page.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nlargest, nsmallest
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.view.rows import Row

PAGE: Final = 100
PAGE_MAX: Final = 1_000
"""Rows of a page at most: about 700 KB."""
TEXT_CHARACTERS: Final = 512
"""Longest value of a filter: keys are shorter."""
CURSOR_CHARACTERS: Final = 4_096

Value = str | float | int | bool | None


class QueryError(Exception):
    """A value of a query cannot be understood; the message says what is expected. It repeats nothing of the value."""


class Query(Struct, frozen=True, kw_only=True):
    """What is asked for. None stands for a filter that is not used."""

    open: bool | None = None
    source: str | None = None
    family: str | None = None
    model: str | None = None
    text: str | None = None
    """What the key must contain, in any case."""
    sort: str = "last_event_at"
    descending: bool = True
    limit: int = PAGE
    after: tuple[Value, str] | None = None
    """What the last row before this page is sorted by, and its key."""


class Page(Struct, frozen=True):
    """Rows in order, and what is said about the rest."""

    at: float
    total: int
    """Rows that match, on all pages."""
    next: str | None
    """The cursor of the next page; null on the last one."""
    conversations: Sequence[Row]


def _usd(text: str | None) -> float | None:
    """Return a price as a number; None where it is none, which only a log can have that steno did not write."""
    try:
        usd = math.nan if text is None else float(text)
    except ValueError:
        return None
    return usd if math.isfinite(usd) else None


SORTS: Final[Mapping[str, Callable[[Row], Value]]] = {
    **{
        name: attrgetter(name)
        for name in (
            *("key", "family", "source", "kind", "model", "state", "opened_at", "last_event_at", "closed_at"),
            *("age_seconds", "events", "turns", "unanswered_turns", "responses", "interruptions", "gaps"),
            *("errors", "rejected"),
        )
    },
    "turn_latency_seconds": lambda row: row.turn_latency_seconds.worst,
    "tool_calls": lambda row: row.tool_calls.open + row.tool_calls.done + row.tool_calls.failed,
    "tokens": lambda row: row.tokens.input + row.tokens.output,
    "cost_usd": lambda row: _usd(row.cost_usd),
}
"""What rows may be sorted by. Rows without a value come last, in either direction."""


# Asked ----------------------------------------------------------------------------------------------------


def parse_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Return what the parameters of a request ask for. Raises QueryError, which names the parameter."""
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name not in _PARAMETERS:
            raise QueryError(f"there is no such parameter: the parameters are {', '.join(sorted(_PARAMETERS))}")
        if name in given:
            raise QueryError(f"{name} is given more than once")
        given[name] = _PARAMETERS[name](name, value)
    descending, sort = given.pop("sort", (True, "last_event_at"))
    query = Query(
        open=given.get("open"),
        source=given.get("source"),
        family=given.get("family"),
        model=given.get("model"),
        text=given.get("q"),
        sort=sort,
        descending=descending,
        limit=given.get("limit", PAGE),
    )
    return msgspec.structs.replace(query, after=_place(given["after"], query)) if "after" in given else query


def _boolean(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise QueryError(f"{name} must be true or false")
    return value == "true"


def _text(name: str, value: str) -> str | None:
    if len(value) > TEXT_CHARACTERS:
        raise QueryError(f"{name} is longer than {TEXT_CHARACTERS} characters")
    return value or None


def _limit(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= len(str(PAGE_MAX)) and 1 <= int(value) <= PAGE_MAX):
        raise QueryError(f"{name} must be a number from 1 to {PAGE_MAX}")
    return int(value)


def _sort(name: str, value: str) -> tuple[bool, str]:
    field = value.removeprefix("-")
    if field not in SORTS:
        raise QueryError(f"{name} must be one of these, with - before it for the largest first: {', '.join(SORTS)}")
    return value.startswith("-"), field


def _cursor(name: str, value: str) -> str:
    if len(value) > CURSOR_CHARACTERS:
        raise QueryError(_NO_CURSOR.format(name))
    return value


_NO_CURSOR: Final = "{} must be the `next` of a page of the same sort"
_PARAMETERS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "open": _boolean,
    "source": _text,
    "family": _text,
    "model": _text,
    "q": _text,
    "sort": _sort,
    "limit": _limit,
    "after": _cursor,
}


class _Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    sort: str
    value: str | float | int | None
    key: str


def _place(cursor: str, query: Query) -> tuple[Value, str]:
    """Return the place that a cursor names. Raises QueryError."""
    try:
        raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        place = msgspec.json.decode(raw, type=_Cursor)
    except (ValueError, binascii.Error, RecursionError):
        raise QueryError(_NO_CURSOR.format("after")) from None
    text = isinstance(place.value, str)
    if place.sort != _named(query) or (place.value is not None and text is not (query.sort in _TEXTS)):
        raise QueryError(_NO_CURSOR.format("after"))
    return place.value, place.key


_TEXTS: Final = frozenset({"key", "family", "source", "kind", "model", "state"})
"""Sorts whose values are texts."""


def _named(query: Query) -> str:
    return f"{'-' if query.descending else ''}{query.sort}"


# Answered -------------------------------------------------------------------------------------------------


def matches(row: Row, query: Query) -> bool:
    """Return whether a row is asked for."""
    return (
        (query.open is None or row.open is query.open)
        and (query.source is None or row.source == query.source)
        and (query.family is None or row.family == query.family)
        and (query.model is None or row.model == query.model)
        and (query.text is None or query.text.casefold() in row.key.casefold())
    )


def page_of(rows: Iterable[Row], query: Query, at: float) -> Page:
    """Return the page of `rows` that is asked for, as of the Unix second `at`."""
    value = SORTS[query.sort]
    found = [(value(row), row.key, row) for row in rows if matches(row, query)]
    known = _behind([each for each in found if each[0] is not None], query)
    unknown = _behind_unknown([each for each in found if each[0] is None], query)
    more = query.limit + 1  # one more says whether there is a next page. To sort all would hold the loop for long.
    rest = (nlargest if query.descending else nsmallest)(more, known, _order)
    rest += nsmallest(more - len(rest), unknown, _order)
    page = rest[: query.limit]
    last = page[-1] if len(rest) > query.limit else None
    return Page(at, len(found), _cursor_of(query, last) if last else None, [row for _, _, row in page])


_Sorted = tuple[Any, str, Row]


def _order(entry: _Sorted) -> tuple[Any, str]:
    value, key, _ = entry
    return ("" if value is None else value, key)


def _behind(known: list[_Sorted], query: Query) -> list[_Sorted]:
    """Return those rows with a value that come after the cursor."""
    if query.after is None:
        return known
    value, key = query.after
    if value is None:
        return []
    place = (value, key)
    return [each for each in known if (_order(each) < place if query.descending else _order(each) > place)]


def _behind_unknown(unknown: list[_Sorted], query: Query) -> list[_Sorted]:
    if query.after is None or query.after[0] is not None:
        return unknown
    return [each for each in unknown if each[1] > query.after[1]]


def _cursor_of(query: Query, last: _Sorted) -> str:
    value, key, _ = last
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(_named(query), value, key))).decode()
