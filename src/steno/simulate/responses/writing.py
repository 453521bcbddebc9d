"""A response in progress, and the output items that the model writes: messages, refusals, calls and reasoning.

An event is sent when it is due, so what was not sent when a response is cut short was not written: its items hold what
was sent, and are `incomplete`.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.responses.moves import Custom, Function
from steno.simulate.responses.objects import Object, ResponseIds, event, item
from steno.simulate.responses.request import Asked
from steno.simulate.steps import pieces
from steno.simulate.tasks import Task

_REASONING_BLOCK_TOKENS: Final = 64
_SUMMARY: Final = "**Looking at what was asked**\n\nFirst I read the request, then I decide which tool can help."


class OutOfTokensError(Exception):
    """The model has written as many tokens as it may."""


class Draft(msgspec.Struct, eq=False):
    """A response in progress."""

    asked: Asked
    object: Object
    """The response as its next event shows it."""
    ids: ResponseIds
    rng: Random
    second: Callable[[], int]
    """Returns the Unix second of the session's clock."""
    send: Callable[[Object], None]
    sequence: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    searches: int = 0
    images: int = 0
    can_stop: bool = False
    """Whether what it is writing may be cut short for steering."""

    @property
    def id(self) -> str:
        """The id of the response."""
        return str(self.object["id"])

    def emit(self, kind: str, **members: Any) -> None:
        """Send an event of the response, the next in its sequence, on the lane of its request."""
        lane = {"stream_id": self.asked.lane} if self.asked.lane is not None else {}
        self.send(event(kind, sequence_number=self.sequence, **lane, **members))
        self.sequence += 1

    def emit_delta(self, kind: str, delta: str, **members: Any) -> None:
        """Send a delta, padded as upstream pads it."""
        self.emit(kind, delta=delta, obfuscation=self.ids.padding(delta), **members)

    def emit_whole(self, kind: str, **changed: Any) -> None:
        """Send an event that shows the response, after a change of its members."""
        self.object |= changed
        self.emit(kind, response={**self.object, "output": list(self.object["output"])})

    def spend(self, tokens: int) -> None:
        """Count tokens that were written. Raises `OutOfTokensError`."""
        limit = self.asked.max_output_tokens
        if limit is not None and self.output_tokens + tokens > limit:
            raise OutOfTokensError
        self.output_tokens += tokens

    def begin_item(self, prefix: str, kind: str, status: str | None = "in_progress", **members: Any) -> "Item":
        """Open an output item."""
        made = item(self.ids.new(prefix, self.second()), kind, status, **members)
        index = len(self.object["output"])
        self.object["output"].append(made)
        self.emit("response.output_item.added", item=dict(made), output_index=index)
        return Item(made, index)

    def end_item(self, begun: "Item", **final: Any) -> None:
        """End an output item with the members `final`."""
        made = {**begun.object, **final}
        fixed = {name: made.pop(name) for name in ("id", "type", "status") if name in made}
        whole = fixed | {name: made[name] for name in sorted(made)}
        self.object["output"][begun.index] = whole
        self.emit("response.output_item.done", item=whole, output_index=begun.index)


class Item(msgspec.Struct, frozen=True):
    """An output item that was begun, and its place."""

    object: Object
    index: int

    @property
    def where(self) -> Object:
        """The members that name it in its events."""
        return {"item_id": self.object["id"], "output_index": self.index}


def reason(draft: Draft) -> Task:
    """Think before the first word. What is thought is not shown, at most a summary of it."""
    draft.can_stop = True
    begun = draft.begin_item("rs", "reasoning", None, summary=[])
    tokens = draft.rng.randrange(1, 5) * _REASONING_BLOCK_TOKENS
    yield tokens / 200
    draft.spend(tokens)
    draft.reasoning_tokens += tokens
    summary = []
    if draft.asked.summary:
        yield from _summarise(draft, begun)
        summary = [{"type": "summary_text", "text": _SUMMARY}]
    draft.end_item(begun, summary=summary)


def _summarise(draft: Draft, begun: Item) -> Task:
    where, kind = {**begun.where, "summary_index": 0}, "response.reasoning_summary"
    draft.emit(f"{kind}_part.added", **where, part={"type": "summary_text", "text": ""})
    for piece in pieces(_SUMMARY):
        yield draft.rng.uniform(0.005, 0.01)
        draft.emit_delta(f"{kind}_text.delta", piece, **where)
    draft.emit(f"{kind}_text.done", **where, text=_SUMMARY)
    draft.emit(f"{kind}_part.done", **where, part={"type": "summary_text", "text": _SUMMARY})


def write(draft: Draft, words: str) -> Task:
    """Write a message."""
    yield from _message(draft, words, refused=False)


def refuse(draft: Draft, words: str) -> Task:
    """Write a message that is a refusal."""
    yield from _message(draft, words, refused=True)


def _message(draft: Draft, words: str, *, refused: bool) -> Task:
    draft.can_stop = True
    phase = {"phase": "final_answer"} if draft.asked.model.startswith("gpt-5") else {}
    begun = draft.begin_item("msg", "message", content=[], **phase, role="assistant")
    where = {**begun.where, "content_index": 0}
    draft.emit("response.content_part.added", **where, part=_part("", refused=refused))
    sent: list[str] = []
    status = "incomplete"
    try:
        for piece in pieces(words):
            yield draft.rng.uniform(0.01, 0.03)
            draft.spend(1)
            sent.append(piece)
            _emit_piece(draft, where, piece, refused=refused)
        status = "completed"
    finally:
        part = _part("".join(sent), refused=refused)
        _emit_text(draft, where, part)
        draft.emit("response.content_part.done", **where, part=part)
        draft.end_item(begun, status=status, content=[part])


def _emit_piece(draft: Draft, where: Object, piece: str, *, refused: bool) -> None:
    if refused:
        draft.emit("response.refusal.delta", **where, delta=piece)
    else:
        draft.emit_delta("response.output_text.delta", piece, **where, logprobs=[])


def _emit_text(draft: Draft, where: Object, part: Object) -> None:
    """Send the event that ends a text."""
    if part["type"] == "refusal":
        draft.emit("response.refusal.done", **where, refusal=part["refusal"])
    else:
        draft.emit("response.output_text.done", **where, logprobs=[], text=part["text"])


def _part(words: str, *, refused: bool) -> Object:
    if refused:
        return {"type": "refusal", "refusal": words}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": words}


def call_function(draft: Draft, call: Function) -> Task:
    """Call a function of the client."""
    begun = draft.begin_item("fc", "function_call", arguments="", call_id=draft.ids.call(), name=call.name)
    yield from _input(draft, begun, "function_call_arguments", "arguments", call.arguments)


def call_custom(draft: Draft, call: Custom) -> Task:
    """Call a custom tool of the client."""
    begun = draft.begin_item("ctc", "custom_tool_call", call_id=draft.ids.call(), input="", name=call.name)
    yield from _input(draft, begun, "custom_tool_call_input", "input", call.input)


def _input(draft: Draft, begun: Item, kind: str, name: str, value: str) -> Task:
    """Write the input of a call, and end its item."""
    draft.can_stop = False
    sent: list[str] = []
    status = "incomplete"
    try:
        for piece in pieces(value):
            yield draft.rng.uniform(0.008, 0.02)
            draft.spend(1)
            sent.append(piece)
            draft.emit_delta(f"response.{kind}.delta", piece, **begun.where)
        status = "completed"
    finally:
        draft.emit(f"response.{kind}.done", **begun.where, **{name: "".join(sent)})
        draft.end_item(begun, status=status, **{name: "".join(sent)})
