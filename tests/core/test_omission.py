"""One event leads to so many facts of a kind, and one that counts the rest. What happens once is never left out."""

from collections import Counter

from steno.core import facts
from steno.core.omission import within_bounds
from steno.limits import FACTS_OF_A_KIND, LIST_ELEMENTS
from steno.metrics.sink import Metrics
from tests.core.helpers import SOURCE, Play, done, event, run, session, step


def kinds(emitted: list[facts.Fact]) -> Counter[str]:
    return Counter(facts.NAMES[type(fact)] for fact in emitted)


def test_a_response_of_very_many_calls_is_finished_all_the_same() -> None:
    """Its end comes last, and it counts: that is where its tokens are."""
    play = Play()
    play.say(session("sess_1"))
    output = [{"id": f"item_{number}", "type": "mcp_call", "output": "x"} for number in range(200)]

    emitted = play.say(done("resp_1", output=output, usage={"input_tokens": 7, "output_tokens": 5}))

    assert kinds(emitted) == {
        "tool_call.started": FACTS_OF_A_KIND,
        "tool_call.finished": FACTS_OF_A_KIND,
        "response.finished": 1,
        "facts.omitted": 1,
    }
    omitted = 2 * (200 - FACTS_OF_A_KIND)
    assert emitted[-1] == facts.FactsOmitted(facts=("tool_call.started", "tool_call.finished"), omitted=omitted)
    assert sum(each.tokens for each in play.state().totals.buckets()) == 12


def test_a_step_of_very_many_calls_is_finished_all_the_same() -> None:
    """So is a step, whose calls begin and end with it. Of the calls a list says so many alone."""
    play = Play()
    play.say(run("in_progress"))
    calls = [{"id": f"call_{number}", "type": "function"} for number in range(1_000)]

    emitted = play.say(step("completed", step_details={"type": "tool_calls", "tool_calls": calls}))

    assert kinds(emitted) == {
        "run_step.started": 1,
        "tool_call.started": FACTS_OF_A_KIND,
        "tool_call.finished": FACTS_OF_A_KIND,
        "run_step.finished": 1,
        "facts.omitted": 1,
    }
    assert play.of(facts.FactsOmitted) == [
        facts.FactsOmitted(
            facts=("tool_call.started", "tool_call.finished"), omitted=2 * (LIST_ELEMENTS - FACTS_OF_A_KIND)
        )
    ]


def test_as_many_facts_of_a_kind_as_may_be_are_all_emitted() -> None:
    """The limit is the last number that is accepted, and nothing is copied up to it."""
    reported = [facts.DtmfReceived() for _ in range(FACTS_OF_A_KIND)]
    mixed = [*reported, *(facts.ThreadCreated(thread_id="t") for _ in range(FACTS_OF_A_KIND))]

    assert within_bounds(reported) is reported
    assert within_bounds(mixed) is mixed
    one_more = [*mixed, facts.DtmfReceived()]
    assert within_bounds(one_more) == (*mixed, facts.FactsOmitted(facts=("dtmf.received",), omitted=1))


def test_rate_limits_without_number_are_counted() -> None:
    """Whichever event it is: the metric says how many."""
    play = Play()
    play.say(session("sess_1"))
    play.say(event("rate_limits.updated", rate_limits=[{"name": "tokens"}] * 5_000))

    metrics = Metrics(100)
    for origin, fact in play.emitted:
        metrics.emit(origin, fact)
    assert dict(metrics.numbers["steno_facts_omitted_total"]) == {(SOURCE,): LIST_ELEMENTS - FACTS_OF_A_KIND}
    assert play.pipeline.source(SOURCE).drifted == 5_000 - LIST_ELEMENTS
