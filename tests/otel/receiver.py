"""A collector of a test: takes what is sent by OTLP over HTTP, decodes it, and answers as it is told."""

import gzip
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

REQUESTS: Mapping[str, type[ExportMetricsServiceRequest] | type[ExportTraceServiceRequest]] = {
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
}


@dataclass(frozen=True)
class Answer:
    """What a request is answered with."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Taken:
    """A request."""

    path: str
    headers: Mapping[str, str]
    message: Message


class Receiver:
    """What came so far, and what comes next."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.answer = answer
        self.url = ""
        self.requests: list[Taken] = []
        self.came: Queue[Taken] = Queue()

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Decode a request; what is no OTLP raises, and is answered with nothing."""
        decoded = REQUESTS["/" + "/".join(path.rsplit("/", 2)[1:])].FromString(gzip.decompress(body))
        taken = Taken(path, headers, decoded)
        self.requests.append(taken)
        answer = self.answer(path)
        self.came.put(taken)
        return answer

    def spans(self) -> list[Span]:
        """Return all spans that came."""
        return [
            span
            for each in list(self.requests)
            if isinstance(each.message, ExportTraceServiceRequest)
            for of_process in each.message.resource_spans
            for scope in of_process.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics that came last, by name; none where none came."""
        requests = [each.message for each in list(self.requests)]
        last = [each for each in requests if isinstance(each, ExportMetricsServiceRequest)][-1:]
        return {m.name: m for each in last for r in each.resource_metrics for s in r.scope_metrics for m in s.metrics}


@contextmanager
def receiver(
    answer: Callable[[str], Answer] = lambda _: Answer(), tls: tuple[Path, Path] | None = None
) -> Iterator[Receiver]:
    """Serve on loopback, with the certificate and the key of `tls` where there is one."""
    taking = Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            reply = taking.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust it hangs up
        taking.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield taking
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def peer(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Let each who connects be talked to by `talk`, which speaks what it likes; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connected, _ = listening.accept()
                    with connected, suppress(OSError):
                        talk(connected)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


# What is in the messages --------------------------------------------------------------------------------------


def plain(value: AnyValue) -> object:
    """Return a value of an attribute as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(pairs: "list[KeyValue]") -> dict[str, object]:
    """Return attributes by name."""
    return {pair.key: plain(pair.value) for pair in pairs}


def samples(metrics: Mapping[str, Metric]) -> dict[tuple[str, frozenset[tuple[str, object]]], float]:
    """Return what Prometheus would have of `metrics`: name and labels to value."""
    made: dict[tuple[str, frozenset[tuple[str, object]]], float] = {}
    for name, metric in metrics.items():
        kind = metric.WhichOneof("data")
        for point in getattr(metric, str(kind)).data_points:
            labels = attributes(point.attributes)
            if isinstance(point, HistogramDataPoint):
                made.update(_of_histogram(name, labels, point))
            else:
                made[name, frozenset(labels.items())] = point.as_double
    return made


def _of_histogram(
    name: str, labels: dict[str, object], point: HistogramDataPoint
) -> Iterator[tuple[tuple[str, frozenset[tuple[str, object]]], float]]:
    total = 0
    for bound, count in zip((*point.explicit_bounds, float("inf")), point.bucket_counts, strict=True):
        total += count
        shown = "+Inf" if bound == float("inf") else str(bound)
        yield (f"{name}_bucket", frozenset((labels | {"le": shown}).items())), total
    yield (f"{name}_count", frozenset(labels.items())), point.count
    yield (f"{name}_sum", frozenset(labels.items())), point.sum
