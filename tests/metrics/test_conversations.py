"""What every source has from its beginning, and what is true when the numbers are read."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import steno
from steno.core import facts
from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.conversation_definitions import CONVERSATION_METRICS
from steno.metrics.conversations import ConversationNumbers
from steno.metrics.labels import Labels
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.timestamps import SECOND, Micros

BEGIN: Micros = 1_790_000_000 * SECOND


class House:
    """A pipeline and its metrics."""

    def __init__(self) -> None:
        """Begin with one source of which nothing came."""
        self.metrics = Metrics(100)
        self.pipeline = Pipeline(Limits(), [self.metrics])
        self.pipeline.source("desk")

    def feed(self, at: Micros | None, *events: Any) -> None:
        """Feed events of a stream of the source."""
        name = "desk/1/1"
        stream = self.pipeline.streams.get(name) or self.pipeline.stream_opened(name, "desk", at)
        for event in events:
            self.pipeline.feed(stream, Frame(msgspec.json.encode(event), at))

    def numbers(self, name: str) -> dict[Labels, float]:
        """Read one metric."""
        return dict(ConversationNumbers(self.pipeline, self.metrics).numbers()[name])


def test_a_source_of_which_nothing_came_stands_at_0() -> None:
    """Every counter whose labels are known, and its gauges: an increase sees the first of each."""
    house = House()
    numbers = ConversationNumbers(house.pipeline, house.metrics).numbers()

    assert {value for by in numbers.values() for value in by.values()} == {0}
    assert {name for name, by in numbers.items() if not by} == {
        *("steno_responses_total", "steno_interruptions_total", "steno_runs_total"),  # have a model
        *("steno_tokens_total", "steno_cost_usd_total", "steno_tool_calls_total"),
        *("steno_cache_write_tokens_total", "steno_reasoning_tokens_total", "steno_response_service_tiers_total"),
        "steno_billed_tool_calls_total",
        *("steno_resent_tokens_total", "steno_warm_ups_total", "steno_refusals_total", "steno_steers_total"),
        *("steno_live_seconds_total", "steno_double_talk_seconds_total"),
        *("steno_rate_limit_remaining", "steno_rate_limit_limit", "steno_rate_limit_reset_seconds"),  # not reported
        "steno_context_window_ratio",
    }
    assert len(numbers["steno_conversations_closed_total"]) == 5 * 6
    assert numbers["steno_last_event_timestamp_seconds"] == {("desk",): 0}
    assert numbers["steno_sessions_ending"]["desk", "realtime", "60s"] == 0
    assert ("desk", "realtime", "insufficient_quota") in numbers["steno_upstream_errors_total"]


def test_histograms_that_need_no_word_of_upstream_stand_at_0() -> None:
    house = House()
    histograms = ConversationNumbers(house.pipeline, house.metrics).histograms()

    assert {name: sorted(by) for name, by in histograms.items() if by} == {
        "steno_conversation_duration_seconds": [
            ("desk", family) for family in ("assistants", "chatkit", "live", "realtime", "responses")
        ],
        "steno_delegation_duration_seconds": [
            *(("desk", "client"), ("desk", "decisions"), ("desk", "other"), ("desk", "responses")),
        ],
        "steno_user_speech_duration_seconds": [("desk",)],
    }


def test_label_sets_have_as_many_values_as_their_metric_has_labels() -> None:
    house = House()
    house.feed(BEGIN, {"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime"}})
    read = ConversationNumbers(house.pipeline, house.metrics)
    known = {**read.numbers(), **read.histograms()}

    assert known.keys() == CONVERSATION_METRICS.keys()
    assert [n for n, by in known.items() for key in by if len(key) != len(CONVERSATION_METRICS[n].labels)] == []


def test_reasons_to_reject_are_those_that_stand_at_0() -> None:
    """Whoever rejects an event for another reason adds it to the list."""
    folder = Path(steno.__file__).parent
    code = "".join(path.read_text() for part in ("core", "wire") for path in sorted((folder / part).rglob("*.py")))
    given = re.findall(r'(?:\breject\(\w+, |\b_reject\(.*, |Malformed\(reason=)"(\w+)"', code)

    assert len(given) > 20
    assert set(given) - set(facts.REJECTED) == set()


@pytest.mark.parametrize(
    ("reported", "left"),
    [
        ([(0, 4.5)], [(0, 4.5), (3, 1.5), (5, 0.0), (3_600, 0.0)]),
        ([(0, 4.5), (2, 30.0)], [(2, 30.0), (12, 20.0)]),
        ([(0, -1.0)], [(0, 0.0)]),
        ([(0, 4.5), (2, None)], [(2, 2.5)]),
    ],
)
def test_the_reset_of_a_limit_is_counted_down(
    reported: list[tuple[int, float | None]], left: list[tuple[int, float]]
) -> None:
    """Upstream says a duration when it reports; what is left of that is true when the metric is read."""
    house = House()
    for second, reset in reported:
        limit = {"name": "tokens", "limit": 100, "remaining": 40, "reset_seconds": reset}
        house.feed(BEGIN + second * SECOND, {"type": "rate_limits.updated", "rate_limits": [limit]})

    for second, seconds in left:
        house.pipeline.tick(BEGIN + second * SECOND)
        assert house.numbers("steno_rate_limit_reset_seconds") == {("desk", "tokens"): seconds}
    assert house.numbers("steno_rate_limit_remaining") == {("desk", "tokens"): 40}
    assert house.numbers("steno_rate_limit_limit") == {("desk", "tokens"): 100}


def test_without_times_a_reset_stays_what_was_said() -> None:
    house = House()
    house.feed(None, {"type": "rate_limits.updated", "rate_limits": [{"name": "requests", "reset_seconds": 7}]})

    assert house.numbers("steno_rate_limit_reset_seconds") == {("desk", "requests"): 7}
    assert house.numbers("steno_rate_limit_remaining") == {}


def test_calls_that_are_open_are_counted_until_they_are_over() -> None:
    """A tool that hangs is seen while it does."""
    house = House()
    item = {"id": "item_1", "type": "function_call", "name": "book_berth", "call_id": "call_1", "arguments": "{}"}
    output = {"id": "item_2", "type": "function_call_output", "call_id": "call_1", "output": "{}"}
    house.feed(
        BEGIN,
        {"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime"}},
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "output": [item]}},
    )
    assert house.numbers("steno_tool_calls_open")["desk", "function"] == 1

    house.feed(BEGIN + SECOND, {"type": "conversation.item.added", "item": output})
    assert house.numbers("steno_tool_calls_open")["desk", "function"] == 0
    assert house.numbers("steno_tool_calls_total")["desk", "function", "book_berth", "completed"] == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("book_berth", "book_berth"),
        ("_private", "_private"),
        ("books.berths/v2:find-free", "books.berths/v2:find-free"),
        ("n" * 64, "n" * 64),
        ("n" * 65, "other"),
        ("ask them\nanything", "other"),
        ("sk-proj-" + "a1B2" * 10, "other"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_names_of_tools_are_names(name: str | None, shown: str) -> None:
    """As upstream takes them; prose, keys and what is too long become no label."""
    house = House()
    item = {"id": "item_1", "type": "function_call", "name": name, "call_id": "call_1", "arguments": "{"}
    done = {"id": "resp_1", "status": "cancelled", "output": [{**item, "status": "incomplete"}]}
    house.feed(BEGIN, {"type": "response.created", "response": {"id": "resp_1"}})
    house.feed(BEGIN, {"type": "response.output_item.added", "response_id": "resp_1", "item": item})
    house.feed(BEGIN, {"type": "response.done", "response": done})

    counted = house.numbers("steno_tool_calls_total")
    assert {labels: count for labels, count in counted.items() if count} == {
        ("desk", "function", shown, "abandoned"): 1
    }


def test_events_count_under_their_source() -> None:
    house = House()
    stream = house.pipeline.stream_opened("relay/1/1", "relay", BEGIN)
    house.feed(BEGIN, {"type": "input_audio_buffer.cleared"}, {"type": "input_audio_buffer.cleared"})
    house.pipeline.feed(stream, Frame(b'{"type":"input_audio_buffer.cleared"}', BEGIN))

    counted = {labels: count for labels, count in house.numbers("steno_events_total").items() if count}
    assert counted == {
        ("desk", "realtime", "input_audio_buffer.cleared"): 2,
        ("relay", "realtime", "input_audio_buffer.cleared"): 1,
    }
