"""What the plays of the view share: a pipeline whose facts are remembered, and the view on it."""

from typing import Any

from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.sink import AuditSink
from steno.core.facts import KINDS, Fact, Origin
from steno.view.live import LiveView, RecordMaker
from steno.view.recent import RecentFacts
from steno.view.rows import Row
from tests.core.helpers import BEGIN, Play

MEGABYTE = 1024 * 1024


class Nowhere:
    """Takes no record: entries alone are asked for."""

    def submit(self, record: object, /) -> None:
        """Drop it."""


class ViewPlay(Play):
    """A play that is looked at."""

    def __init__(
        self, kinds: tuple[str, ...] = KINDS, memory: int = MEGABYTE, conversation: str | None = None, **limits: Any
    ) -> None:
        """Hold the texts of `kinds`, and all facts in `memory` bytes."""
        self.recent = RecentFacts(memory, kinds)
        super().__init__(conversation=conversation, **limits)
        labels = {"relay": {"desk": "front"}}
        bodies = BodyEncoder(ContentPolicy({kind: "full" if kind in kinds else "none" for kind in KINDS}))
        self.view = LiveView(
            self.recent,
            self.pipeline.registry,
            self.time,
            RecordMaker(AuditSink(Nowhere(), bodies, 16_384).entry),
            "full" if kinds else "none",
            lambda name: labels.get(name, {}),
        )

    def time(self) -> int:
        """Return the present."""
        return self.now or BEGIN

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Take a fact, as both sinks."""
        super().emit(origin, fact)
        self.recent.emit(origin, fact)

    def row(self) -> Row:
        """Return the only row."""
        (row,) = self.view.rows()
        return row
