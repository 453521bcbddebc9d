"""Items of the sink as spans: one trace a conversation, a turn above its answer, a tool call under its response.

The ids of traces and spans follow from the conversation and the object by an HMAC whose key is made at the start and
kept nowhere: they show nothing of what they name, and the same response of the same process has the same id, so that a
parent can be named whether it was sent or not.

Which response a tool call belongs to is not in its facts: it is the only one that was open when the call began. Where
several were, the call stands beside them. So does a response stand under the only delegation that was open.

Names of attributes are those of the GenAI conventions where `steno export` has them too (`steno.export.records`), else
`steno.`'s own. The conventions are in development.
"""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import count
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from steno.core.facts import Cost, Tokens
from steno.otel.attributes import SCOPE, Value, key_values
from steno.otel.sink import (
    ABANDONED,
    DELEGATION,
    RESPONSE,
    RUN,
    RUN_STEP,
    TOOL_CALL,
    TURN,
    UNANSWERED,
    Began,
    Ended,
    Forgotten,
    Item,
)
from steno.wire.secrets import is_keylike, mask_text

FAILED: Final = frozenset({"failed", "expired"})
"""What ended so is an error; what was cancelled or cut short is none."""
REMEMBERED: Final = 32_768
"""Responses, runs, tool calls and delegations that are known to be open, over all conversations: 10 MB, with the
longest ids 40. Past it the conversation that was silent longest is forgotten, and what ends in it later stands under
nothing."""
LATEST: Final = 2**63 // 1000
"""The latest time in microseconds that has room in nanoseconds, in the year 2262. A recording may tell any time."""
_SAMPLED: Final = 1
"""The flag of W3C's trace context: the span is to be kept."""
_CALLED: Final = frozenset({RESPONSE, RUN})
"""What a model does, so that its span is of a client; all others are internal."""
_UNDER: Final[Mapping[str, frozenset[str]]] = {
    TOOL_CALL: _CALLED,
    RESPONSE: frozenset({DELEGATION}),
}
"""What may stand under the only one of these that is open."""

Attribute = tuple[str, Value]
Labels = Mapping[str, Mapping[str, str]]
"""Source to the labels that the operator gave it."""


def trace_request(spans: Iterable[Span], resource: Resource) -> bytes:
    """Return `spans` as the body of a request."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add(resource=resource).scope_spans.add(scope=SCOPE, spans=spans)
    return request.SerializeToString()


def rejected_spans(answer: bytes) -> int:
    """Return how many of them a collector did not take, by the body of its answer. Raises ValueError for nonsense."""
    try:
        return int(ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
    except DecodeError:
        raise ValueError("not an answer of OTLP") from None


_Object = tuple[str, str]
"""What it is, and its id."""


class _Context:
    """What is open in a conversation."""

    __slots__ = ("open", "parents")

    def __init__(self) -> None:
        self.open: dict[_Object, int] = {}
        """Response, run or delegation to when it began, in microseconds."""
        self.parents: dict[_Object, _Object] = {}
        """Tool call or response to what it belongs to."""

    def __len__(self) -> int:
        """Return how much it remembers."""
        return len(self.open) + len(self.parents)

    def only(self, kinds: frozenset[str]) -> "_Object | None":
        """Return what is open of some kinds, where that is one."""
        found = [each for each in self.open if each[0] in kinds]
        return found[0] if len(found) == 1 else None


class SpanBuilder:
    """Makes spans of the items of one process, in their order. One thread uses it."""

    def __init__(self, secret: bytes, labels: Callable[[], Labels], *, ids: bool) -> None:
        """Make ids by `secret`.

        Args:
            secret: random, of this process alone.
            labels: returns the labels of the sources, as they are now.
            ids: whether spans name conversations, responses and calls.
        """
        self._key = secret
        self._labels = labels
        self._ids = ids
        self._contexts: OrderedDict[str, _Context] = OrderedDict()
        self._remembered = 0
        self._numbers = count()

    def add(self, item: Item) -> Span | None:
        """Take the next item; return the span that it leads to."""
        match item:
            case Ended():
                return self._ended(item)
            case Began():
                self._began(item)
            case Forgotten():
                self._forget(_subject(item))
        return None

    # What is open ---------------------------------------------------------------------------------------

    def _began(self, item: Began) -> None:
        if item.id is None:
            return
        subject = _subject(item)
        context = self._contexts.setdefault(subject, _Context())
        self._contexts.move_to_end(subject)
        before = len(context)
        parent = context.only(_UNDER[item.what]) if item.what in _UNDER else None
        if parent is not None:
            context.parents[item.what, item.id] = parent
        if item.what != TOOL_CALL:
            context.open[item.what, item.id] = item.origin.at or 0
        self._remembered += len(context) - before
        while self._remembered > REMEMBERED:
            self._forget(next(iter(self._contexts)))

    def _forget(self, subject: str) -> None:
        self._remembered -= len(self._contexts.pop(subject, ()))

    def _over(self, item: Ended) -> tuple[int | None, _Object | None]:
        """Let `item` be open no more. Return when it began and what it belongs to, as far as the context knows."""
        context = self._contexts.get(_subject(item))
        if context is None or item.id is None:
            return None, None
        before = len(context)
        parent = context.parents.pop((item.what, item.id), None)
        began = context.open.pop((item.what, item.id), None)
        self._remembered -= before - len(context)
        if not len(context):
            del self._contexts[_subject(item)]
        return began, parent

    # A span ---------------------------------------------------------------------------------------------

    def _ended(self, item: Ended) -> Span | None:
        """Return the span of `item`; None where its input carries no time that OTLP could write."""
        began, parent = self._over(item)
        end = item.origin.at
        if end is None or not 0 <= end <= LATEST:
            return None
        start = began if item.seconds is None else end - round(item.seconds * 1_000_000)
        begin = end if start is None else max(0, min(start, end))
        span = Span(
            trace_id=self._id(16, "trace", _subject(item)),
            span_id=self._span_id(item, item.what, item.id),
            flags=_SAMPLED,
            name=_without_key(_name(item)),
            kind=Span.SPAN_KIND_CLIENT if item.what in _CALLED else Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=begin * 1000,
            end_time_unix_nano=end * 1000,
            attributes=key_values(_masked(self._attributes(item, seen=start is not None))),
            events=_events(item, begin),
        )
        if (above := _above(item, parent)) is not None:
            span.parent_span_id = self._span_id(item, *above)
        if item.status in FAILED:
            span.status.code = Status.STATUS_CODE_ERROR
        return span

    def _span_id(self, item: Ended, what: str, named: str | None) -> bytes:
        """Return the id of the span of an object of this conversation; of one without an id, that of no other span."""
        return self._id(8, what, _subject(item), named or f"\0{next(self._numbers)}")

    def _id(self, size: int, *parts: str) -> bytes:
        message = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
        return hmac.digest(self._key, message, sha256)[:size]

    def _attributes(self, item: Ended, *, seen: bool) -> Iterator[Attribute]:
        yield "steno.source", item.origin.source
        if item.origin.family is not None:
            yield "steno.family", item.origin.family
        for name, value in self._labels().get(item.origin.source, {}).items():
            yield f"steno.label.{name}", value
        if item.status is not None:
            yield "steno.status", item.status
        if not seen:
            yield "steno.start_unknown", True
        yield from _of_kind(item)
        yield from _of_usage(item.tokens, item.cost)
        if item.status in FAILED:
            yield "error.type", item.reason or "_OTHER"
        if self._ids:
            yield from _identifiers(item)


def _masked(pairs: Iterable[Attribute]) -> Iterator[Attribute]:
    """Yield attributes with what is shaped like a key hidden: names and ids are upstream's."""
    for name, value in pairs:
        if isinstance(value, list):
            yield name, [_without_key(each) for each in value]
        else:
            yield name, _without_key(value) if isinstance(value, str) else value


