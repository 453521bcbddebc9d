"""The numbers of the pipeline as Prometheus sees them."""

import msgspec

from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.exposition import SLICE, in_order, replay_text
from steno.metrics.labels import Labels
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline


def counted(text: bytes) -> list[str]:
    """The samples that are not 0."""
    return [line for line in text.decode().splitlines() if not line.startswith("#") and not line.endswith(" 0.0")]


def test_an_event_counts_under_the_family_that_knows_it() -> None:
    """A bare ChatKit session is of the family chatkit, though its discriminator is no `type`."""
    metrics = Metrics(100)
    pipeline = Pipeline(Limits(), [metrics])
    stream = pipeline.stream_opened("replay/a", "replay", None)

    for event in (
        {"object": "chatkit.session", "id": "cksess_1", "status": "active"},
        {"type": "session.created", "session": {"id": "sess_1"}},
        {"event": "thread.run.queued", "data": {"id": "run_1", "thread_id": "thread_1"}},
        {"type": "thread.item.done"},
    ):
        pipeline.feed(stream, Frame(msgspec.json.encode(event), None))

    lines = counted(replay_text(pipeline, metrics))
    assert [line for line in lines if line.startswith("steno_events_total{")] == [
        'steno_events_total{event="thread.run.queued",family="assistants",source="replay"} 1.0',
        'steno_events_total{event="chatkit.session",family="chatkit",source="replay"} 1.0',
        'steno_events_total{event="other",family="chatkit",source="replay"} 1.0',
        'steno_events_total{event="session.created",family="realtime",source="replay"} 1.0',
    ]


def test_a_duplicate_counts_as_a_duplicate_alone() -> None:
    """A frame counts once: what was delivered again is not rejected as well."""
    metrics = Metrics(100)
    pipeline = Pipeline(Limits(), [metrics])
    stream = pipeline.stream_opened("replay/a", "replay", None)
    begun = {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1"}}

    for event in (begun, begun, {"type": "conversation.item.deleted", "event_id": "event_2", "item_id": "item_1"}):
        pipeline.feed(stream, Frame(msgspec.json.encode(event), None))

    lines = counted(replay_text(pipeline, metrics))
    assert [line for line in lines if line.startswith(("steno_events_rejected_total{", "steno_duplicates_total{"))] == [
        'steno_events_rejected_total{reason="unknown_item",source="replay"} 1.0',
        'steno_duplicates_total{source="replay"} 1.0',
    ]


def test_very_many_series_are_in_the_order_of_their_labels() -> None:
    """Though they are sorted in slices."""
    names = [str(number * 7_919 % 99_991) for number in range(2 * SLICE + 1)]
    series: dict[Labels, float] = {("relay", name): float(number) for number, name in enumerate(names)}
    assert list(in_order(series)) == sorted(series.items())
    assert list(in_order({})) == []
