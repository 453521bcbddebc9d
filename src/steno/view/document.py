"""One conversation in the form of `--state`, made of its timeline: upstream's objects are not there. Pure.

`--state` has the objects of upstream as they came, and these hold texts in members that only upstream knows. So they
are shown where the content policy keeps all content, and nowhere else.
"""

from typing import Any, Final

import msgspec

from steno.core.export import CONVERSATION_SCHEMA, OBJECTS
from steno.view.timeline import Timeline

SPOKEN: Final = ("speech", "text")
"""What is a turn: tool calls are listed by themselves."""


def document_of(timeline: Timeline) -> bytes:
    """Return the conversation of a timeline as JSON."""
    row = timeline.row
    members: dict[str, Any] = {
        "schema": CONVERSATION_SCHEMA,
        "key": row.key,
        "family": row.family,
        "stream": row.stream,
        "open": row.open,
        "closed_reason": row.closed_reason,
        "conversation_id": _newest(timeline, "conversation_id"),
        "call_id": None,
        "session": None,
        **{name: [] for name in OBJECTS},
        "transcript": [
            {"item_id": each.item_id, "role": each.role, "text": each.text, "heard": each.heard}
            for each in timeline.transcript
            if each.kind in SPOKEN
        ],
        "speech": [],
        "tools": [
            {"call_id": span.detail.get("call_id"), "kind": span.detail.get("kind")}
            | {"name": span.detail.get("name"), "status": span.status}
            for span in timeline.spans
            if span.lane == "tool" and span.status is not None
        ],
        "totals": timeline.totals,
        "rejected": _rejected(timeline),
        "events": row.events,
        "content": timeline.content,
    }
    return msgspec.json.encode(members)


def _newest(timeline: Timeline, member: str) -> object:
    found = (span.detail[member] for span in reversed(timeline.spans) if member in span.detail)
    return next(found, None)


def _rejected(timeline: Timeline) -> dict[str, int]:
    """Return what was out of place, by reason."""
    counts: dict[str, int] = {}
    for mark in timeline.marks:
        if mark.kind == "rejected":
            counts[mark.label] = counts.get(mark.label, 0) + 1
    return counts
