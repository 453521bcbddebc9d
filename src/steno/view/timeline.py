"""One conversation as a picture to scale: spans, marks and a transcript, out of the records of an audit log. Pure.

A record is what stands in the log: the name of a fact, its time, and its body. So the same function serves a running
daemon, which makes the records of the facts that it remembers, and a log of years ago.

What was not seen is not made up. A span without a beginning or an end has null there; a response whose beginning is not
among the records begins where the duration that was measured says.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from steno.core.export import seconds_text
from steno.core.facts import Cost
from steno.timestamps import SECOND, parse_timestamp
from steno.view.drawing import HANDLERS
from steno.view.rows import Row
from steno.view.shapes import Mark, Span, Texts
from steno.view.spans import Spans
from steno.view.tally import Tally
from steno.view.transcript import Said, Transcript
from steno.view.upstream_clock import UpstreamClock

ContentShown = Literal["none", "redacted", "full", "withheld"]
"""What is shown of texts: their lengths alone, what is left after redaction, all; or who asks may not see them."""

MALFORMED: Final = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
"""What comes of a member of another type. steno writes none, but who can write a log can write any."""
UNREADABLE: Final = "a record could not be read"

FactName = str


class Record(Struct, frozen=True):
    """A record of a log, as far as a timeline reads it."""

    at: str | None
    fact: FactName
    body: dict[str, Any]
    stream: str | None = None
    event_id: str | None = None


class Timeline(Struct, frozen=True, kw_only=True):
    """A conversation as it is shown. Times are Unix seconds."""

    at: float
    row: Row
    began_at: float | None
    content: ContentShown
    omitted: int
    """Records that are not among those that this was made of: the oldest."""
    spans: list[Span]
    marks: list[Mark]
    transcript: list[Said]
    totals: Mapping[str, Any]


def timeline(
    records: Iterable[Record],
    row: Row,
    *,
    at: float,
    content: ContentShown,
    omitted: int = 0,
    totals: Mapping[str, Any] | None = None,
    texts: Texts | None = None,
) -> Timeline:
    """Return the timeline of a conversation.

    Args:
        records: its records and those of its streams, in order.
        row: its row.
        at: the time it is as of, in Unix seconds.
        content: what may be shown of texts.
        omitted: how many older records there are.
        totals: its totals where they are known; else they are added up, and its end stands above the sum.
        texts: reads the texts that are kept beside the log.
    """
    shown = texts or Texts()
    shown.withheld = content == "withheld"
    clock = UpstreamClock()
    spans, said, sums = Spans(shown, clock), Transcript(shown, clock), _Sums()
    for record in records:
        when = seconds_of(record.at)
        try:
            if (draw := HANDLERS.get(record.fact)) is not None:
                draw(spans, when, record.body)
            said.add(when, record.fact, record.body)
            sums.add(record.fact, record.body)
        except MALFORMED:
            spans.marks.append(Mark(when, "note", UNREADABLE, {"fact": record.fact}))
    clock.settle()
    return Timeline(
        at=at,
        row=row,
        began_at=row.opened_at,
        content=content,
        omitted=omitted,
        spans=spans.spans,
        marks=spans.marks,
        transcript=said.entries(),
        totals=sums.totals() if totals is None else totals,
    )


def seconds_of(at: str | None) -> float | None:
    """Return the time of a record as Unix seconds."""
    try:
        return None if at is None else parse_timestamp(at) / SECOND
    except ValueError:
        return None


# Totals ---------------------------------------------------------------------------------------------------

_Counted = Mapping[FactName, tuple[str, str]]
_COUNTED: Final[_Counted] = {
    "response.finished": ("responses", "status"),
    "run.finished": ("runs", "status"),
    "run_step.finished": ("run_steps", "status"),
    "response.interrupted": ("interruptions", "reason"),
}
"""Fact to the total that it counts in, and the member that it is counted by."""
_AT_END: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tokens": lambda buckets: buckets,
    "cost_usd": lambda usd: usd,
    "unpriced": lambda counted: {str(each["reason"]): each["usages"] for each in counted},
    "complete": lambda complete: complete,
}
"""What the end of a conversation says of all of it, and how that stands among the totals."""


class _Sums:
    """The totals of a conversation out of its records, as `--state` has them."""

    def __init__(self) -> None:
        self._tally = Tally("", "", "")
        self._counts: dict[str, dict[str, int]] = {name: {} for name, _ in _COUNTED.values()}
        self._tokens: dict[tuple[Any, ...], int] = {}
        self._seconds: dict[str | None, float] = {}
        self._metered: set[str | None] = set()
        """Sessions whose time was reported bit by bit: their end has the sum of it."""
        self._end: dict[str, Any] = {}

    def add(self, fact: FactName, body: Mapping[str, Any]) -> None:
        if fact in _COUNTED and not body.get("warm_up"):  # which is no answer
            total, member = _COUNTED[fact]
            counts, value = self._counts[total], str(body.get(member))
            counts[value] = counts.get(value, 0) + 1
        if fact == "conversation.closed":
            self._end = {name: shaped(body[name]) for name, shaped in _AT_END.items() if name in body}
            return
        self._use(fact, body)

    def _use(self, fact: FactName, body: Mapping[str, Any]) -> None:
        tokens = body.get("tokens")
        for each in tokens if isinstance(tokens, list) else ():  # of some facts it is a number
            bucket = (each.get("model"), each.get("direction"), each.get("modality"), each.get("cached"))
            self._tokens[bucket] = self._tokens.get(bucket, 0) + each.get("tokens", 0)
        lasted = self._lasted(fact, body)
        if isinstance(lasted, float | int):
            model = body.get("model")
            self._seconds[model] = self._seconds.get(model, 0) + lasted
        if isinstance(cost := body.get("cost"), dict):
            self._tally.use((), msgspec.convert(cost, Cost))

    def _lasted(self, fact: FactName, body: Mapping[str, Any]) -> object:
        """Return what a record adds to the time that is billed; None where it adds nothing."""
        if fact == "session.metered":
            self._metered.add(body.get("session_id"))
            return (body.get("active_seconds") or 0) + (body.get("paused_seconds") or 0)
        if "tokens" not in body or body.get("session_id") in self._metered:
            return None
        return body.get("seconds")

    def totals(self) -> dict[str, Any]:
        """Return them; the end of the conversation stands above what was added up."""
        names = ("model", "direction", "modality", "cached")
        return {
            "tokens": [{**dict(zip(names, key, strict=True)), "tokens": n} for key, n in self._tokens.items()],
            "seconds": [{"model": model, "seconds": seconds_text(n)} for model, n in self._seconds.items()],
            "cost_usd": self._tally.cost_usd(),
            "unpriced": dict(self._tally.unpriced),
            "complete": None,
            **self._counts,
            "dropped_objects": 0,
            **self._end,
        }
