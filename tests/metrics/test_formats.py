"""What a scraper asks for, and what it is given."""

import gzip

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from steno.limits import Limits
from steno.metrics.definitions import METRICS
from steno.metrics.exposition import daemon_registry
from steno.metrics.formats import Form, form_of, render, unit_of
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from tests.metrics.scraper import families_of

TEXT, OPENMETRICS = Form(openmetrics=False, gzip=False), Form(openmetrics=True, gzip=False)
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
TEXT_FIRST = "text/plain;version=0.0.4;q=0.5, application/openmetrics-text;version=1.0.0;q=0.4"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        (BROWSER, False),
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        (TEXT_FIRST, False),
        ("Application/OpenMetrics-Text", True),
        ("application/openmetrics-text; q=0", False),
        ("application/openmetrics-text; version=x; q=lots", False),
        ("application/openmetrics-text; q=nan, text/plain", False),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", False),
    ],
)
def test_the_format_is_the_one_that_is_liked_best(accept: str, openmetrics: bool) -> None:
    assert form_of(accept, "") == Form(openmetrics, gzip=False)


@pytest.mark.parametrize(
    ("accept_encoding", "compressed"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("zstd, br", False),
        ("gzip;q=-1", False),
    ],
)
def test_a_body_is_compressed_where_that_is_asked_for(accept_encoding: str, compressed: bool) -> None:
    assert form_of("", accept_encoding).gzip is compressed


def registry() -> CollectorRegistry:
    metrics = Metrics(100)
    pipeline = Pipeline(Limits(), [metrics])
    pipeline.stream_opened("desk/1", "desk", None)
    return daemon_registry(pipeline, metrics, [])


def test_both_formats_hold_the_same_samples() -> None:
    """They can be parsed, the strict one too; no counter has a second series for when it began."""
    held = registry()
    text, families = render(held, TEXT).decode(), families_of(render(held, OPENMETRICS))
    names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}

    assert {sample.name for family in families for sample in family.samples} == names
    assert "steno_conversations" in names
    assert [name for name in names if name.endswith("_created")] == []
    assert "# UNIT" not in text


def test_compressed_it_is_the_same() -> None:
    def own(body: bytes) -> list[bytes]:  # what the process uses changes from one rendering to the next
        return [line for line in body.splitlines() if b"steno_" in line]

    held = registry()

    compressed = render(held, Form(openmetrics=True, gzip=True))

    assert own(gzip.decompress(compressed)) == own(render(held, OPENMETRICS))


def test_units_are_those_of_the_names() -> None:
    families = {family.name: family.unit for family in families_of(render(registry(), OPENMETRICS))}
    expected = {name.removesuffix("_total"): unit_of(name) for name in METRICS}

    assert {name: unit for name, unit in families.items() if name in expected} == {
        name: unit for name, unit in expected.items() if name in families
    }
    assert (families["steno_turn_latency_seconds"], families["steno_frame_bytes"]) == ("seconds", "bytes")
    assert (families["steno_conversations"], families["process_cpu_seconds"]) == ("", "seconds")
