"""Frames in, all outputs of a daemon out: the log under every policy, metrics, OTLP, state, recording, table."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from steno.app.price_list import load_prices
from steno.app.tables import conversation_table, counted, row_of
from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store.files import ContentFiles
from steno.audit.sink import AuditSink
from steno.audit.writing.queue import Pending
from steno.core.conversation import Conversation
from steno.core.export import conversation_line, stream_line
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import Limits
from steno.metrics.exposition import ConversationCollector, replay_text
from steno.metrics.sink import Metrics
from steno.otel import attributes
from steno.otel.measurements import metrics_request
from steno.otel.sink import SpanSink
from steno.otel.spans import SpanBuilder, trace_request
from steno.pipeline import Pipeline, Sink
from steno.redaction import Redactor
from steno.sources.recording import frame_line

RECORD_BYTES = 1 << 20
"""So large that nothing is cut: what was cut off cannot be found."""
KEY = b"k" * 32


class MemoryLog:
    """Takes records in place of a log on the disk."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []

    def submit(self, fact: bytes | Pending) -> None:
        """Keep one."""
        self.entries.append(fact if isinstance(fact, bytes) else fact.entry())

    def records(self) -> list[dict[str, Any]]:
        """Return the records, decoded."""
        return [msgspec.json.decode(b"{" + entry + b"}") for entry in self.entries]


def encoders(files: ContentFiles) -> dict[str, BodyEncoder]:
    """Return an encoder for each policy, by what it is."""
    full = ContentPolicy.of("full")
    return {
        "none": BodyEncoder(ContentPolicy.of("none")),
        "none with digests": BodyEncoder(ContentPolicy.of("none"), digest_key=KEY),
        "redacted": BodyEncoder(ContentPolicy.of("redacted"), redactor=Redactor()),
        "full": BodyEncoder(full),
        "full with digests": BodyEncoder(full, digest_key=KEY),
        "transcripts": BodyEncoder(ContentPolicy.of("none", {"transcript": "full"})),
        "all but messages": BodyEncoder(ContentPolicy.of("full", {"message": "none"})),
        "files": BodyEncoder(ContentPolicy.of("full", files=True), files=files),
    }


class Outputs:
    """A pipeline and all that is written of what it is fed."""

    def __init__(self, folder: Path) -> None:
        """Keep content files in `folder`."""
        self.files = ContentFiles(folder)
        self.logs = {policy: MemoryLog() for policy in encoders(self.files)}
        self._metrics = Metrics(label_values=100_000)
        sinks: list[Sink] = [
            AuditSink(self.logs[policy], bodies, RECORD_BYTES) for policy, bodies in encoders(self.files).items()
        ]
        self._spans = SpanSink(1_000_000)
        self._state: list[bytes] = []
        self._recording: list[bytes] = []
        self._table: list[str] = []
        sinks += [self._metrics, self._spans]
        self.pipeline = Pipeline(Limits(), sinks, self._closed, self._ended, load_prices(None))

    def _sent(self) -> bytes:
        """Return what is sent by OTLP where spans have ids, since that is most."""
        builder, resource = SpanBuilder(KEY, dict, ids=True), attributes.resource("i", {})
        spans = [span for item in self._spans.queue if (span := builder.add(item)) is not None]
        collected = ConversationCollector(self.pipeline, self._metrics).collect()
        return trace_request(spans, resource) + metrics_request(collected, resource, 0, 0)

    def _closed(self, state: Conversation) -> None:
        self._state.append(conversation_line(state))
        table = conversation_table([row_of(state)], "", 400)
        self._table += [str(cell) for column in table.columns for cell in column.cells]

    def _ended(self, stream: Stream) -> None:
        self._state.append(stream_line(stream))
        self._table.append(counted(dict(stream.unknown)))

    def feed(self, name: str, frames: Iterable[Frame]) -> None:
        """Feed `frames` as one stream."""
        stream = self.pipeline.stream_opened(f"relay/1/{name}", "relay", None)
        for frame in frames:
            self._recording.append(frame_line(frame))
            self.pipeline.feed(stream, frame)
        self.pipeline.stream_closed(stream, None, 1000)

    def written(self) -> dict[str, bytes]:
        """End all conversations, and return what was written, by output."""
        self.pipeline.registry.close_all(None)
        self.files.flush()
        content = b"".join(path.read_bytes() for path in self.files.folder.glob("*"))
        return {
            **{f"audit, {policy}": b"\n".join(log.entries) for policy, log in self.logs.items()},
            "content files": content,
            "metrics": replay_text(self.pipeline, self._metrics),
            "OTLP": self._sent(),
            "state": b"".join(self._state),
            "recording": b"".join(self._recording),
            "table": "\n".join(self._table).encode(),
        }
