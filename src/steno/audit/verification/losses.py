"""Counts the records of a log that say that events may be missing. They are facts of streams, not of the log. Pure."""

from typing import Final

from msgspec.structs import replace

from steno.audit.verification.report import Report
from steno.audit.verification.verifier import Observers
from steno.core.facts import NAMES, EventsMissed, StreamClosed

_STREAM_CLOSED: Final = NAMES[StreamClosed].encode()
_EVENTS_MISSED: Final = NAMES[EventsMissed].encode()
_GAP: Final = b'"gap":"'
"""What the body of a `stream.closed` holds where its member `gap` is a reason and not null."""


class Losses:
    """Observes the records of a log through a `Verifier`."""

    def __init__(self) -> None:
        self.broken_streams = 0
        self.missed = 0
        self.observers: Observers = {_STREAM_CLOSED: self._stream_closed, _EVENTS_MISSED: self._events_missed}

    def _stream_closed(self, body: bytes) -> None:
        self.broken_streams += _GAP in body

    def _events_missed(self, _body: bytes) -> None:
        self.missed += 1

    def added_to(self, report: Report) -> Report:
        """Return `report` with what was counted."""
        return replace(report, broken_streams=self.broken_streams, missed=self.missed)
