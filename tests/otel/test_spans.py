"""Items as spans: their ids, parents, times and attributes; and what is never in them."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from steno.core.facts import Content, Cost, Fact, Origin, Tokens
from steno.core.frame import Frame
from steno.limits import Limits
from steno.otel import spans as module
from steno.otel.attributes import resource
from steno.otel.sink import Began, Ended, Forgotten, Item, SpanSink
from steno.otel.spans import SpanBuilder, rejected_spans, trace_request
from steno.pipeline import Pipeline
from tests.otel.receiver import attributes
from tests.recordings import timed

SECRET = b"of a test"
SECOND = 1_000_000


def at(seconds: float, conversation: str = "desk/1") -> Origin:
    return Origin(
        at=round(seconds * SECOND), source="desk", stream="desk/s", conversation=conversation, family="realtime"
    )


def built(*items: Item, ids: bool = False, builder: SpanBuilder | None = None) -> list[Span]:
    builder = builder or SpanBuilder(SECRET, lambda: {"desk": {"team": "sales"}}, ids=ids)
    return [span for item in items if (span := builder.add(item)) is not None]


def shown(span: Span) -> dict[str, object]:
    return attributes(list(span.attributes))


def nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000_000)


def test_a_response_is_a_span_with_its_marks_usage_and_cost() -> None:
    finished = Ended(
        at(12.0),
        "response",
        "resp_1",
        "voice-1",
        "completed",
        2.0,
        first_token=0.25,
        first_audio=0.5,
        turn_latency=0.75,
        tokens=(
            Tokens("voice-1", "input", "text", False, 12),
            Tokens("voice-1", "input", "audio", True, 30),
            Tokens("voice-1", "output", "audio", False, 5),
        ),
        cost=Cost(usd="0.125"),
    )
    (span,) = built(finished)

    assert (span.name, span.kind, span.status.code, span.flags) == ("response voice-1", Span.SPAN_KIND_CLIENT, 0, 1)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (nanoseconds(10.0), nanoseconds(12.0))
    assert [(event.name, event.time_unix_nano) for event in span.events] == [
        ("first_token", nanoseconds(10.25)),
        ("first_audio", nanoseconds(10.5)),
    ]
    assert shown(span) == {
        "steno.source": "desk",
        "steno.family": "realtime",
        "steno.label.team": "sales",
        "steno.status": "completed",
        "gen_ai.response.model": "voice-1",
        "gen_ai.response.finish_reasons": ["completed"],
        "steno.turn_latency_seconds": 0.75,
        "gen_ai.usage.input_tokens": 42,
        "gen_ai.usage.output_tokens": 5,
        "steno.cost_usd": 0.125,
    }


def test_a_turn_stands_above_its_answer_and_a_tool_call_under_its_response() -> None:
    turn, response, call = built(
        Began(at(10.0), "response", "resp_1"),
        Ended(at(10.5), "turn", "resp_1", "voice-1", "answered", 0.75),
        Began(at(11.0), "tool_call", "call_1"),
        Ended(at(12.0), "response", "resp_1", "voice-1", "completed", 2.0, turn_latency=0.75),
        Ended(at(13.0), "tool_call", "call_1", "find_rooms", "completed", 1.5, kind="function"),
    )

    assert (turn.name, turn.parent_span_id, response.parent_span_id) == ("turn", b"", turn.span_id)
    assert (call.name, call.parent_span_id) == ("tool_call find_rooms", response.span_id)
    assert (turn.start_time_unix_nano, turn.end_time_unix_nano) == (nanoseconds(9.75), nanoseconds(10.5))
    assert len({turn.trace_id, response.trace_id, call.trace_id}) == 1
    assert len({turn.span_id, response.span_id, call.span_id}) == 3
    assert {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.type": "function"}.items() <= shown(call).items()


def test_the_responses_of_a_backend_stand_under_their_delegation_and_its_calls_under_them() -> None:
    call, response, delegation, other = built(
        Began(at(1.0), "delegation", "item_1"),
        Began(at(1.5), "response", "resp_1"),
        Began(at(2.0), "tool_call", "call_1"),
        Ended(at(3.0), "tool_call", "call_1", "stock_of", "completed", 0.5, kind="function"),
        Ended(at(4.0), "response", "resp_1", "m", "completed", 2.5),
        Ended(at(4.0), "delegation", "item_1", None, "answered", 3.0, kind="responses"),
        Began(at(5.0), "delegation", "item_2"),
        Began(at(5.0), "delegation", "item_3"),
        Began(at(6.0), "response", "resp_2"),
        Ended(at(7.0), "response", "resp_2", "m", "completed", 1.0),
    )

    assert (call.parent_span_id, response.parent_span_id) == (response.span_id, delegation.span_id)
    assert (delegation.name, delegation.kind, delegation.parent_span_id) == (
        *("delegation responses", Span.SPAN_KIND_INTERNAL),
        b"",
    )
    assert {"steno.kind": "responses", "steno.status": "answered"}.items() <= shown(delegation).items()
    assert other.parent_span_id == b""


def test_steps_and_tool_calls_stand_under_their_run() -> None:
    step, call, run, left = built(
        Began(at(1.0), "run", "run_1"),
        Began(at(2.0), "tool_call", "call_1"),
        Ended(at(3.0), "run_step", "step_1", None, "completed", 1.0, kind="tool_calls", parent="run_1"),
        Ended(at(3.0), "tool_call", "call_1", "stock_of", "completed", 0.5, kind="function"),
        Ended(at(4.0), "run", "run_1", "m", "incomplete", 3.0, reason="max_prompt_tokens"),
        Ended(at(5.0), "run_step", "step_2", None, "abandoned", None),
    )

    assert {step.parent_span_id, call.parent_span_id} == {run.span_id}
    assert (run.name, run.parent_span_id, run.status.code) == ("run m", b"", 0)
    assert shown(run)["steno.reason"] == "max_prompt_tokens"
    assert (step.name, step.kind, left.name) == ("run_step tool_calls", Span.SPAN_KIND_INTERNAL, "run_step")
    assert left.parent_span_id == b""


def test_a_call_of_one_of_several_responses_is_not_put_under_any() -> None:
    (call, _) = built(
        Began(at(1.0), "response", "resp_1"),
        Began(at(1.0), "response", "resp_2"),
        Began(at(2.0), "tool_call", "call_1"),
        Ended(at(3.0), "tool_call", "call_1", "find_rooms", "completed", 0.5),
        Ended(at(4.0), "response", "resp_1", None, "completed", 3.0),
    )
    assert call.parent_span_id == b""


@pytest.mark.parametrize("seconds", [-1.0, 253_402_300_799.0, 2**63 / 1e9 + 1])
def test_a_time_that_cannot_be_written_is_no_time(seconds: float) -> None:
    """A recording that is followed may say any year from 1 to 9999."""
    builder = SpanBuilder(SECRET, dict, ids=False)
    assert built(Ended(at(seconds), "response", "resp_1", None, "completed", 1.0), builder=builder) == []
    built(Began(at(-5.0), "response", "resp_2"), builder=builder)
    (span,) = built(Ended(at(0.5), "response", "resp_2", None, "abandoned", None), builder=builder)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (0, nanoseconds(0.5))


def test_what_is_not_known_is_not_made_up() -> None:
    """The begin of what was given up is known where it was seen. What carries no time is no span."""
    seen, unseen, early = built(
        Began(at(1.0), "response", "resp_1"),
        Ended(at(4.0), "response", "resp_1", None, "abandoned", None, cost=Cost(unpriced="no_usage")),
        Ended(at(5.0), "response", "resp_2", None, "abandoned", None),
        Ended(msgspec.structs.replace(at(1.0), at=None), "response", "resp_3", None, "completed", None),
        Ended(at(9.0), "turn", "item_1", None, "unanswered", None, reason="session"),
    )
    assert (seen.start_time_unix_nano, seen.end_time_unix_nano) == (nanoseconds(1.0), nanoseconds(4.0))
    assert "steno.start_unknown" not in shown(seen)
    assert shown(seen)["steno.unpriced"] == "no_usage"
    assert unseen.start_time_unix_nano == unseen.end_time_unix_nano == nanoseconds(5.0)
    assert shown(unseen)["steno.start_unknown"] is True
    assert {"steno.status": "unanswered", "steno.ended_by": "session"}.items() <= shown(early).items()
    assert "gen_ai.response.finish_reasons" not in shown(seen)


@pytest.mark.parametrize(("status", "code"), [("failed", 2), ("expired", 2), ("cancelled", 0), ("incomplete", 0)])
def test_what_failed_is_an_error_and_what_was_cut_short_is_none(status: str, code: int) -> None:
    (span,) = built(Ended(at(2.0), "response", "resp_1", "m", status, 1.0, reason="server_error"))
    assert (span.status.code, span.status.message) == (code, "")
    assert shown(span).get("error.type") == ("server_error" if code else None)
    assert shown(span)["gen_ai.response.finish_reasons"] == ["server_error"]


def test_names_are_given_where_the_configuration_says_so() -> None:
    items = (
        Ended(at(1.0), "response", "resp_1", "m", "completed", 1.0),
        Ended(at(1.0), "turn", "resp_1", "m", "answered", 1.0),
        Ended(at(1.0), "turn", "item_1", None, "unanswered", 1.0),
        Ended(at(1.0), "tool_call", "call_1", "x", "completed", 1.0),
        Ended(at(1.0), "run", "run_1", "m", "completed", 1.0),
        Ended(at(1.0), "run_step", "step_1", None, "completed", 1.0),
    )
    names = {"gen_ai.conversation.id": "desk/1", "steno.stream": "desk/s"}
    own = [
        {"gen_ai.response.id": "resp_1"},
        {"gen_ai.response.id": "resp_1"},
        {"steno.item.id": "item_1"},
        {"gen_ai.tool.call.id": "call_1"},
        {"steno.run.id": "run_1"},
        {"steno.run_step.id": "step_1"},
    ]
    for with_names, without, expected in zip(built(*items, ids=True), built(*items), own, strict=True):
        assert shown(with_names) == shown(without) | names | expected


def test_ids_show_nothing_and_differ_from_one_process_to_the_next() -> None:
    item = Ended(at(1.0), "response", "resp_1", "m", "completed", 1.0)
    nameless = Ended(at(1.0), "response", None, "m", "completed", 1.0)
    again = SpanBuilder(SECRET, dict, ids=False)
    first, same, no_id, no_id_either = built(item, item, nameless, nameless, builder=again)
    other, *_ = built(item, builder=SpanBuilder(b"another", dict, ids=False))
    elsewhere, *_ = built(msgspec.structs.replace(item, origin=at(1.0, "desk/2")))

    assert (first.trace_id, first.span_id) == (same.trace_id, same.span_id)
    assert (len(first.trace_id), len(first.span_id)) == (16, 8)
    assert len({first.span_id, no_id.span_id, no_id_either.span_id, other.span_id, elsewhere.span_id}) == 5
    assert len({first.trace_id, other.trace_id, elsewhere.trace_id}) == 3


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversation that was silent longest is forgotten first, whichever of them holds most."""
    monkeypatch.setattr(module, "REMEMBERED", 4)
    builder = SpanBuilder(SECRET, dict, ids=False)

    def held() -> dict[str, int]:
        found = {name: len(context) for name, context in builder._contexts.items() if len(context)}
        assert builder._remembered == sum(found.values())
        return found

    for number in range(3):
        built(Began(at(1.0, f"desk/{number}"), "response", "resp"), builder=builder)
        built(Began(at(1.0, f"desk/{number}"), "tool_call", "call"), builder=builder)
        built(Began(at(1.0, f"desk/{number}"), "tool_call", "call"), builder=builder)
    assert held() == {"desk/1": 2, "desk/2": 2}
    built(Ended(at(2.0, "desk/1"), "response", "resp", None, "completed", 1.0), builder=builder)
    built(Ended(at(2.0, "desk/1"), "response", "resp", None, "completed", 1.0), builder=builder)
    assert held() == {"desk/1": 1, "desk/2": 2}
    built(Forgotten(at(2.0, "desk/2")), Forgotten(at(2.0, "desk/9")), builder=builder)
    assert held() == {"desk/1": 1}
    for number in range(9):
        built(Began(at(3.0, "desk/5"), "run", f"run_{number}"), builder=builder)
    assert sum(held().values()) <= 4


