"""What the plays of the core share: a pipeline on a clock that is moved by hand, and made-up frames.

play = Play()
play.say(event("session.created", session={"id": "sess_1"}))
play.wait(250)
assert play.say(event("input_audio_buffer.speech_started", item_id="item_1")) == [...]
"""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from steno.core.conversation import Conversation
from steno.core.export import conversation_line
from steno.core.facts import Cost, Fact, Origin
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.timestamps import Micros

Event = dict[str, Any]

UNPRICED = Cost(unpriced="no_price_list")
"""What usage costs in a play, which has no price list."""
NO_USAGE = Cost(unpriced="no_usage")
"""What something costs whose usage was not reported."""

BEGIN: Micros = 1_790_000_000_000_000
"""A whole second."""
SOURCE = "relay"
STREAM = "relay/1790000000000000/1"


class Play:
    """One pipeline with one open stream, and all facts that it emitted."""

    def __init__(self, *, timed: bool = True, conversation: str | None = None, **limits: Any) -> None:
        """Open the first stream. The fact of that is left out."""
        self.now: Micros | None = BEGIN if timed else None
        self.emitted: list[tuple[Origin, Fact]] = []
        self.closed: list[Conversation] = []
        self.pipeline = Pipeline(Limits(**limits), [self], self.closed.append)
        self.stream = self.open(STREAM, conversation)
        self.emitted.clear()

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Take a fact, as the sink of the pipeline."""
        self.emitted.append((origin, fact))

    def open(self, name: str, conversation: str | None = None, source: str = SOURCE, *, reply: bool = False) -> Stream:
        """Open a further stream, of the same source unless another one is named."""
        return self.pipeline.stream_opened(name, source, self.now, conversation, reply=reply)

    def close(
        self, stream: Stream | None = None, code: int | None = 1000, *, expired: bool = False, shutdown: bool = False
    ) -> list[Fact]:
        """Close a stream; return the facts of that."""
        before = len(self.emitted)
        self.pipeline.stream_closed(stream or self.stream, self.now, code, expired=expired, shutdown=shutdown)
        return [fact for _, fact in self.emitted[before:]]

    def wait(self, milliseconds: int) -> None:
        """Move the clock, without a tick."""
        if self.now is not None:
            self.now += milliseconds * 1000

    def tick(self) -> list[Fact]:
        """Let the pipeline do what is due; return the facts of that."""
        before = len(self.emitted)
        assert self.now is not None
        self.pipeline.tick(self.now)
        return [fact for _, fact in self.emitted[before:]]

    def say(self, *events: Event, on: Stream | None = None, sent: bool = False) -> list[Fact]:
        """Feed events, all at the present time; return the facts of them."""
        before = len(self.emitted)
        for each in events:
            self.feed(json.dumps(each).encode(), on, sent=sent)
        return [fact for _, fact in self.emitted[before:]]

    def feed(self, payload: bytes, on: Stream | None = None, *, sent: bool = False) -> None:
        """Feed the bytes of one frame."""
        self.pipeline.feed(on or self.stream, Frame(payload, self.now, sent))

    @property
    def facts(self) -> list[Fact]:
        """All facts since the first stream was opened."""
        return [fact for _, fact in self.emitted]

    def of(self, *kinds: type[Fact]) -> list[Fact]:
        """All facts of some kinds."""
        return [fact for fact in self.facts if isinstance(fact, kinds)]

    @property
    def open_keys(self) -> list[str]:
        """The keys of the open conversations, the one that was silent longest first."""
        return list(self.pipeline.registry.conversations)

    def state(self, key: str = STREAM) -> Any:
        """The state of an open conversation, of any family."""
        return self.pipeline.registry.conversations[key]

    def line(self, key: str = STREAM) -> dict[str, Any]:
        """An open conversation as `--state` writes it."""
        return line_of(self.state(key))

    @property
    def rejected(self) -> dict[str, int]:
        """How many frames of the source were rejected, by reason."""
        return self.pipeline.source(SOURCE).frames_rejected


def line_of(state: Conversation) -> dict[str, Any]:
    """Read a conversation as `--state` writes it."""
    line: dict[str, Any] = json.loads(conversation_line(state))
    return line


# Frames -------------------------------------------------------------------------------------------------------


def event(kind: str, **members: Any) -> Event:
    """A Realtime event."""
    return {"type": kind, **members}


def pair(kind: str, **data: Any) -> Event:
    """An event of an Assistants stream."""
    return {"event": kind, "data": data}


def cloud_event(data: Any, subject: str | None = None, **attributes: Any) -> Event:
    """A CloudEvent 1.0 around `data`, with an id of its own."""
    named = {} if subject is None else {"subject": subject}
    return {"specversion": "1.0", "id": f"evt_{next(_IDS)}", "source": "//relay", **named, **attributes, "data": data}


_IDS = itertools.count(1)


def session(key: str = "sess_1", kind: str = "session.created", **members: Any) -> Event:
    """`session.created`, or `session.updated`."""
    return event(kind, session={"id": key, "object": "realtime.session", "model": "gpt-realtime", **members})


def created(key: str | None = "resp_1", **members: Any) -> Event:
    """`response.created`."""
    return event("response.created", response={"id": key, "status": "in_progress", "output": [], **members})


def done(key: str | None = "resp_1", status: str = "completed", **members: Any) -> Event:
    """`response.done`."""
    return event("response.done", response={"id": key, "status": status, "output": [], **members})


def message(key: str, text: str, kind: str = "output_text", **members: Any) -> Event:
    """The final form of a message of the model."""
    member = "transcript" if kind == "output_audio" else "text"
    content = [{"type": kind, member: text}]
    return {
        "id": key,
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": content,
        **members,
    }


def call(key: str, call_id: str | None, arguments: str = "{}", **members: Any) -> Event:
    """The final form of a function call."""
    return {
        "id": key,
        "type": "function_call",
        "status": "completed",
        "name": "look_up",
        "call_id": call_id,
        "arguments": arguments,
        **members,
    }


def delta(piece: str, item: str = "item_1", kind: str = "output_text", **members: Any) -> Event:
    """A delta of text, of a transcript, of audio, or of arguments."""
    ids = {"response_id": "resp_1", "item_id": item, "output_index": 0, "content_index": 0}
    return event(f"response.{kind}.delta", **{**ids, "delta": piece, **members})


def audio(piece: str = "AAAA", **members: Any) -> Event:
    """A delta of audio: three bytes."""
    return delta(piece, kind="output_audio", **members)


def run(status: str | None, key: str = "run_1", *, named: str | None = None, **members: Any) -> Event:
    """An event of a run. `named` is the status in its name, where that differs."""
    data = {"id": key, "object": "thread.run", "thread_id": "thread_1", "status": status, "model": "gpt-4o"}
    return pair(f"thread.run.{named or status}", **{**data, **members})


def step(status: str | None, key: str = "step_1", *, named: str | None = None, **members: Any) -> Event:
    """An event of a step. `named` is the status in its name, where that differs."""
    data = {"id": key, "object": "thread.run.step", "thread_id": "thread_1", "run_id": "run_1"}
    rest = {"type": "tool_calls", "status": status, "step_details": {"type": "tool_calls", "tool_calls": []}}
    return pair(f"thread.run.step.{named or status}", **{**data, **rest, **members})


def note(status: str | None, key: str = "msg_1", *, named: str | None = None, **members: Any) -> Event:
    """An event of a message of a thread. `named` is the status in its name, where that differs."""
    data = {"id": key, "object": "thread.message", "thread_id": "thread_1", "run_id": "run_1"}
    return pair(
        f"thread.message.{named or status}",
        **{**data, "role": "assistant", "status": status, "content": [], **members},
    )


def text_parts(*texts: str) -> list[Event]:
    """The content of a message of a thread."""
    return [{"type": "text", "text": {"value": text, "annotations": []}} for text in texts]


# Whole streams ------------------------------------------------------------------------------------------------

USAGE: Event = {
    "total_tokens": 100,
    "input_tokens": 60,
    "output_tokens": 40,
    "input_token_details": {
        "text_tokens": 20,
        "audio_tokens": 40,
        "image_tokens": 0,
        "cached_tokens": 12,
        "cached_tokens_details": {"text_tokens": 4, "audio_tokens": 8, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 10, "audio_tokens": 30},
}


def spoken_turn(number: int, question: str, answer: str) -> list[Event]:
    """A turn of a voice session in the order of the GA protocol, answered in audio."""
    user, item, response = f"user_{number}", f"item_{number}", f"resp_{number}"
    ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    before = f"item_{number - 1}" if number > 1 else None
    heard: Event = {"id": user, "type": "message", "status": "completed", "role": "user"}
    heard["content"] = [{"type": "input_audio", "transcript": None}]
    begun = message(item, "", "output_audio", status="in_progress", content=[])
    ended = message(item, answer, "output_audio")
    transcription = "conversation.item.input_audio_transcription"
    return [
        event("input_audio_buffer.speech_started", item_id=user, audio_start_ms=1000 * number),
        event("input_audio_buffer.speech_stopped", item_id=user, audio_end_ms=1000 * number + 700),
        event("input_audio_buffer.committed", item_id=user, previous_item_id=before),
        event("conversation.item.added", item=heard, previous_item_id=before),
        event("conversation.item.done", item=heard, previous_item_id=before),
        created(response, conversation_id="conv_1"),
        event(f"{transcription}.delta", item_id=user, content_index=0, delta=question[:3]),
        event("response.output_item.added", response_id=response, output_index=0, item=begun),
        event("conversation.item.added", item=begun, previous_item_id=user),
        event("response.content_part.added", **ids, part={"type": "audio", "transcript": ""}),
        event("response.output_audio_transcript.delta", **ids, delta=answer[:4]),
        event("response.output_audio.delta", **ids, delta="AAAA" * 4800),
        event("response.output_audio_transcript.delta", **ids, delta=answer[4:]),
        event("response.output_audio.delta", **ids, delta="AAAA" * 4800),
        event(
            f"{transcription}.completed",
            item_id=user,
            content_index=0,
            transcript=question,
            usage={"type": "duration", "seconds": 2},
        ),
        event("response.output_audio.done", **ids),
        event("response.output_audio_transcript.done", **ids, transcript=answer),
        event("response.content_part.done", **ids, part={"type": "audio", "transcript": answer}),
        event("conversation.item.done", item=ended, previous_item_id=user),
        event("response.output_item.done", response_id=response, output_index=0, item=ended),
        done(response, output=[ended], conversation_id="conv_1", usage=USAGE),
        event("rate_limits.updated", rate_limits=[{"name": "tokens", "limit": 9, "remaining": 5}]),
    ]


def voice_session() -> list[Event]:
    """Two spoken turns, a call of a function, an MCP call, a barge-in, an error, and an unknown type."""
    transcription: Event = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    called = call("item_9", "call_9", '{"city": "Bonn"}')
    ids = {"response_id": "resp_9", "item_id": "item_9", "output_index": 0, "call_id": "call_9"}
    output = {"id": "out_9", "type": "function_call_output", "call_id": "call_9", "output": "12 degrees"}
    remote = {"id": "mcp_8", "type": "mcp_call", "name": "search", "server_label": "web", "arguments": "{}"}
    cut = message("item_7", "Well, ", "output_audio", status="incomplete")
    return [
        session(**transcription),
        session(kind="session.updated", **transcription),
        *spoken_turn(1, "What is the weather?", "Let me look that up."),
        created("resp_9"),
        event("response.output_item.added", response_id="resp_9", item={**called, "arguments": ""}),
        event("response.function_call_arguments.delta", **ids, delta='{"city": '),
        event("response.function_call_arguments.delta", **ids, delta='"Bonn"}'),
        event("response.function_call_arguments.done", **ids, name="look_up", arguments='{"city": "Bonn"}'),
        event("response.output_item.done", response_id="resp_9", item=called),
        done("resp_9", output=[called], usage=USAGE),
        event("conversation.item.added", item=output, previous_item_id="item_9"),
        event("conversation.item.done", item=output, previous_item_id="item_9"),
        *spoken_turn(2, "Thank you.", "You are welcome."),
        created("resp_8"),
        event("response.output_item.added", response_id="resp_8", item=remote),
        event("response.mcp_call.in_progress", item_id="mcp_8", output_index=0),
        event("response.mcp_call.completed", item_id="mcp_8", output_index=0),
        event("response.output_item.done", response_id="resp_8", item={**remote, "output": "found"}),
        done("resp_8", output=[{**remote, "output": "found"}]),
        created("resp_7"),
        delta("Well, ", "item_7", "output_audio_transcript", response_id="resp_7"),
        event("input_audio_buffer.speech_started", item_id="user_7", audio_start_ms=9000),
        done("resp_7", "cancelled", output=[cut], status_details={"type": "cancelled", "reason": "turn_detected"}),
        event("conversation.item.truncated", item_id="item_7", content_index=0, audio_end_ms=310),
        event("conversation.item.deleted", item_id="user_1"),
        event("error", error={"type": "invalid_request_error", "code": "response_cancel_not_active"}),
        event("session.presence.updated", presence="away"),
    ]


def assistants_streams() -> list[Event]:
    """Two runs on one thread: one whose function's output a second stream brings, one that fails."""
    details = {"type": "tool_calls", "tool_calls": [_function(arguments='{"a": 1}')]}
    creation = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}
    usage = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": details["tool_calls"]}}
    return [
        pair("thread.created", id="thread_1", object="thread"),
        run("queued", named="created"),
        run("queued"),
        run("in_progress"),
        step("in_progress", named="created"),
        step("in_progress"),
        step_delta(_function(index=0, arguments="")),
        step_delta({"index": 0, "type": "function", "function": {"arguments": '{"a": 1}'}}),
        run("requires_action", required_action=action),
        {"event": "done", "data": "[DONE]"},
        step("completed", step_details={"type": "tool_calls", "tool_calls": [_function(output="2")]}, usage=usage),
        run("queued"),
        run("in_progress"),
        step("in_progress", "step_2", named="created", type="message_creation", step_details=creation),
        note("in_progress", named="created"),
        note("in_progress"),
        note_delta("It is "),
        note_delta("two."),
        note("completed", content=text_parts("It is two.")),
        step("completed", "step_2", type="message_creation", step_details=creation, usage=usage),
        run("completed", usage=usage),
        {"event": "done", "data": "[DONE]"},
        run("queued", "run_2", named="created"),
        run("failed", "run_2", last_error={"code": "rate_limit_exceeded", "message": "Too many."}),
        {"event": "error", "data": {"error": {"type": "server_error", "message": "Gone."}}},
    ]


