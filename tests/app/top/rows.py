"""Rows of conversations for the tests of `steno top`."""

from msgspec.structs import replace

from steno.view.rows import Latency, Row, TokenSums, ToolCalls
from steno.view.sources import SourceList, SourceRow

PLAIN = Row(
    key="relay/call-1",
    family="realtime",
    source="relay",
    labels={"team": "sales"},
    kind="realtime",
    stream="relay/1/1",
    open=True,
    closed_reason=None,
    model="gpt-realtime",
    opened_at=1000.0,
    last_event_at=1010.0,
    closed_at=None,
    age_seconds=20.0,
    state="speaking",
    events=12,
    turns=3,
    unanswered_turns=0,
    responses=2,
    interruptions=1,
    turn_latency_seconds=Latency(0.412, 1.25),
    tool_calls=ToolCalls(0, 2, 0),
    tokens=TokenSums(900, 350),
    cost_usd="0.0125",
    unpriced={},
    gaps=0,
    errors=0,
    rejected=0,
)


def row(key: str, **members: object) -> Row:
    """Return a row that differs from `PLAIN`."""
    return replace(PLAIN, key=key, **members)


def source(name: str, problem: str | None = None) -> SourceRow:
    return SourceRow(
        name=name,
        kind="listen",
        labels={},
        ready=problem is None,
        problem=problem,
        streams=1,
        conversations=1,
        last_event_at=None,
    )


def sources(*rows: SourceRow) -> SourceList:
    return SourceList(1020.0, list(rows))
