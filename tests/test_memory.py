"""Memory: a daemon that is told of ever new ids for months holds no more of them than it says.

Measured in a process of its own, in which nothing else was freed before. The limits that take long to reach are made
small; that each is kept to is all the same to the measure.
"""

import gc
import itertools
import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from steno.core import conversation, sequence
from steno.core.assistants import owners
from steno.core.assistants import state as thread_state
from steno.core.billing import claims
from steno.core.frame import Frame
from steno.core.realtime import routing as realtime_routing
from steno.core.realtime import state as realtime_state
from steno.core.responses import routing as responses_routing
from steno.core.responses import state as responses_state
from steno.core.stream import Stream
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline

LIMITS: Final = Limits(
    conversations=50,
    idle_seconds=3_600.0,
    items=20,
    open_responses=4,
    kept_objects=4,
    object_bytes=4_096,
    transcript_bytes=1_024,
    duplicates_window=20,
    label_values=10,
)
SMALL: Final = (
    (conversation, "ENDED_IDS"),
    (realtime_state, "ENDED_IDS"),
    (thread_state, "ENDED_IDS"),
    (owners, "OWNERS"),
    (realtime_routing, "OWNERS"),
    (sequence, "SENDERS"),
    (claims, "CLAIMS"),
    (responses_state, "ENDED_IDS"),
    (responses_state, "LANES"),
    (responses_routing, "LANES"),
    (responses_routing, "CHAINED_RESPONSES"),
)
"""Limits of ours that a million ids would hardly reach."""
SMALLER: Final = 50

ID: Final = re.compile(r'"@([^"]*)"')
"""Where an id that is new in each round stands in what is said."""
LONG: Final = "x" * 400
"""What every id ends with: one that is kept takes half a kilobyte."""

WARM_ROUNDS: Final = 1_000
"""Rounds after which all limits are reached."""
FAST_IDS: Final = 150_000
DEEP_IDS: Final = 1_000_000
GROWTH_BYTES: Final = 500_000
"""Several times what the measure wavers by. Were the ids of one kind alone kept, one a round and cut to what a key may
have, they would take twice as much in the fast form; were all of them kept, 75 MB."""
TIMEOUT_SECONDS: Final = 240
"""It takes 8 seconds, and several times that beside other tests while coverage is measured."""


# What is said ---------------------------------------------------------------------------------------------------


def event(kind: str, **members: Any) -> dict[str, Any]:
    """A Realtime event with an id of its own."""
    return {"type": kind, "event_id": f"@event {next(_NUMBERS)}", **members}


_NUMBERS: Final = itertools.count(1)


def pair(kind: str, key: str, thread: str = "thread", **members: Any) -> dict[str, Any]:
    """An event of a thread's run, step or message."""
    kind_of, _, status = kind.rpartition(".")
    ids = {"object": kind_of, "id": key, "thread_id": thread, "run_id": "@run of", "assistant_id": "@assistant"}
    return {"event": kind, "data": {**ids, "status": status, "model": "model-#", **members}}


