"""Feeds conversations that are all open: `open_conversations.py CONVERSATIONS FRAMES burst|turn`.

It says `open`. For each line of standard input FRAMES more frames are fed, and the CPU seconds of that are printed:
answers of assistants, 20 frames each. In a `burst` 20 frames of one conversation come one after the other, in
`turn` one of each conversation. Conversations begin at different frames of their first answer, so that any
FRAMES frames are the same mix.
"""

import base64
import gc
import sys
from collections.abc import Iterator
from itertools import count, islice
from random import Random
from time import process_time
from typing import Any, Final

import msgspec

from steno.app.garbage import YOUNG, Garbage
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.view.recent import RecentFacts

BEGIN: Final = 1_767_225_600_000_000
ANSWER: Final = 20
WORDS: Final = " and so it goes on" * 13
SOUND: Final = [base64.b64encode(Random(seed).randbytes(6_000)).decode() for seed in range(20)]
USAGE: Final = {
    "total_tokens": 30,
    "input_tokens": 10,
    "output_tokens": 20,
    "input_token_details": {"text_tokens": 10, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 5, "audio_tokens": 15},
}


def answer(turn: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the kind and the members of each frame of an answer: eight of a transcript, five of sound."""
    response, item = f"resp_{turn}", f"item_{turn}"
    where = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    message = {"id": item, "type": "message", "role": "assistant", "content": []}
    yield "response.created", {"response": {"id": response, "status": "in_progress", "output": []}}
    yield "response.output_item.added", {"response_id": response, "output_index": 0, "item": message}
    yield "response.content_part.added", {**where, "part": {"type": "audio", "transcript": ""}}
    for piece in range(13):
        if piece % 3 == 0:
            yield "response.output_audio.delta", {**where, "delta": SOUND[(turn + piece) % 20]}
        else:
            yield "response.output_audio_transcript.delta", {**where, "delta": f"{piece}{WORDS}"}
    yield "response.output_audio_transcript.done", {**where, "transcript": WORDS}
    yield "response.content_part.done", {**where, "part": {"type": "audio", "transcript": WORDS}}
    yield "response.output_item.done", {"response_id": response, "output_index": 0, "item": message}
    yield "response.done", {"response": {"id": response, "status": "completed", "output": [], "usage": USAGE}}


def frames(key: int) -> Iterator[bytes]:
    """Yield the frames of the conversation `key`, without end."""
    session = {"id": f"sess_{key}", "object": "realtime.session", "model": "gpt-realtime"}
    yield msgspec.json.encode({"type": "session.created", "event_id": f"e{key}", "session": session})
    for turn in count():
        for number, (kind, members) in enumerate(answer(turn)):
            yield msgspec.json.encode({"type": kind, "event_id": f"e{key}-{turn}-{number}", **members})


class Fed:
    """A pipeline as a daemon without an audit log has it, and its conversations."""

    def __init__(self, conversations: int) -> None:
        """Open all, each at another frame of its answer."""
        limits = Limits(memory_bytes=2 << 30, conversations=2 * conversations)
        recent = RecentFacts(limits.recent_bytes, ())
        self.pipeline = Pipeline(limits, [Metrics(limits.label_values), recent], recent.ended)
        self.at = BEGIN
        self.calls: list[tuple[Stream, Iterator[bytes]]] = []
        for key in range(conversations):
            self.calls.append((self.pipeline.stream_opened(f"desk/{key}", "desk", self.at), frames(key)))
        for number, call in enumerate(self.calls):
            self.feed([call], 1 + number % ANSWER)

    def feed(self, calls: list[tuple[Stream, Iterator[bytes]]], each: int) -> float:
        """Feed so many frames of each of `calls`, one call after the other; return the CPU seconds of it."""
        ready = []
        for stream, payloads in calls:
            for payload in islice(payloads, each):
                self.at += 25
                ready.append((stream, Frame(payload, self.at)))
        feed = self.pipeline.feed
        began = process_time()
        for stream, frame in ready:
            feed(stream, frame)
        return process_time() - began


def main() -> None:
    """Feed as much as is asked for."""
    conversations, number, order = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    fed = Fed(conversations)
    Garbage().start()
    each = ANSWER if order == "burst" else 1
    calls = count()
    sys.stdout.write("open\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        gc.collect(YOUNG)
        chosen = [fed.calls[next(calls) % conversations] for _ in range(number // each)]
        sys.stdout.write(f"{fed.feed(chosen, each)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
