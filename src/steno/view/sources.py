"""The sources as lines of a table. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct


class SourceRow(Struct, frozen=True, kw_only=True, gc=False):
    """One source. Times are Unix seconds."""

    name: str
    kind: str
    """As in the configuration; `log` where an audit log is looked at."""
    labels: dict[str, str]
    ready: bool
    problem: str | None
    """Why it is not ready, of a closed list."""
    streams: int
    """Connections that are open now."""
    conversations: int
    """Conversations that are open now; in a log, all."""
    last_event_at: float | None


class SourceList(Struct, frozen=True):
    """All sources, by name."""

    at: float
    sources: list[SourceRow]


def counted_by_source(names: Iterable[str]) -> Mapping[str, int]:
    """Return how often each source is named."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def essence(rows: Iterable[SourceRow]) -> list[tuple[object, ...]]:
    """Return what of sources is worth an event: not that they received something."""
    return [(row.name, row.ready, row.problem, row.streams, row.conversations) for row in rows]
