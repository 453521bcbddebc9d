"""The labels that an operator gives sources, on the metrics of their conversations."""

import msgspec

from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.exposition import replay_text
from steno.metrics.labels import NO_LABELS, SourceLabels
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline


def played(labels: SourceLabels) -> list[str]:
    """Play a session and an utterance of two sources, and return the samples of two metrics that are not 0."""
    metrics = Metrics(100)
    metrics.labels = labels
    pipeline = Pipeline(Limits(), [metrics])
    for source in ("desk", "relay"):
        stream = pipeline.stream_opened(f"{source}/1/1", source, 0)
        for event in ("session.created", "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"):
            pipeline.feed(stream, Frame(msgspec.json.encode({"type": event, "session": {"id": source}}), 1_000_000))
    shown = (
        "steno_conversations_opened_total{",
        "steno_user_speech_duration_seconds_count{",
        "steno_duplicates_total{",
    )
    return [
        line
        for line in replay_text(pipeline, metrics).decode().splitlines()
        if line.startswith(shown) and not line.endswith(" 0.0")
    ]


def test_the_labels_of_a_source_are_on_all_its_metrics() -> None:
    """Counters and histograms alike."""
    labels = SourceLabels({"desk": {"team": "sales", "site": "Oslo"}, "relay": {"team": "service", "site": ""}})

    assert played(labels) == [
        'steno_conversations_opened_total{family="realtime",site="Oslo",source="desk",team="sales"} 1.0',
        'steno_conversations_opened_total{family="realtime",site="",source="relay",team="service"} 1.0',
        'steno_user_speech_duration_seconds_count{site="Oslo",source="desk",team="sales"} 1.0',
        'steno_user_speech_duration_seconds_count{site="",source="relay",team="service"} 1.0',
    ]


def test_without_labels_the_source_stands_alone() -> None:
    """As in a replay."""
    assert played(NO_LABELS) == [
        'steno_conversations_opened_total{family="realtime",source="desk"} 1.0',
        'steno_conversations_opened_total{family="realtime",source="relay"} 1.0',
        'steno_user_speech_duration_seconds_count{source="desk"} 1.0',
        'steno_user_speech_duration_seconds_count{source="relay"} 1.0',
    ]


def test_a_source_that_is_gone_keeps_its_labels() -> None:
    """Its counts are still there; of labels that are gone, or new, it has none."""
    first = SourceLabels({"desk": {"team": "sales", "site": "Oslo"}, "relay": {"team": "service", "site": "Bergen"}})
    second = SourceLabels({"relay": {"team": "support", "floor": "2"}}, first)
    third = SourceLabels({}, second)

    assert second.by_source() == {"desk": {"floor": "", "team": "sales"}, "relay": {"floor": "2", "team": "support"}}
    assert third.by_source() == {"desk": {}, "relay": {}}
    assert second.names_after_source(("source", "reason")) == ("source", "floor", "team", "reason")
    assert second.values_after_source(("unknown", "idle")) == ("unknown", "", "", "idle")
