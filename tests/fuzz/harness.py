"""Traffic through the real pipeline, and what must hold whatever the traffic is.

No frame raises, and none takes more steps than its length allows (`tests/work_counter.py`). Each is counted once. State
and metrics can be written, the audit log verifies, and a second time gives the same bytes.
"""

import base64
import json
from pathlib import Path
from typing import Final

import msgspec

from steno.app.price_list import load_prices
from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.log_records import SegmentSettings
from steno.audit.sink import AuditSink
from steno.audit.verification.files import verify
from steno.audit.verification.trust import Trust
from steno.audit.writing.log import AuditLog
from steno.audit.writing.queue import Submission
from steno.core.conversation import Conversation
from steno.core.export import conversation_line, stream_line
from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.exposition import replay_text
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.timestamps import SECOND, timestamp
from tests.work_counter import Work

BEGIN: Final = 1_767_225_600 * SECOND
STEPS: Final = 30_000
STEPS_A_BYTE: Final = 16
MOST_STEPS: Final = 250_000
"""What a frame may take: so many steps, and some a byte of it, but never more than these."""
TIGHT: Final = Limits(
    conversations=3,
    idle_seconds=5,
    items=3,
    open_responses=2,
    kept_objects=2,
    object_bytes=1024,
    transcript_bytes=1024,
    duplicates_window=4,
    label_values=2,
)
"""Limits that are reached at once."""


class _Log:
    """Writes records as they come."""

    def __init__(self, log: AuditLog) -> None:
        self.log = log

    def submit(self, record: Submission, /) -> None:
        self.log.append(record if isinstance(record, bytes) else record.entry())


def check(frames: list[bytes], folder: Path, limits: Limits) -> None:
    """Feed `frames` twice, with audit logs in two folders below `folder`; raises where something does not hold."""
    first = _fed(frames, folder / "first", limits, counted=True)
    second = _fed(frames, folder / "second", limits, counted=False)
    assert first == second, "the same frames give the same bytes"


def _fed(frames: list[bytes], folder: Path, limits: Limits, *, counted: bool) -> list[bytes]:
    """Feed `frames`, and return the outputs."""
    settings = SegmentSettings(version="0", config_digest="", content_policy="full", key=None)
    log = AuditLog.open(folder, settings, at=None, segment_bytes=1 << 30)
    metrics = Metrics(limits.label_values)
    closed: list[Conversation] = []
    sink = AuditSink(_Log(log), BodyEncoder(ContentPolicy.of("full")), 1 << 16)
    pipeline = Pipeline(limits, [metrics, sink], closed.append, prices=load_prices(None))
    stream = pipeline.stream_opened("fuzz/1/1", "fuzz", BEGIN)
    for number, payload in enumerate(frames):
        frame = Frame(payload, BEGIN + number * SECOND)
        if counted:
            _feed_counted(pipeline, stream, frame)
        else:
            pipeline.feed(stream, frame)
    _assert_counted_once(pipeline, len(frames))
    states = [*closed, *pipeline.registry.conversations.values()]
    lines = [*(conversation_line(state) for state in states), stream_line(stream)]
    for line in lines:
        assert line.count(b"\n") == 1
        json.loads(line)
    pipeline.stream_closed(stream, BEGIN + len(frames) * SECOND, 1000)
    log.close(None)
    report = verify([folder], trust=Trust())
    assert report.ok, report
    return [*lines, replay_text(pipeline, metrics), *(path.read_bytes() for path in sorted(folder.glob("*.jsonl")))]


def _feed_counted(pipeline: Pipeline, stream: object, frame: Frame) -> None:
    with Work() as work:
        pipeline.feed(stream, frame)  # type: ignore[arg-type]  # it is the pipeline's own
    bound = min(STEPS + STEPS_A_BYTE * len(frame.payload), MOST_STEPS)
    assert work.steps <= bound, f"{work.steps} steps for {len(frame.payload)} bytes"


def _assert_counted_once(pipeline: Pipeline, frames: int) -> None:
    counts = pipeline.source("fuzz")
    events = sum(pipeline.events.values()) + sum(pipeline.others.values())
    assert events + sum(counts.frames_rejected.values()) == frames


def as_recording(frames: list[bytes]) -> bytes:
    """Return `frames` as lines that `steno replay` reads back to the very same bytes."""
    return b"".join(
        msgspec.json.encode(
            {
                "dir": "received",
                "at": timestamp(BEGIN + number * SECOND),
                "base64": base64.b64encode(payload).decode(),
            }
        )
        + b"\n"
        for number, payload in enumerate(frames)
    )
