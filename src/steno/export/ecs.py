"""Elastic Common Schema: one document a record. The whole record stands under `steno.audit`, flattened for no index.

The `gen_ai` fields of ECS are beta, and take their names from OpenTelemetry.
"""

from typing import Any, Final

import msgspec

from steno.export.records import Record, gen_ai, outcome, severity

VERSION: Final = "9.1.0"
"""The version of ECS whose fields these are."""

_CATEGORIES: Final = {
    "stream": "network",
    "frame": "network",
    "session": "session",
    "conversation": "session",
    "thread": "session",
    "daemon": "process",
    "log": "file",
    "content": "file",
}
"""What the first part of a fact's name is about; everything else is the model's interface."""
_API: Final = "api"
_TYPES: Final = {
    "opened": "start",
    "started": "start",
    "closed": "end",
    "finished": "end",
    "stopped": "end",
    "abandoned": "end",
    "expired": "end",
    "cancelled": "end",
    "created": "start",
    "deleted": "end",
}
"""What the second part says; everything else is information. Each is a type that the categories have."""
_OF_FILES: Final = {"log.opened": "creation", "log.retired": "deletion", "content.erased": "deletion"}
_FIELDS: Final = frozenset(
    {
        "gen_ai.agent.id",
        "gen_ai.response.id",
        "gen_ai.response.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.tool.call.id",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    }
)
"""The attributes of OpenTelemetry that ECS has fields for."""


def document(record: Record, log_id: str | None) -> dict[str, Any]:
    """Return `record` of the log `log_id` as a document of ECS."""
    made: dict[str, Any] = {
        "@timestamp": record.at,
        "ecs": {"version": VERSION},
        "message": record.fact,
        "log": {"level": severity(record)},
        "event": _event(record, log_id),
        "service": {"name": "steno", "type": "steno"},
    }
    if record.at is None:
        del made["@timestamp"]
    for name, value in gen_ai(record):
        if name in _FIELDS:
            _set(made, name, value)
    made["steno"] = {"audit": _audit(record, log_id)}
    return made


def _event(record: Record, log_id: str | None) -> dict[str, Any]:
    subject, _, happened = record.fact.partition(".")
    category = _CATEGORIES.get(subject, _API)
    kind = _OF_FILES.get(record.fact, "info") if category == "file" else _TYPES.get(happened, "info")
    event: dict[str, Any] = {
        "kind": "event",
        "category": [category],
        "type": [kind],
        "action": record.fact,
        "module": "steno",
        "dataset": "steno.audit",
        "id": f"{log_id or 'unknown'}:{record.seq}",
        "sequence": record.seq,
        "hash": record.hash,
    }
    if (result := outcome(record)) is not None:
        event["outcome"] = result
    for member, name in (("reason", "reason"), ("code", "code")):
        if isinstance(value := record.body.get(member), str | int):
            event[name] = str(value)
    lasted = record.body.get("duration_seconds")
    if isinstance(lasted, int | float):
        event["duration"] = round(lasted * 1_000_000_000)
    return event


def _audit(record: Record, log_id: str | None) -> dict[str, Any]:
    return {
        "log_id": log_id,
        "seq": record.seq,
        "source": record.source,
        "conversation": record.conversation,
        "stream": record.stream,
        "event_id": record.event_id,
        "body": msgspec.json.encode(record.body).decode(),  # a text: bodies of different facts would clash in a mapping
    }


def _set(made: dict[str, Any], name: str, value: Any) -> None:
    """Put `value` at the dotted `name`."""
    *path, last = name.split(".")
    for part in path:
        made = made.setdefault(part, {})
    made[last] = value
