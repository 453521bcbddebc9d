"""The spans and marks of one conversation so far. Pure.

`drawing/` says what each record adds: a span begins or ends, gets a mark, or a moment is marked beside them.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from steno.core.billing.prices import add_usd, usd_text
from steno.view.shapes import Body, Flat, Lane, Mark, MarkKind, Span, Texts
from steno.view.upstream_clock import UpstreamClock

LINES_MOST: Final = 64
"""Lines of the price of one span, each with a rate of its own. A session that is billed by the second has two."""


class Spans:
    """The spans and marks of one conversation so far."""

    def __init__(self, texts: Texts, clock: UpstreamClock) -> None:
        """Begin empty; texts in details are what `texts` shows, and `clock` is that of the conversation."""
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self.texts = texts
        self.uncommitted: list[Span] = []
        """Speech that was not committed when it was looked at last, the newest last."""
        self.silences: set[Flat] = set()
        """Items that hold nothing but silence."""
        self.clock = clock
        """Places what lies on upstream's clock."""
        self._open: dict[Lane, dict[str | None, Span]] = {}
        self._known: dict[tuple[Lane, Flat], Span] = {}
        self._ids: dict[str, int] = {}

    def begin(self, lane: Lane, key: str | None, label: str | None, at: float | None) -> Span:
        """Begin a span; what it is known by may come again."""
        name = f"{lane}:{key or ''}"
        number = self._ids[name] = self._ids.get(name, 0) + 1
        span = Span(id=name if number == 1 and key else f"{name}#{number}", lane=lane, label=label or lane, begin=at)
        self.spans.append(span)
        self._open.setdefault(lane, {})[key] = span
        if lane == "speech":
            self.uncommitted.append(span)
        return span

    def find(self, lane: Lane, key: str | None) -> Span | None:
        """Return the span that is under way; where nothing names one, the only one of the lane."""
        under_way = self._open.get(lane, {})
        return under_way.get(_name(under_way, key))

    def end(self, lane: Lane, key: str | None, label: str | None, at: float | None, status: str | None) -> Span:
        """End a span. One whose beginning is not among the records is added."""
        span = self.find(lane, key) or self.begin(lane, key, label, None)
        under_way = self._open[lane]
        del under_way[_name(under_way, key)]
        span.end, span.status = at, status
        span.label = label or span.label
        return span

    def end_all(self, lane: Lane, at: float | None, status: str | None) -> None:
        """End all spans of a lane that are under way."""
        for key in list(self._open.get(lane, ())):
            self.end(lane, key, None, at, status)

    def know(self, span: Span, member: str) -> None:
        """Let a span be found by a member of its details, once it has ended too."""
        self._known[span.lane, span.detail.get(member)] = span

    def known(self, lane: Lane, key: Flat) -> Span | None:
        """Return the span that was known by `key` last."""
        return self._known.get((lane, key))

    def mark(self, at: float | None, kind: MarkKind, label: object, body: Body, *members: str) -> None:
        """Mark a moment, with some members of the record."""
        self.marks.append(Mark(at, kind, str(label), flat(body, *members)))


def _name(under_way: Mapping[str | None, Span], key: str | None) -> str | None:
    """Return what a span of a lane is under way by: `key`, or the only name where there is none."""
    return next(iter(under_way)) if key is None and None not in under_way and len(under_way) == 1 else key


def flat(body: Body, *members: str) -> dict[str, Flat]:
    """Return those members that are known and no object."""
    return {name: body[name] for name in members if isinstance(body.get(name), str | float | int | bool)}


def began_by_its_duration(span: Span, body: Body) -> None:
    """Let a span whose beginning is not among the records begin where its duration says."""
    lasted = body.get("duration_seconds")
    if span.begin is None and span.end is not None and isinstance(lasted, float | int) and 0 <= lasted <= span.end:
        span.begin = round(span.end - lasted, 6)


def bill(span: Span, body: Body) -> None:
    """Add a usage to what a span used: its tokens, and its price."""
    span.tokens += body.get("tokens") or ()
    cost = body.get("cost")
    if not cost:
        return
    if span.cost is None:
        span.cost = {name: cost.get(name) for name in ("usd", "unpriced", "model", "lines")}
        return
    span.cost["usd"] = _sum(span.cost["usd"], cost.get("usd"))
    span.cost["unpriced"] = span.cost["unpriced"] or cost.get("unpriced")
    span.cost["model"] = span.cost["model"] or cost.get("model")
    span.cost["lines"] = _lines([*(span.cost["lines"] or ()), *(cost.get("lines") or ())][:LINES_MOST])


def _sum(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return one if other is None else other
    return usd_text(add_usd(Decimal(one), Decimal(other)))


def _lines(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of a price with those of the same rate as one."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in lines:
        same = tuple((name, value) for name, value in sorted(line.items()) if name != "quantity")
        if same in found:
            quantity = add_usd(Decimal(found[same]["quantity"]), Decimal(line["quantity"]))
            found[same] = {**line, "quantity": usd_text(quantity)}
        else:
            found[same] = line
    return list(found.values())


Handler = Callable[[Spans, float | None, Body], None]
"""Takes in a record: its time and its body."""
Handlers = Mapping[str, Handler]
"""Name of a fact to what its record adds."""


def note(label: str, *members: str) -> Handler:
    """Return what marks a moment, with some members of the record."""
    return lambda to, at, body: to.mark(at, "note", label, body, *members)
