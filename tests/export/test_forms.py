"""One record in each form, compared whole; and every record of simulated conversations in all of them."""

from typing import Any, Final

import msgspec
import pytest

from steno import __version__
from steno.export import FORMATS
from steno.export.records import Record

FAILED: Final = Record(
    42,
    "2026-03-01T10:00:00.250000Z",
    "tool_call.finished",
    "desk/call-1",
    "desk/s/1",
    "event_9",
    {"call_id": "call_1", "kind": "function", "name": "find_room", "status": "failed", "duration_seconds": 0.5},
    "ab" * 32,
)
BARE: Final = Record(3, None, "stream.closed", None, "desk/s/1", None, {"code": 1000, "gap": None}, "ef" * 32)
LOG: Final = "cd" * 32

CLOUDEVENT: Final = {
    "specversion": "1.0",
    "id": "42",
    "source": f"urn:steno:audit-log:{LOG}",
    "type": "steno.tool_call.finished",
    "time": "2026-03-01T10:00:00.250000Z",
    "subject": "desk/call-1",
    "datacontenttype": "application/json",
    "sequence": "00000000000000000042",
    "stenoseverity": "error",
    "stenostream": "desk/s/1",
    "stenoeventid": "event_9",
    "stenohash": "ab" * 32,
    "data": FAILED.body,
}
ECS: Final = {
    "@timestamp": "2026-03-01T10:00:00.250000Z",
    "ecs": {"version": "9.1.0"},
    "message": "tool_call.finished",
    "log": {"level": "error"},
    "event": {
        "kind": "event",
        "category": ["api"],
        "type": ["end"],
        "action": "tool_call.finished",
        "module": "steno",
        "dataset": "steno.audit",
        "id": f"{LOG}:42",
        "sequence": 42,
        "hash": "ab" * 32,
        "outcome": "failure",
        "duration": 500_000_000,
    },
    "service": {"name": "steno", "type": "steno"},
    "gen_ai": {"tool": {"call": {"id": "call_1"}, "name": "find_room", "type": "function"}},
    "steno": {
        "audit": {
            "log_id": LOG,
            "seq": 42,
            "source": "desk",
            "conversation": "desk/call-1",
            "stream": "desk/s/1",
            "event_id": "event_9",
            "body": msgspec.json.encode(FAILED.body).decode(),
        }
    },
}


def text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


OTEL: Final = {
    "resourceLogs": [
        {
            "resource": {"attributes": [text("service.name", "steno"), text("steno.log.id", LOG)]},
            "scopeLogs": [
                {
                    "scope": {"name": "steno.audit", "version": __version__},
                    "logRecords": [
                        {
                            "timeUnixNano": "1772359200250000000",
                            "observedTimeUnixNano": "1772359200250000000",
                            "severityNumber": 17,
                            "severityText": "ERROR",
                            "eventName": "steno.tool_call.finished",
                            "body": {
                                "kvlistValue": {
                                    "values": [
                                        text("call_id", "call_1"),
                                        text("kind", "function"),
                                        text("name", "find_room"),
                                        text("status", "failed"),
                                        {"key": "duration_seconds", "value": {"doubleValue": 0.5}},
                                    ]
                                }
                            },
                            "attributes": [
                                {"key": "steno.seq", "value": {"intValue": "42"}},
                                text("steno.source", "desk"),
                                text("steno.stream", "desk/s/1"),
                                text("steno.event_id", "event_9"),
                                text("steno.hash", "ab" * 32),
                                text("gen_ai.conversation.id", "desk/call-1"),
                                text("gen_ai.tool.call.id", "call_1"),
                                text("gen_ai.tool.name", "find_room"),
                                text("gen_ai.tool.type", "function"),
                            ],
                        }
                    ],
                }
            ],
        }
    ]
}


@pytest.mark.parametrize(("form", "expected"), [("cloudevents", CLOUDEVENT), ("ecs", ECS), ("otel", OTEL)])
def test_a_record(form: str, expected: dict[str, Any]) -> None:
    assert FORMATS[form](FAILED, LOG) == expected


def test_a_record_without_times_and_names() -> None:
    """What is not known is absent, not null and not made up."""
    event = FORMATS["cloudevents"](BARE, None)
    document = FORMATS["ecs"](BARE, None)
    logged = FORMATS["otel"](BARE, None)["resourceLogs"][0]

    assert "time" not in event
    assert (event["source"], event["subject"]) == ("urn:steno:audit-log:unknown", "desk/s/1")
    assert "@timestamp" not in document
    assert (document["event"]["category"], document["event"]["code"]) == (["network"], "1000")
    assert logged["resource"]["attributes"] == [text("service.name", "steno")]
    assert "timeUnixNano" not in logged["scopeLogs"][0]["logRecords"][0]


def test_each_kind_of_value_has_its_form_in_otlp() -> None:
    made = FORMATS["otel"](msgspec.structs.replace(BARE, body={"a": [True, 1, 1.5, None, {"b": []}]}), None)
    body = made["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]

    assert body["kvlistValue"]["values"][0]["value"]["arrayValue"]["values"] == [
        {"boolValue": True},
        {"intValue": "1"},
        {"doubleValue": 1.5},
        {},
        {"kvlistValue": {"values": [{"key": "b", "value": {"arrayValue": {"values": []}}}]}},
    ]


@pytest.mark.parametrize("at", ["1969-12-31T23:59:59.999999Z", "9999-12-31T00:00:00.000000Z"])
def test_a_time_that_opentelemetry_cannot_say_is_left_out(at: str) -> None:
    """Its times are unsigned and have 64 bits; the body and the hash stay."""
    made = FORMATS["otel"](msgspec.structs.replace(BARE, at=at), LOG)

    assert made == FORMATS["otel"](BARE, LOG)
