"""Facts on their way into the queue: little of each, and no more than there is room for."""

import gc

import msgspec
import pytest

from steno.core import facts
from steno.core.facts import Content, Cost, Fact, Origin, Tokens
from steno.otel import sink
from steno.otel.sink import Began, Ended, Forgotten, SpanSink

ORIGIN = Origin(at=1_000_000, source="desk", stream="desk/1", conversation="desk/1", family="realtime")
TOKENS = (Tokens("voice-1", "input", "text", False, 12),)
COST = Cost(usd="0.5", model="voice-1")
WORDS = (Content("transcript", "my number is 4711"),)
FINISHED = facts.ResponseFinished(
    response_id="resp_1",
    status="completed",
    reason=None,
    conversation_id=None,
    model="voice-1",
    items=1,
    output=WORDS,
    audio_seconds=1.0,
    duration_seconds=2.0,
    time_to_first_token_seconds=0.25,
    time_to_first_audio_seconds=0.5,
    turn_latency_seconds=0.75,
    tokens=TOKENS,
    cost=COST,
    metadata=WORDS[0],
)
PLAY: list[tuple[Fact, sink.Item | None]] = [
    (
        facts.ResponseStarted(response_id="resp_1", conversation_id=None, model="voice-1"),
        Began(ORIGIN, "response", "resp_1"),
    ),
    (facts.RunStarted(run_id="run_1", assistant_id=None, model=None), Began(ORIGIN, "run", "run_1")),
    (facts.ToolCallStarted(call_id="call_1", kind="function", name="x"), Began(ORIGIN, "tool_call", "call_1")),
    (
        facts.ResponseOutputStarted(
            response_id="resp_1", model="voice-1", output="audio", after_seconds=0.5, turn_latency_seconds=0.75
        ),
        Ended(ORIGIN, "turn", "resp_1", "voice-1", "answered", 0.75),
    ),
    (facts.ResponseOutputStarted(response_id="resp_1", model="voice-1", output="text", after_seconds=0.25), None),
    (
        facts.PlaybackStarted(response_id="resp_1", model="voice-1", turn_latency_seconds=0.9),
        Ended(ORIGIN, "turn", "resp_1", "voice-1", "answered", 0.9),
    ),
    (facts.PlaybackStarted(response_id="resp_1", model="voice-1", turn_latency_seconds=None), None),
    (
        facts.TurnUnanswered(item_id="item_1", ended_by="speech", waited_seconds=3.0),
        Ended(ORIGIN, "turn", "item_1", None, "unanswered", 3.0, reason="speech"),
    ),
    (
        FINISHED,
        Ended(
            ORIGIN,
            "response",
            "resp_1",
            "voice-1",
            "completed",
            2.0,
            first_token=0.25,
            first_audio=0.5,
            turn_latency=0.75,
            tokens=TOKENS,
            cost=COST,
        ),
    ),
    (
        facts.ResponseAbandoned(response_id="resp_1", model=None, cost=COST),
        Ended(ORIGIN, "response", "resp_1", None, "abandoned", None, cost=COST),
    ),
    (
        facts.ToolCallFinished(
            call_id="call_1",
            kind="function",
            name="x",
            status="failed",
            duration_seconds=0.1,
            arguments=WORDS[0],
            output=WORDS[0],
            error="bad",
        ),
        Ended(ORIGIN, "tool_call", "call_1", "x", "failed", 0.1, reason="bad", kind="function"),
    ),
    (
        facts.RunFinished(
            run_id="run_1", status="failed", reason="bad", model="m", duration_seconds=4.0, tokens=TOKENS, cost=COST
        ),
        Ended(ORIGIN, "run", "run_1", "m", "failed", 4.0, reason="bad", tokens=TOKENS, cost=COST),
    ),
    (facts.RunAbandoned(run_id="run_1"), Ended(ORIGIN, "run", "run_1", None, "abandoned", None)),
    (
        facts.RunStepFinished(
            step_id="step_1",
            run_id="run_1",
            kind="tool_calls",
            status="completed",
            reason=None,
            duration_seconds=1.0,
            prompt_tokens=1,
            completion_tokens=2,
        ),
        Ended(ORIGIN, "run_step", "step_1", None, "completed", 1.0, kind="tool_calls", parent="run_1"),
    ),
    (
        facts.RunStepAbandoned(step_id="step_1", run_id="run_1"),
        Ended(ORIGIN, "run_step", "step_1", None, "abandoned", None, parent="run_1"),
    ),
    (
        facts.DelegationOpened(delegation_id="item_1", target="client", response_id=None, offset_ms=None),
        Began(ORIGIN, "delegation", "item_1"),
    ),
    (
        facts.DelegationFinished(
            delegation_id="item_1", target="client", status="answered", responses=0, duration_seconds=2.0
        ),
        Ended(ORIGIN, "delegation", "item_1", None, "answered", 2.0, kind="client"),
    ),
    (
        facts.ConversationClosed(
            family="realtime", reason="idle", duration_seconds=None, events=1, responses=1, runs=0, tokens=()
        ),
        Forgotten(ORIGIN),
    ),
    (facts.UpstreamErred(code="bad", kind=None, message=WORDS[0]), None),
    (facts.SpeechStarted(item_id="item_1", audio_start_ms=None), None),
]


@pytest.mark.parametrize(("fact", "item"), PLAY, ids=[type(fact).__name__ for fact, _ in PLAY])
def test_what_a_fact_leads_to(fact: Fact, item: sink.Item | None) -> None:
    spans = SpanSink(10)
    spans.emit(ORIGIN, fact)
    assert list(spans.queue) == ([item] if item else [])


def test_each_fact_that_leads_to_something_is_played_here() -> None:
    assert {type(fact) for fact, item in PLAY if item} == set(sink.ITEMS)


def test_what_waits_refers_to_no_content() -> None:
    """Whatever an item refers to, however indirectly."""
    spans = SpanSink(100)
    for fact, _ in PLAY:
        spans.emit(ORIGIN, fact)

    seen: list[object] = [spans.queue]
    for each in seen:
        members = [getattr(each, name) for name in each.__struct_fields__] if isinstance(each, msgspec.Struct) else []
        seen += members or [inner for inner in gc.get_referents(each) if isinstance(inner, (Ended, Began, Content))]
    assert not [each for each in seen if isinstance(each, Content)]
    assert len(seen) > len(PLAY)


def test_a_flood_is_dropped_and_counted() -> None:
    """What stays is what came first. Only spans are counted: what began is none."""
    spans = SpanSink(3)
    for number in range(10):
        spans.emit(ORIGIN, facts.RunAbandoned(run_id=f"run_{number}"))
        spans.emit(ORIGIN, facts.RunStarted(run_id=f"run_{number + 1}", assistant_id=None, model=None))

    assert [getattr(item, "id", None) for item in spans.queue] == ["run_0", "run_1", "run_1"]
    assert spans.dropped == 8


def test_a_mistake_of_ours_ends_no_stream() -> None:
    spans = SpanSink(3)
    broken = facts.RunAbandoned(run_id="run_1")
    del_of_fact = {facts.RunAbandoned: lambda *_: 1 / 0}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sink, "ITEMS", del_of_fact)
        spans.emit(ORIGIN, broken)
    assert (spans.mistakes, len(spans.queue)) == (1, 0)
