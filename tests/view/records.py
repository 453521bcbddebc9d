"""Records as an audit log has them, for plays of timelines, and the timeline of some."""

from typing import Any

import msgspec

from steno.core.facts import NAMES, Content, Fact, Origin
from steno.timestamps import parse_timestamp
from steno.view.rows import counted_at_end, row_of
from steno.view.tally import Tally
from steno.view.timeline import Record, Timeline, timeline

BEGIN = 1_767_225_600.0
"""When each of the recordings begins."""
KINDS = {kind.tag: kind for kind in NAMES}


def fact_of(record: Record) -> Fact | None:
    """Return the fact that a record is of, without its texts."""
    kind = KINDS.get(record.fact)
    try:
        return None if kind is None else msgspec.convert(record.body, kind, dec_hook=lambda *_: Content("", ""))
    except msgspec.ValidationError:  # of the records that a test writes
        return None


def shown(key: str, records: list[Record], **options: Any) -> Timeline:
    tally = Tally(key, "replay", "")
    for each in records:
        fact = fact_of(each)
        at = None if each.at is None else parse_timestamp(each.at)
        if fact is not None:
            tally.add(Origin(at=at, source="replay", stream=each.stream), fact)
    row = row_of(tally, counted_at_end(tally), {}, tally.last_at or 0)
    return timeline(records, row, at=BEGIN, **{"content": "full", **options})


def record(fact: str, at: float | None, **body: Any) -> Record:
    time = None if at is None else f"2026-01-01T00:00:{at:09.6f}Z"
    return Record(time, fact, body, "relay/1/1")


def text(kind: str, written: str) -> dict[str, Any]:
    return {"kind": kind, "length": len(written), "text": written, "policy": "full"}


RESPONSE: dict[str, Any] = {
    "conversation_id": None,
    "model": "gpt-realtime",
    "items": 1,
    "reason": None,
    "audio_seconds": None,
    "duration_seconds": None,
    "time_to_first_token_seconds": None,
    "time_to_first_audio_seconds": None,
    "turn_latency_seconds": None,
    "tokens": [],
    "cost": None,
}


def finished(at: float, key: str, *said: dict[str, Any], **members: Any) -> Record:
    return record(
        "response.finished", at, response_id=key, output=list(said), **{**RESPONSE, "status": "completed", **members}
    )