def enveloped(data: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent whose every attribute is new."""
    new = {"id": f"{data['session']['id']} envelope", "source": "@sender", "subject": "@subject", "sequence": "1"}
    return {"specversion": "1.0", **new, "data": data}


IDS: Final = {"response_id": "@response", "item_id": "@message", "output_index": 0, "content_index": 0}
CALL: Final = {"type": "function_call", "id": "@call item", "call_id": "@call", "name": "tool-#", "arguments": "{}"}
MESSAGE: Final = {"type": "message", "id": "@message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
SAID: Final = {"type": "message", "id": "@user", "role": "user", "content": []}
TOOL: Final = {"index": 0, "id": "@tool", "type": "function", "function": {"name": "tool-#", "arguments": "{}"}}
USAGE: Final = {"input_tokens": 5, "output_tokens": 3}
TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"

VOICE: Final = [
    event("conversation.item.added", item=SAID, previous_item_id="@before"),
    event(f"{TRANSCRIPTION}.completed", item_id="@user", transcript="Hello", usage={"type": "duration", "seconds": 1}),
    event("response.created", response={"id": "@response", "conversation_id": "@conversation"}),
    event("response.output_item.added", response_id="@response", item=CALL),
    event("response.output_text.delta", **IDS, delta="Hi"),
    event("response.function_call_arguments.done", **{**IDS, "item_id": "@call item"}, call_id="@call", arguments="{}"),
    event("output_audio_buffer.started", response_id="@response"),
    event(
        "response.done",
        response={"id": "@response", "status": "completed", "output": [MESSAGE, CALL], "model": "m-#", "usage": USAGE},
    ),
    event("response.created", response={"id": "@never ended"}),
    event("response.output_text.delta", response_id="@never begun", item_id="@unannounced", delta="Hi"),
    event("error", error={"type": "kind-#", "code": "code-#", "event_id": "@cause"}),
    event("@unknown event"),
]
"""One voice session that goes on and on."""

THREAD: Final = [
    pair("thread.run.queued", "@run"),
    pair("thread.run.completed", "@ended run", usage={"prompt_tokens": 5, "completion_tokens": 3}),
    pair("thread.run.step.created", "@step", type="tool_calls"),
    {
        "event": "thread.run.step.delta",
        "data": {"id": "@step", "delta": {"step_details": {"type": "tool_calls", "tool_calls": [TOOL]}}},
    },
    pair("thread.run.step.completed", "@ended step", type="message_creation"),
    pair("thread.message.created", "@note"),
    {
        "event": "thread.message.delta",
        "data": {"id": "@note", "delta": {"content": [{"index": 0, "type": "text", "text": {"value": "Hi"}}]}},
    },
    pair("thread.message.completed", "@ended note"),
    {"event": "@unknown pair", "data": {}},
]
"""One thread that goes on and on."""


def numbered(kind: str, **members: Any) -> dict[str, Any]:
    """An event of the Responses API."""
    return {"type": kind, "sequence_number": 1, **members}


WHOLE: Final = {"object": "response", "model": "m-#", "status": "completed", "output": [MESSAGE, CALL], "usage": USAGE}

AGENT: Final = [
    numbered("response.created", response={"id": "@begun", "object": "response"}),
    numbered("response.output_item.added", output_index=0, item=CALL),
    numbered("response.output_text.delta", item_id="@message", content_index=0, delta="Hi"),
    numbered("response.output_item.done", output_index=1, item={"type": "mcp_approval_request", "id": "@asked"}),
    numbered("response.completed", response={**WHOLE, "id": "@begun"}),
    numbered("response.steer.accepted", steer={"id": "@steer", "previous_response_id": "@steered"}),
    numbered("response.created", response={"id": "@left open", "object": "response"}),
    numbered("response.created", stream_id="@lane", response={"id": "@on a lane", "object": "response"}),
    numbered("response.completed", response={**WHOLE, "id": "@kept", "conversation": {"id": "@conversation"}}),
    numbered("response.completed", response={**WHOLE, "id": "@following", "previous_response_id": "@followed"}),
    numbered("error", error={"code": "code-#"}, stream_id="@refused lane"),
]
"""A connection that goes on and on, over ever new lanes."""

NEW: Final = [
    event("session.created", session={"id": "@session", "model": "m-#"}),
    enveloped(event("session.created", session={"id": "@first of two"})),
    enveloped(event("session.created", session={"id": "@second of two"})),
    pair("thread.run.queued", "@run elsewhere", thread="@thread"),
    pair("thread.message.created", "@note elsewhere", thread="@thread"),
    {"object": "thread", "id": "@bare thread"},
    {"object": "chatkit.session", "id": "@chatkit", "user": "@person"},
    {"object": "realtime.session", "id": "@bare session"},
    {"value": "@secret", "expires_at": 5, "session": {"id": "@promised session"}},
]
"""New conversations, each with few words."""

BRIEF: Final = [event("session.created", session={"id": "@brief session", "model": "m-#"})]
"""A new stream that ends."""


def templates(frames: list[dict[str, Any]]) -> list[bytes]:
    """Frames as bytes in which `%d` stands for the number of the round."""
    texts = [json.dumps(frame).replace("#", "%d") for frame in frames]
    return [ID.sub(rf'"\1 %d {LONG}"', text).encode() for text in texts]


def ids_a_round() -> int:
    """How many different ids are new in each round."""
    return len(set(ID.findall(json.dumps([VOICE, THREAD, AGENT, NEW, BRIEF]))))


# What is measured -----------------------------------------------------------------------------------------------


class Listener:
    """A pipeline with a few streams that stay, and one more a round."""

    def __init__(self) -> None:
        self.metrics = Metrics(LIMITS.label_values)
        self.closed = 0
        self.pipeline = Pipeline(LIMITS, [self.metrics], self._count)
        self.round = 0
        self.streams = [
            (self.pipeline.stream_opened(name, "relay", self.now), templates(frames))
            for name, frames in (("voice", VOICE), ("threads", THREAD), ("agent", AGENT), ("new", NEW))
        ]
        self.short = templates(BRIEF)

    def _count(self, _: object) -> None:
        self.closed += 1

    @property
    def now(self) -> int:
        return 1_790_000_000_000_000 + self.round * 10_000

    def listen(self, rounds: int) -> None:
        """Take in so many rounds."""
        for _ in range(rounds):
            self.round += 1
            for stream, frames in self.streams:
                self._feed(stream, frames)
            brief = self.pipeline.stream_opened(f"stream {self.round}", "relay", self.now)
            self._feed(brief, self.short)
            self.pipeline.stream_closed(brief, self.now, 1000)

    def _feed(self, stream: Stream, frames: list[bytes]) -> None:
        for frame in frames:
            payload = frame % ((self.round,) * frame.count(b"%d"))
            self.pipeline.feed(stream, Frame(payload, self.now))


def resident_bytes() -> int:
    """Return how much memory this process takes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(rounds: int) -> dict[str, Any]:
    """Listen until all limits are reached, then to so many `rounds` more, and tell by how much that grew."""
    with ExitStack() as stack:
        for module, name in SMALL:
            stack.enter_context(patch.object(module, name, SMALLER))
        listener = Listener()
        listener.listen(WARM_ROUNDS)
        before = resident_bytes()
        listener.listen(rounds)
        growth = resident_bytes() - before
    told = listener.pipeline
    refused = told.source("relay").frames_rejected
    return {"growth": growth, "refused": refused, "open": len(told.registry.conversations), "closed": listener.closed}


@pytest.mark.deep
@pytest.mark.timeout(300)
def test_ever_new_ids_do_not_make_the_process_grow(deep: bool) -> None:
    """Of responses, items, calls, runs, steps, messages, threads, sessions, events, envelopes, streams and words.

    None of them is refused: each gets as far as an id can.
    """
    rounds = (DEEP_IDS if deep else FAST_IDS) // ids_a_round() + 1
    done = subprocess.run(
        [sys.executable, "-P", __file__, str(rounds)], stdout=subprocess.PIPE, timeout=TIMEOUT_SECONDS, check=True
    )
    told = json.loads(done.stdout)

    assert told["growth"] < GROWTH_BYTES
    assert told["refused"] == {}
    assert told["open"] <= LIMITS.conversations
    assert told["closed"] > 5 * rounds, "what was pushed out was told"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))))
