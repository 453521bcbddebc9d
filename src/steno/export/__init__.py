"""Audit records in the forms of other systems: a view of the log, never a second writer of it. Pure.

    records.py       a line of the log as a record, and what all forms ask of it: severity, outcome, tokens
    cloudevents.py   CloudEvents 1.0, JSON
    ecs.py           Elastic Common Schema
    otel.py          OpenTelemetry logs, OTLP JSON

Each form has all that the record has: its number, its hash and its whole body, so that what was exported can be held
against the log. What a form has a field for stands there too.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from steno.export import cloudevents, ecs, otel
from steno.export.records import Record

Form = Callable[[Record, str | None], Any]
"""Returns a record of the log with that id (None where nothing says which log it is), ready to be encoded as JSON."""

FORMATS: Final[Mapping[str, Form]] = {
    "cloudevents": cloudevents.event,
    "ecs": ecs.document,
    "otel": otel.logs_data,
}
"""The forms by the names that the command line has for them."""
