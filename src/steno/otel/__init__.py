"""What is sent by OTLP: the metrics of `/metrics`, and a span a response, a user turn, a tool call, a run and a step.

    sink.py          facts that end something, as small items in a bounded queue: all that happens on the event loop
    spans.py         items as spans: their times, parents and attributes
    measurements.py  Prometheus metrics as those of OTLP
    attributes.py    attributes of both, and what names this process
    collector.py     one request to a collector, within a time
    exporting.py     the threads that send, what they do about a failure, and what they count
    setup.py         from the configuration to all of that

Nothing here runs on the event loop but `sink`. A collector that is down, slow or wrong costs its thread some time, and
spans that are dropped and counted; nothing else waits for it. No content is ever sent, and ids only where `otel.ids`
says so.

The messages of OTLP come from `opentelemetry-proto` (the extra `otel`): only `spans`, `measurements` and `attributes`
import it, and `setup` imports these where something is sent.
"""
