# ruff: noqa: INP001  # a script of the house, in no package
"""What `Pipeline.feed` costs, beside `json.loads` over the same payloads in the same run.

    python benchmarks/feed.py [FRAMES]

The frames are those of simulated conversations, and of a single kind of delta each, as most of a stream is.
"""

import base64
import gc
import json
import random
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from time import process_time
from typing import Any, Final

import msgspec

from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.simulate import assistants, voice

FRAMES: Final = 3_000
ROUNDS: Final = 9
"""The best one counts: what else the machine does only slows."""
BEGIN: Final = 1_767_225_600


def conversations(make: Callable[..., Any], count: int) -> list[bytes]:
    """Return the frames of simulated conversations, one after the other."""
    payloads: list[bytes] = []
    for seed in range(count):
        payloads += [msgspec.json.encode(step.event) for step in islice(make(random.Random(seed), BEGIN), count)]
        if len(payloads) >= count:
            break
    return payloads[:count]


def deltas(kind: str, delta: str, count: int) -> list[bytes]:
    """Return a session and many deltas of a kind."""
    ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0, "delta": delta}
    begun = [
        {"type": "session.created", "event_id": "event_0", "session": {"id": "sess_1"}},
        {"type": "response.created", "event_id": "event_1", "response": {"id": "resp_1", "status": "in_progress"}},
    ]
    told = ({"type": f"response.{kind}.delta", "event_id": f"event_{number}", **ids} for number in range(2, count))
    return [msgspec.json.encode(event) for event in (*begun, *told)]


def sound(size: int) -> str:
    """Return as much audio as a delta carries, in base64."""
    return base64.b64encode(random.Random(size).randbytes(size)).decode()


def loads(payloads: Sequence[bytes]) -> float:
    """Return the seconds of CPU that the standard decoder takes."""
    began = process_time()
    for payload in payloads:
        json.loads(payload)
    return process_time() - began


def feed(payloads: Sequence[bytes]) -> float:
    """Return the seconds of CPU that the pipeline takes, metrics included."""
    pipeline = Pipeline(Limits(), [Metrics(100)])
    stream = pipeline.stream_opened("benchmark", "benchmark", 0)
    frames = [Frame(payload, BEGIN * 1_000_000 + number * 1_000) for number, payload in enumerate(payloads)]
    gc.collect()
    began = process_time()
    for frame in frames:
        pipeline.feed(stream, frame)
    return process_time() - began


def main() -> None:
    """Measure each kind of stream, and print a line of it."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    streams = {
        "voice sessions": conversations(voice.session, count),
        "assistants streams": conversations(assistants.stream, count),
        "text deltas": deltas("output_text", " hello there", count),
        "audio deltas, 6 kB": deltas("output_audio", sound(4_500), count),
        "audio deltas, 16 kB": deltas("output_audio", sound(12_000), count),
    }
    sys.stdout.write(f"{'stream':<22}{'bytes':>8}{'loads us':>10}{'feed us':>10}{'ratio':>8}\n")
    for name, payloads in streams.items():
        best = [min(cost(payloads) for _ in range(ROUNDS)) / len(payloads) * 1e6 for cost in (loads, feed)]
        size = sum(map(len, payloads)) / len(payloads)
        sys.stdout.write(f"{name:<22}{size:>8.0f}{best[0]:>10.2f}{best[1]:>10.2f}{best[1] / best[0]:>8.2f}\n")


if __name__ == "__main__":
    main()
