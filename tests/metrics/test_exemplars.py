"""Conversations beside the buckets that they were counted in."""

import pytest

from steno.core.facts import Origin, ResponseOutputStarted
from steno.limits import Limits
from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.exemplars import LATENCIES, ExemplarMetrics, exposed, shown
from steno.metrics.exposition import daemon_registry
from steno.metrics.formats import Form, render
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from tests.metrics.scraper import families_of

OPENMETRICS = Form(openmetrics=True, gzip=False)


def answered(metrics: Metrics, key: str, seconds: float, at: int | None = 1_700_000_000_500_000) -> None:
    """Let the conversation `key` have an answer after so many seconds."""
    origin = Origin(at=at, source="desk", stream="desk/1", conversation=key, family="realtime")
    metrics.emit(
        origin,
        ResponseOutputStarted(
            response_id="resp_1",
            model="gpt-realtime",
            output="audio",
            after_seconds=seconds / 2,
            turn_latency_seconds=seconds,
        ),
    )


def exemplars(metrics: Metrics, name: str) -> list[tuple[str, dict[str, str], float, float | None]]:
    """Return the bound, labels, value and time of each exemplar of a metric, as a scraper reads them."""
    registry = exposed(daemon_registry(Pipeline(Limits(), [metrics]), metrics, []), metrics)
    return [
        (sample.labels["le"], sample.exemplar.labels, sample.exemplar.value, _seconds(sample.exemplar.timestamp))
        for family in families_of(render(registry, OPENMETRICS))
        if family.name == name
        for sample in family.samples
        if sample.exemplar
    ]


def _seconds(at: object) -> float | None:
    return None if at is None else float(at)  # type: ignore[arg-type]  # the parser's own kind of number


def test_each_bucket_names_who_was_counted_there_last() -> None:
    metrics = ExemplarMetrics(100)
    answered(metrics, "desk/rtc_1", 0.31)
    answered(metrics, "desk/rtc_2", 0.35)
    answered(metrics, "desk/rtc_3", 30.0, at=None)

    assert exemplars(metrics, "steno_turn_latency_seconds") == [
        ("0.4", {"conversation": "desk/rtc_2"}, 0.35, 1_700_000_000.5),
        ("+Inf", {"conversation": "desk/rtc_3"}, 30.0, None),
    ]


def test_without_the_setting_there_are_none() -> None:
    metrics = Metrics(100)
    answered(metrics, "desk/rtc_1", 0.31)

    assert exemplars(metrics, "steno_turn_latency_seconds") == []


def test_the_text_format_has_none() -> None:
    metrics = ExemplarMetrics(100)
    answered(metrics, "desk/rtc_1", 0.31)
    registry = exposed(daemon_registry(Pipeline(Limits(), [metrics]), metrics, []), metrics)

    text = render(registry, Form(openmetrics=False, gzip=False))

    assert b"steno_turn_latency_seconds_bucket" in text
    assert b"rtc_1" not in text


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("desk/rtc_1", True),
        ("a" * 116, True),
        ("a" * 117, False),  # with the name of the label these are 129 characters
        ("desk/sk-proj-0123456789abcdef", False),
        ("desk/two\nlines", False),
    ],
)
def test_a_key_that_is_too_long_or_looks_like_a_secret_is_left_out(key: str, expected: bool) -> None:
    assert shown(key) is expected


def test_latencies_are_histograms() -> None:
    assert {CONVERSATION_METRICS[name].kind for name in LATENCIES} == {"histogram"}
