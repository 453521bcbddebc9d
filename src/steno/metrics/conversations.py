"""What the pipeline itself counts and holds, as numbers by metric and labels: read when scraped, never before."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from steno.core.conversation import DUPLICATE
from steno.core.families import Families
from steno.core.registry import Registry
from steno.core.session import ACTIVE
from steno.metrics.closed import of_source
from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.labels import Labels
from steno.metrics.sink import Histogram, Metrics
from steno.timestamps import SECOND, Micros
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


class ConversationNumbers:
    """All numbers of conversations, from the pipeline and from the sink, with what is known to be 0."""

    def __init__(self, pipeline: Counts, metrics: Metrics) -> None:
        """Read from `pipeline` and from the sink `metrics`."""
        self._pipeline = pipeline
        self._metrics = metrics
        self._closed = of_source(pipeline.families.members)

    def numbers(self) -> dict[str, Numbers]:
        """Return the counters and gauges, by metric."""
        counted: dict[str, Numbers] = {
            **self._metrics.numbers,
            **_of_frames(list(self._pipeline.sources.items()), self._pipeline.families),
            **_of_conversations(self._pipeline, self._metrics),
            "steno_rate_limit_reset_seconds": _resets(self._metrics.resets, self._pipeline.now),
        }
        return {name: {**dict.fromkeys(self._known(name), 0), **dict(values)} for name, values in counted.items()}

    def histograms(self) -> dict[str, dict[Labels, Histogram]]:
        """Return the histograms, by metric."""
        return {
            name: {
                **dict.fromkeys(self._known(name), Histogram(CONVERSATION_METRICS[name].buckets)),
                **dict(histograms),
            }
            for name, histograms in self._metrics.histograms.items()
        }

    def _known(self, name: str) -> list[Labels]:
        """Return the label sets that every source has from its beginning."""
        known = self._closed.get(name, ())
        return [(source, *labels) for source in list(self._pipeline.sources) for labels in known]


def _of_frames(sources: Sequence[tuple[str, SourceCounts]], families: Families) -> dict[str, Numbers]:
    """Return what is counted for every frame."""
    return {
        "steno_events_total": dict(_events(families, sources)),
        "steno_events_rejected_total": {
            (name, reason): count
            for name, counts in sources
            for reason, count in list(counts.frames_rejected.items())
            if reason != DUPLICATE  # which has a metric of its own
        },
        "steno_duplicates_total": {(name,): counts.frames_rejected.get(DUPLICATE, 0) for name, counts in sources},
        "steno_drifted_members_total": {(name,): counts.drifted for name, counts in sources},
        "steno_frame_bytes_total": {
            (name, direction): size
            for name, counts in sources
            for direction, size in (("received", counts.received_bytes), ("sent", counts.sent_bytes))
        },
        "steno_last_event_timestamp_seconds": {
            (name,): (counts.last_event_at or 0) / SECOND for name, counts in sources
        },
    }


def _events(families: Families, sources: Sequence[tuple[str, SourceCounts]]) -> Iterator[tuple[Labels, float]]:
    for name, counts in sources:
        for kind, count in list(counts.events.items()):
            yield (name, families.of_event[kind].name, name_of(kind)), count
        for family, count in list(counts.others.items()):
            yield (name, family, "other"), count


def _of_conversations(pipeline: Counts, metrics: Metrics) -> dict[str, Numbers]:
    """Return what is true of the open conversations, as of the last whole second."""
    conversations: Counter[Labels] = Counter()
    sessions: Counter[Labels] = Counter()
    ending: Counter[Labels] = Counter()
    calls: Counter[Labels] = Counter()
    fullest: dict[Labels, float] = {}
    for state in list(pipeline.registry.conversations.values()):
        conversations[state.source, state.family] += 1
        if state.session_life.status == ACTIVE:
            sessions[state.source, state.session_life.kind] += 1
        for seconds, within in WITHIN.items():
            ending.update((state.source, kind, within) for kind in state.ending(seconds, pipeline.now))
        if (ratio := state.context_window_ratio) is not None:
            labels = (state.source, metrics.known(state.source, "model", state.billed_model))
            fullest[labels] = max(ratio, fullest.get(labels, 0.0))
        if state.calls:
            calls.update((state.source, call.kind) for call in list(state.calls.values()))
    return {
        "steno_conversations": conversations,
        "steno_sessions": sessions,
        "steno_sessions_ending": ending,
        "steno_tool_calls_open": calls,
        "steno_context_window_ratio": fullest,
    }


def _resets(resets: Mapping[Labels, tuple[float, Micros | None]], now: Micros) -> Numbers:
    """Return after how many seconds each rate limit is whole again: what was said, less what has passed since.

    Without times nothing is known to have passed.
    """
    return {
        labels: max(0.0, seconds - max(0, now - (now if at is None else at)) / SECOND)
        for labels, (seconds, at) in dict(resets).items()
    }
