"""What the pipeline itself counts and holds, as numbers by metric and labels: read when scraped, never before."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from steno.core.conversation import DUPLICATE
from steno.core.families import Families
from steno.core.registry import Registry
from steno.core.session import ACTIVE
from steno.metrics.labels import Labels
from steno.metrics.sink import Metrics
from steno.timestamps import Micros
from steno.wire import Event, name_of

Numbers = Mapping[Labels, float]

WITHIN: Final = {60: "60s", 300: "300s"}
"""How many seconds away the end of a session is at most, and the label value of that."""


class SourceCounts(Protocol):
    """What the pipeline counts of a source."""

    received_bytes: int
    sent_bytes: int
    drifted: int
    last_event_at: Micros | None
    events: dict[type[Event], int]
    others: dict[str, int]
    """Family to events of unknown types."""
    frames_rejected: dict[str, int]


class Counts(Protocol):
    """What the pipeline counts."""

    families: Families
    registry: Registry

    @property
    def sources(self) -> Mapping[str, SourceCounts]:
        """Source to what was counted of it."""

    @property
    def now(self) -> Micros:
        """The last whole second that time went on to."""


def conversation_numbers(pipeline: Counts, metrics: Metrics) -> dict[str, Numbers]:
    """Return the counters and gauges of conversations, by metric."""
    return {**metrics.numbers, **_of_frames(pipeline, metrics), **_of_conversations(pipeline)}


def _of_frames(pipeline: Counts, metrics: Metrics) -> dict[str, Numbers]:
    """Return what is counted for every frame."""
    sources = list(pipeline.sources.items())
    return {
        "steno_events_total": dict(_events(pipeline.families, sources)),
        "steno_events_rejected_total": {
            (name, reason): count
            for name, counts in sources
            for reason, count in list(counts.frames_rejected.items())
            if reason != DUPLICATE  # which has a metric of its own
        },
        "steno_duplicates_total": {(name,): counts.frames_rejected.get(DUPLICATE, 0) for name, counts in sources},
        "steno_drifted_members_total": {(name,): counts.drifted for name, counts in sources},
        "steno_facts_omitted_total": {
            **{(name,): 0 for name, _ in sources},
            **dict(metrics.numbers["steno_facts_omitted_total"]),
        },
        "steno_frame_bytes_total": {
            (name, direction): size
            for name, counts in sources
            for direction, size in (("received", counts.received_bytes), ("sent", counts.sent_bytes))
        },
        "steno_last_event_timestamp_seconds": {
            (name,): (counts.last_event_at or 0) / 1_000_000 for name, counts in sources
        },
    }


def _events(families: Families, sources: Iterable[tuple[str, SourceCounts]]) -> Iterable[tuple[Labels, float]]:
    for name, counts in sources:
        for kind, count in list(counts.events.items()):
            yield (name, families.of_event[kind].name, name_of(kind)), count
        for family, count in list(counts.others.items()):
            yield (name, family, "other"), count


def _of_conversations(pipeline: Counts) -> dict[str, Numbers]:
    """Return what is true of the open conversations, as of the last whole second."""
    conversations: Counter[Labels] = Counter()
    for source in list(pipeline.sources):
        conversations.update({(source, family): 0 for family in pipeline.families.names})
    known: Counter[Labels] = Counter()
    ending: Counter[Labels] = Counter()
    for state in list(pipeline.registry.conversations.values()):
        conversations[state.source, state.family] += 1
        if state.session_life.status == ACTIVE:
            known[state.source, state.session_life.kind] += 1
        for seconds, within in WITHIN.items():
            for kind in state.ending(seconds, pipeline.now):
                ending[state.source, kind, within] += 1
    return {"steno_conversations": conversations, "steno_sessions": known, "steno_sessions_ending": ending}