# Whole conversations --------------------------------------------------------------------------------------


class Told:
    """A sink that keeps every fact."""

    def __init__(self) -> None:
        self.facts: list[tuple[Origin, Fact]] = []

    def emit(self, origin: Origin, fact: Fact) -> None:
        self.facts.append((origin, fact))


def conversation(kind: str) -> tuple[Told, SpanSink]:
    told, sink = Told(), SpanSink(10_000)
    pipeline = Pipeline(Limits(), [told, sink])
    stream = pipeline.stream_opened("desk/s", "desk", None)
    for when, event in timed(kind):
        pipeline.feed(stream, Frame(msgspec.json.encode(event), when))
    pipeline.registry.close_all(when)
    return told, sink


def words_of(value: Any) -> Iterator[str]:
    """Yield the content in a fact, however deep."""
    if isinstance(value, Content):
        yield value.text
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from words_of(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from words_of(each)


def ids_of(told: Told) -> set[str]:
    return {
        value
        for origin, fact in told.facts
        for struct in (origin, fact)
        for name in struct.__struct_fields__
        if name.endswith("_id") or name in {"conversation", "stream"}
        if isinstance(value := getattr(struct, name), str)
    }


@pytest.mark.parametrize("kind", ["voice", "assistants"])
def test_no_content_is_ever_sent_and_no_id_unless_configured(kind: str) -> None:
    told, sink = conversation(kind)
    items = list(sink.queue)
    words = {word for _, fact in told.facts for word in words_of(fact) if word}
    ids = ids_of(told)
    assert len(words) > 5
    assert len(ids) > 5

    for with_ids in (False, True):
        body = trace_request(built(*items, ids=with_ids), resource("i", {}))
        assert not [word for word in words if word.encode() in body]
        assert with_ids == bool([each for each in ids if each.encode() in body])


@pytest.mark.parametrize("kind", ["voice", "assistants"])
def test_each_end_is_one_span_and_each_parent_is_there(kind: str) -> None:
    told, sink = conversation(kind)
    spans = built(*sink.queue)
    ended = [fact.tag for _, fact in told.facts]
    of = {"response": "response.finished", "run": "run.finished", "run_step": "run_step.finished"}
    for what, tag in {**of, "tool_call": "tool_call.finished"}.items():
        found = [span for span in spans if span.name.split()[0] == what]
        abandoned = tag.replace("finished", "abandoned") if what in of else ""
        assert len(found) == ended.count(tag) + ended.count(abandoned)
    assert {span.parent_span_id for span in spans} - {span.span_id for span in spans} == {b""}
    assert [span.name for span in spans if span.parent_span_id]
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)


def test_a_request_holds_its_spans_and_an_answer_says_how_many_were_not_taken() -> None:
    spans = built(*numbered(3))
    (of_process,) = ExportTraceServiceRequest.FromString(trace_request(spans, resource("i", {}))).resource_spans
    assert attributes(list(of_process.resource.attributes))["service.name"] == "steno"
    assert [len(scope.spans) for scope in of_process.scope_spans] == [3]

    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    assert rejected_spans(answer.SerializeToString()) == 2
    assert rejected_spans(b"") == 0
    with pytest.raises(ValueError, match="not an answer"):
        rejected_spans(b"SSH-2.0-x")


def numbered(count: int) -> Iterable[Ended]:
    return (Ended(at(1.0), "run", f"run_{number}", "m", "completed", 1.0) for number in range(count))
