"""CloudEvents 1.0 in JSON: one event a record, with its body as data.

`source` and `id` together name a record once and for all: the log by the hash of its first record, and the number in
it. Extensions have lower-case names, as the specification wants them; `sequence` is the one that it documents.
"""

from typing import Any, Final

from steno.export.records import Record, severity

UNKNOWN: Final = "unknown"


def event(record: Record, log_id: str | None) -> dict[str, Any]:
    """Return `record` of the log `log_id` as a CloudEvent."""
    made = {
        "specversion": "1.0",
        "id": str(record.seq),
        "source": f"urn:steno:audit-log:{log_id or UNKNOWN}",
        "type": f"steno.{record.fact}",
        "time": record.at,
        "subject": record.subject,
        "datacontenttype": "application/json",
        "sequence": f"{record.seq:020}",
        "stenoseverity": severity(record),
        "stenostream": record.stream,
        "stenoeventid": record.event_id,
        "stenohash": record.hash,
        "data": record.body,
    }
    return {name: value for name, value in made.items() if value is not None}
