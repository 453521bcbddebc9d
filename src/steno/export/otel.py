"""OpenTelemetry logs as OTLP JSON: one `LogsData` a record.

The file exporter of the specification (in development) writes such lines, and the collector's `otlpjsonfile` receiver
reads them. There is no trace: a record belongs to a conversation, which may last for hours.
"""

from collections.abc import Iterator
from typing import Any, Final

from steno import __version__
from steno.export.records import ERROR, INFO, WARNING, Record, gen_ai, severity
from steno.timestamps import parse_timestamp

_NUMBERS: Final = {INFO: 9, WARNING: 13, ERROR: 17}
"""The severity numbers of the data model."""
_TEXTS: Final = {INFO: "INFO", WARNING: "WARN", ERROR: "ERROR"}

LATEST: Final = 2**64 - 1
"""The last time there is, in the year 2554, as 1970 is the first. A recording may have others: they are left out."""


def logs_data(record: Record, log_id: str | None) -> dict[str, Any]:
    """Return `record` of the log `log_id` as a `LogsData`."""
    resource = [("service.name", "steno"), *([("steno.log.id", log_id)] if log_id else [])]
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeLogs": [
                    {"scope": {"name": "steno.audit", "version": __version__}, "logRecords": [_log_record(record)]}
                ],
            }
        ]
    }


def _log_record(record: Record) -> dict[str, Any]:
    level = severity(record)
    made = {
        "severityNumber": _NUMBERS[level],
        "severityText": _TEXTS[level],
        "eventName": f"steno.{record.fact}",
        "body": _value(record.body),
        "attributes": _attributes([*_members(record), *gen_ai(record)]),
    }
    nanoseconds = None if record.at is None else parse_timestamp(record.at) * 1000
    if nanoseconds is None or not 0 <= nanoseconds <= LATEST:
        return made
    return {"timeUnixNano": str(nanoseconds), "observedTimeUnixNano": str(nanoseconds), **made}


def _members(record: Record) -> Iterator[tuple[str, Any]]:
    yield "steno.seq", record.seq
    for name in ("source", "stream", "event_id"):
        if (value := getattr(record, name)) is not None:
            yield f"steno.{name}", value
    yield "steno.hash", record.hash


def _attributes(pairs: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in pairs]


def _value(value: Any) -> dict[str, Any]:
    """Return a JSON value as an `AnyValue`. Whole numbers are strings there, since JSON has no 64 bits."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case _:
            pairs = [{"key": str(name), "value": _value(inner)} for name, inner in value.items()]
            return {"kvlistValue": {"values": pairs}}