def _without_key(text: str) -> str:
    """Return `text`, masked where there is reason to: that takes ten times as long as to look for one."""
    return mask_text(text) if is_keylike(text) else text


def _subject(item: Item) -> str:
    """Return what a trace is about: the conversation, else the stream."""
    origin = item.origin
    return origin.conversation or origin.stream or origin.source


def _name(item: Ended) -> str:
    """Return the name of a span: what it is, and of which model, tool or kind."""
    of = item.name or item.kind
    return f"{item.what} {of}" if of and item.what != TURN else item.what


def _above(item: Ended, parent: _Object | None) -> _Object | None:
    """Return what (and its id) `item` stands under; None where that is nothing, or is not known."""
    if item.what == RUN_STEP and item.parent is not None:
        return RUN, item.parent
    if item.what == RESPONSE and item.turn_latency is not None and item.id is not None:
        return TURN, item.id
    return parent


def _of_kind(item: Ended) -> Iterator[Attribute]:
    if item.what == TOOL_CALL:
        yield "gen_ai.operation.name", "execute_tool"
        if item.name is not None:
            yield "gen_ai.tool.name", item.name
        if item.kind is not None:
            yield "gen_ai.tool.type", item.kind
        return
    if item.name is not None:
        yield "gen_ai.response.model", item.name
    if item.what in {RUN_STEP, DELEGATION} and item.kind is not None:
        yield "steno.kind", item.kind
    if item.what == RESPONSE and item.status != ABANDONED:
        yield "gen_ai.response.finish_reasons", [item.reason or item.status or "_OTHER"]
    if item.status == UNANSWERED and item.reason is not None:
        yield "steno.ended_by", item.reason
    if item.what in {RUN, RUN_STEP} and item.reason is not None:
        yield "steno.reason", item.reason
    if item.turn_latency is not None:
        yield "steno.turn_latency_seconds", item.turn_latency


def _of_usage(tokens: tuple[Tokens, ...], cost: Cost | None) -> Iterator[Attribute]:
    """Yield sums by direction, none where nothing was reported; and what it cost, or why that is not known."""
    for direction in ("input", "output") if tokens else ():
        yield f"gen_ai.usage.{direction}_tokens", sum(each.tokens for each in tokens if each.direction == direction)
    if cost is not None and cost.usd is not None:
        yield "steno.cost_usd", float(cost.usd)
    elif cost is not None and cost.unpriced is not None:
        yield "steno.unpriced", cost.unpriced


_ID_NAMES: Final = {
    RESPONSE: "gen_ai.response.id",
    TURN: "gen_ai.response.id",  # that of its answer
    TOOL_CALL: "gen_ai.tool.call.id",
    RUN: "steno.run.id",
    RUN_STEP: "steno.run_step.id",
    DELEGATION: "steno.delegation.id",
}
"""What a span's own id is called."""


def _identifiers(item: Ended) -> Iterator[Attribute]:
    if item.origin.conversation is not None:
        yield "gen_ai.conversation.id", item.origin.conversation
    if item.origin.stream is not None:
        yield "steno.stream", item.origin.stream
    if item.id is not None:
        yield "steno.item.id" if item.status == UNANSWERED else _ID_NAMES[item.what], item.id


def _events(item: Ended, begin: int) -> list[Span.Event]:
    marks = (("first_token", item.first_token), ("first_audio", item.first_audio))
    return [
        Span.Event(name=name, time_unix_nano=(begin + round(after * 1_000_000)) * 1000)
        for name, after in marks
        if after is not None
    ]
