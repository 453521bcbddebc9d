"""From the configuration to what is sent. No secret is read yet, and nothing is connected to."""

import secrets
from functools import partial
from uuid import uuid4

from steno.config.schema import Otel
from steno.errors import ConfigError, ConfigFault
from steno.otel.collector import Collector
from steno.otel.exporting import METRICS, SPANS, Collect, Delivery, Exports, MetricsExport, ReadLabels, SpansExport
from steno.otel.sink import SpanSink
from steno.sources.clock import Clock

SECRET_BYTES = 32
"""Of the key that ids of traces and spans are made by."""


def exports_of(otel: Otel, clock: Clock) -> Exports | None:
    """Return what sends by OTLP; None where nothing is to be sent.

    Raises ConfigError, with a fault that names no file, where the packages for it are not installed.
    """
    if otel.endpoint is None or not (otel.metrics or otel.spans):
        return None
    try:
        from steno.otel import attributes, measurements, spans  # noqa: PLC0415  # they need the extra
    except ModuleNotFoundError:
        message = 'OTLP needs packages that are not installed: pip install "steno[otel]"'
        raise ConfigError([ConfigFault("", "otel.endpoint", message)]) from None
    collector = Collector(otel)
    resource = attributes.resource(str(uuid4()), otel.resource)
    sink = SpanSink(otel.queue_spans) if otel.spans else None
    deliveries = {SPANS: Delivery(SPANS, collector, spans.rejected_spans, otel.timeout_seconds)} if sink else {}
    if otel.metrics:
        deliveries[METRICS] = Delivery(METRICS, collector, measurements.rejected_points, otel.timeout_seconds)

    def make(collect: Collect, labels: ReadLabels) -> list[MetricsExport | SpansExport]:
        made: list[MetricsExport | SpansExport] = []
        if otel.metrics:

            def request() -> bytes:
                return measurements.metrics_request(collect(), resource, clock.start, clock.now())

            made.append(MetricsExport(deliveries[METRICS], request, otel.interval_seconds))
        if sink:
            builder = spans.SpanBuilder(secrets.token_bytes(SECRET_BYTES), labels, ids=otel.ids)
            encode = partial(spans.trace_request, resource=resource)
            made.append(SpansExport(deliveries[SPANS], sink, builder, encode))
        return made

    return Exports(deliveries, sink, make)