def _function(index: int | None = None, arguments: str = '{"a": 1}', output: str | None = None) -> Event:
    function = {"name": "add", "arguments": arguments, "output": output}
    place = {} if index is None else {"index": index}
    return {**place, "id": "call_1", "type": "function", "function": function}


def step_delta(*calls: Event, key: str = "step_1") -> Event:
    """A delta of a step."""
    delta = {"step_details": {"type": "tool_calls", "tool_calls": list(calls)}}
    return pair("thread.run.step.delta", id=key, object="thread.run.step.delta", delta=delta)


def note_delta(piece: str, key: str = "msg_1", index: int = 0) -> Event:
    """A delta of a message of a thread."""
    content = [{"index": index, "type": "text", "text": {"value": piece}}]
    return pair("thread.message.delta", id=key, object="thread.message.delta", delta={"content": content})


# Any frame ----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["id", "type", "event", "data", "object", "value", "sequence_number", "error", "done"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | NAMES, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, frames: Sequence[Event]) -> bytes:
    """A valid frame with a few members changed, removed or added anywhere in it. It may be cut off."""
    frame = json.loads(json.dumps(draw(st.sampled_from(frames))))
    for _ in range(draw(st.integers(1, 3))):
        place, name = draw(st.sampled_from(_places(frame) or [(frame, "x")]))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove" if name in place or isinstance(place, list):
                del place[name]
            case "add" if isinstance(place, dict):
                place[draw(NAMES)] = draw(JSON)
            case "add":
                place.append(draw(JSON))
            case _:
                place[name] = draw(JSON)
    payload = json.dumps(frame, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    cut = draw(st.integers(0, len(payload)))
    return draw(st.sampled_from([payload, payload, payload, payload[:cut]]))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every object and list in `value`, with the name or the index of each of its members."""
    places: list[tuple[Any, Any]] = []
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        places.append((value, name))
        if isinstance(inner, dict | list):
            places += _places(inner)
    return places
