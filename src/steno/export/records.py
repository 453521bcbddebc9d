"""A line of an audit log as a record, and what all forms ask of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.audit.record import OPENED


class Record(Struct, frozen=True):
    """One record. `audit.record` says what its members are."""

    seq: int
    at: str | None
    """RFC 3339, UTC, microseconds; None where a recording has no times."""
    fact: str
    conversation: str | None
    stream: str | None
    event_id: str | None
    body: dict[str, Any]
    hash: str

    @property
    def subject(self) -> str | None:
        """What it is about: its conversation, else its stream."""
        return self.conversation or self.stream

    @property
    def source(self) -> str | None:
        """The source of its conversation or stream, by its name in the configuration."""
        return self.subject.partition("/")[0] if self.subject else None


_DECODER: Final = msgspec.json.Decoder(Record)


def parse(line: bytes) -> Record:
    """Return the record in a line of a log. Raises ValueError where it is none."""
    try:
        return _DECODER.decode(line)
    except RecursionError:
        raise ValueError("nested too deep") from None


def log_id_of(record: Record, known: str | None) -> str | None:
    """Return which log it is after `record`, where `known` was known before it.

    A log is named by the hash of record 1, and each later `log.opened` repeats it.
    """
    if record.seq == 1:
        return record.hash
    if record.fact == OPENED and isinstance(named := record.body.get("log_id"), str):
        return named
    return known


# Severity and outcome --------------------------------------------------------------------------------------

INFO: Final = "info"
WARNING: Final = "warning"
ERROR: Final = "error"

_SEVERITIES: Final[Mapping[str, str]] = {
    "log.damaged": ERROR,
    "log.gap": ERROR,
    "upstream.erred": ERROR,
    "frame.rejected": WARNING,
    "event.rejected": WARNING,
    "events.missed": WARNING,
    "facts.omitted": WARNING,
    "deltas.differed": WARNING,
    "response.abandoned": WARNING,
    "run.abandoned": WARNING,
    "run_step.abandoned": WARNING,
    "turn.unanswered": WARNING,
    "steer.failed": WARNING,
    "call.failed": WARNING,
    "daemon.clock_changed": WARNING,
}
"""Facts that are no news but a fault: of upstream's, of a peer's, of the log's. Others depend on what they say."""
STEERED: Final = "steered"
_FAILURES: Final = frozenset({"failed", "expired"})
"""Statuses of what ended that are failures."""
_SHORT: Final = frozenset({"incomplete", "abandoned", "orphaned"})
"""Statuses of what ended without having come to its end."""


def _status(record: Record) -> object:
    """Return how it ended. A response that was steered broke off as it was asked to: its successor has the rest."""
    return STEERED if record.body.get("reason") == STEERED else record.body.get("status")


def severity(record: Record) -> str:
    """Return `INFO`, `WARNING` or `ERROR`: by the fact, and for what ended by how it did."""
    named = _SEVERITIES.get(record.fact)
    if named is not None:
        return named
    status = _status(record)
    if status in _FAILURES:
        return ERROR
    lost = record.body.get("gap") or record.body.get("recovered_bytes")
    return WARNING if status in _SHORT or lost else INFO


def outcome(record: Record) -> str | None:
    """Return `success`, `failure` or `unknown` of what ended; None where the record says of nothing how it ended."""
    status = _status(record)
    if not record.fact.endswith((".finished", ".listed")) or not isinstance(status, str):
        return "failure" if severity(record) == ERROR else None
    if status in {"completed", "closed", "answered"}:
        return "success"
    return "failure" if status in _FAILURES | _SHORT else "unknown"


# What OpenTelemetry and ECS call by the same names ----------------------------------------------------------


def gen_ai(record: Record) -> Iterator[tuple[str, str | int | list[str]]]:
    """Yield attributes of the GenAI semantic conventions of OpenTelemetry, which are in development, by name.

    Attributes that would stand for something else than the record says are left out. The conversation is steno's key.
    """
    body = record.body
    if record.conversation is not None:
        yield "gen_ai.conversation.id", record.conversation
    for member, name in (
        ("model", "gen_ai.response.model"),
        ("response_id", "gen_ai.response.id"),
        ("assistant_id", "gen_ai.agent.id"),
    ):
        if isinstance(value := body.get(member), str):
            yield name, value
    if record.fact.startswith("tool_call."):
        yield from _tool(body)
    if record.fact == "response.finished":
        yield "gen_ai.response.finish_reasons", [str(body.get("reason") or body.get("status"))]
    if record.fact.endswith((".finished", ".made", ".billed")):
        yield from _usage(body.get("tokens"))


def _tool(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for member, name in (("call_id", "call.id"), ("name", "name"), ("kind", "type")):
        if isinstance(value := body.get(member), str):
            yield f"gen_ai.tool.{name}", value


def _usage(tokens: object) -> Iterator[tuple[str, int]]:
    """Yield the sums of the buckets by direction; none where nothing was reported."""
    if not isinstance(tokens, list) or not tokens:
        return
    for direction in ("input", "output"):
        counted = (each.get("tokens", 0) for each in tokens if each.get("direction") == direction)
        yield f"gen_ai.usage.{direction}_tokens", sum(counted)
