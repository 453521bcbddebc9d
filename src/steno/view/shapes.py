"""What a timeline is drawn of: spans, marks, and how texts are read. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

Lane = Literal["speech", "voice", "response", "playback", "tool", "delegation", "run", "step", "pause", "session"]
"""`voice` is what the model says in a session that is spoken all the time; else `playback` is what is heard of it."""
SpanMarkKind = Literal["first_token", "first_audio", "interrupted", "committed", "steered"]
MarkKind = Literal["error", "gap", "rejected", "session", "truncated", "missed", "unanswered", "refused", "note"]
Flat = str | float | bool | None
Body = Mapping[str, Any]


class SpanMark(Struct, frozen=True):
    """A moment within a span."""

    kind: SpanMarkKind
    at: float | None


class Span(Struct, kw_only=True):
    """Something that lasted. Times are Unix seconds, null where they were not seen."""

    id: str
    lane: Lane
    label: str
    begin: float | None = None
    end: float | None = None
    status: str | None = None
    """How it ended; null while it has not."""
    marks: list[SpanMark] = field(default_factory=list)
    detail: dict[str, Flat] = field(default_factory=dict)
    cost: dict[str, Any] | None = None
    tokens: list[dict[str, Any]] = field(default_factory=list)


class Mark(Struct, frozen=True):
    """A moment of the conversation."""

    at: float | None
    kind: MarkKind
    label: str
    detail: dict[str, Flat]


class Texts:
    """Reads the texts of records: out of the record itself; a subclass also out of the files beside a log."""

    withheld = False
    """Whether nothing but lengths is shown."""

    def text(self, content: Any) -> str | None:
        """Return what is kept of a text, where it may be shown."""
        if self.withheld or not isinstance(content, dict):
            return None
        kept = content.get("text")
        return kept if isinstance(kept, str) else self.stored(content)

    def stored(self, content: dict[str, Any]) -> str | None:  # noqa: ARG002  # a subclass reads it
        """Return a text that stands in a file."""
        return None


def characters(content: Any) -> int | None:
    """Return how long a text was, whatever is kept of it; None where there was none."""
    return content.get("length") if isinstance(content, dict) else None
