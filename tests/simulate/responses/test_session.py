"""One connection to the Responses API: what each request gives, event by event."""

from typing import Any

import pytest

from steno.simulate.responses.store import Store
from tests.simulate.responses.plays import CITY, STARTED_AT, Event, Play, kinds, outcome
from tests.simulate.shapes import recorded, shapes

THOUGHT = ["created", "in_progress", "output_item.added", "output_item.done"]
MESSAGE = [
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "completed",
]


def test_a_message() -> None:
    events = Play().ask(input="Good evening.")

    assert kinds(events) == [*THOUGHT, *MESSAGE]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert not any("event_id" in event for event in events)
    response = outcome(events)
    assert (response["object"], response["status"], response["service_tier"]) == ("response", "completed", "default")
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert [item["type"] for item in response["output"]] == ["reasoning", "message"]
    assert response["output"][1]["content"][0]["text"] == text
    assert response["completed_at"] >= response["created_at"] == STARTED_AT


def test_a_tool_loop_is_a_chain() -> None:
    play = Play()

    first = play.ask(input="What is the temperature in Paris?", tools=[CITY])
    called = outcome(first)
    call = called["output"][1]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "25 degrees"}
    second = outcome(play.ask(input=[result], previous_response_id=called["id"], tools=[CITY]))

    assert kinds(first) == [
        *THOUGHT,
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert (call["name"], call["arguments"]) == ("get_temperature", '{"city":"Paris"}')
    assert second["previous_response_id"] == called["id"]
    assert "25 degrees" in second["output"][1]["content"][0]["text"]
    assert second["usage"]["input_tokens"] > called["usage"]["input_tokens"]


def test_a_long_context_is_written_to_the_cache_and_read_from_it() -> None:
    play = Play()
    long = {"role": "developer", "content": "Stock list. " * 500}

    first = outcome(play.ask(input=[long, {"role": "user", "content": "Hello."}], prompt_cache_options={"ttl": "12h"}))
    second = outcome(play.ask(input="And now?", previous_response_id=first["id"]))

    written = first["usage"]["input_tokens_details"]
    assert written["cached_tokens"] == 0
    assert written["cache_write_tokens"] > 1024
    assert written["cache_write_tokens_details"] == {
        "ttl_12h_tokens": written["cache_write_tokens"],
        "ttl_30m_tokens": 0,
    }
    read = second["usage"]["input_tokens_details"]
    assert read == {"cache_write_tokens": 0, "cached_tokens": written["cache_write_tokens"]}


def test_a_warm_up_has_no_answer_and_can_be_continued() -> None:
    play = Play()

    warm = play.ask(input="Be ready.", generate=False)
    after = outcome(play.ask(input="Hello.", previous_response_id=outcome(warm)["id"]))

    assert kinds(warm) == ["created", "in_progress", "completed"]
    assert (outcome(warm)["output"], outcome(warm)["usage"]["total_tokens"]) == ([], 0)
    assert after["status"] == "completed"


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"input": "x", "previous_response_id": "resp_gone"}, "previous_response_not_found", "previous_response_id"),
        ({"input": 7}, "invalid_type", "input"),
        ({"input": "x", "model": ""}, "missing_required_parameter", "model"),
        ({"input": "x", "background": True}, "invalid_value", "background"),
        ({"input": "x", "conversation": "c", "previous_response_id": "r"}, "mutually_exclusive_parameters", None),
        ({"input": [{"role": "nobody", "content": ""}]}, "invalid_value", "input[0].role"),
        ({"type": "response.cancel"}, "invalid_value", "type"),
        ({"type": None}, "missing_required_parameter", "type"),
    ],
)
def test_what_is_refused(asked: Event, code: str, param: str | None) -> None:
    play = Play()
    play.session.receive({"type": "response.create", "model": "gpt-5.6-sol", "stream_id": "a", **asked})

    (refused,) = play.session.take()

    assert (refused["type"], refused["status"], refused["stream_id"]) == ("error", 400, "a")
    assert (refused["error"]["code"], refused["error"]["param"]) == (code, param)
    assert play.session.due() is None


@pytest.mark.parametrize("frame", ["{", "[]", b"\xff", '"response.create"'])
def test_what_is_no_event_is_refused(frame: str | bytes) -> None:
    play = Play()
    play.session.receive(frame)

    assert [event["type"] for event in play.session.take()] == ["error"]


def test_a_response_that_was_not_stored_is_known_on_its_connection_alone() -> None:
    store = Store()
    play = Play(store=store)
    kept = outcome(play.ask(input="Hello.", store=True))["id"]
    own = outcome(play.ask(input="Hello.", store=False))["id"]

    assert outcome(play.ask(input="Again.", previous_response_id=own))["status"] == "completed"
    other = Play(store=store)
    assert outcome(other.ask(input="Again.", previous_response_id=kept))["status"] == "completed"
    assert other.ask(input="Again.", previous_response_id=own)[-1]["type"] == "error"


def test_a_conversation_is_continued_without_naming_a_response() -> None:
    play = Play()
    first = outcome(play.ask(input="Hello.", conversation="conv_1"))
    second = outcome(play.ask(input="Again.", conversation={"id": "conv_1"}))

    assert first["conversation"] == second["conversation"] == {"id": "conv_1"}
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]


# How a response ends.


def test_a_refusal() -> None:
    events = Play().ask(input="Please refuse this.")

    assert "refusal.delta" in kinds(events)
    part = outcome(events)["output"][1]["content"][0]
    assert part["type"] == "refusal"
    assert [event["refusal"] for event in events if event["type"] == "response.refusal.done"] == [part["refusal"]]


def test_a_failure() -> None:
    events = Play().ask(input="Please fail now.")

    assert kinds(events)[-2:] == ["error", "failed"]
    response = outcome(events)
    assert (response["status"], response["error"]["code"], response["usage"]) == ("failed", "server_error", None)


def test_a_response_that_has_spent_its_tokens_is_incomplete() -> None:
    response = outcome(Play().ask(input="Say much.", max_output_tokens=16, reasoning={"effort": "none"}))

    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 16


@pytest.mark.parametrize(("tier", "served"), [("auto", "default"), ("flex", "flex"), ("priority", "priority")])
def test_the_tier_that_served(tier: str, served: str) -> None:
    events = Play().ask(input="Hello.", service_tier=tier)

    assert (events[0]["response"]["service_tier"], outcome(events)["service_tier"]) == (tier, served)


# Tools.


@pytest.mark.parametrize(
    ("tool", "said", "item", "events"),
    [
        ("web_search", "Search the web.", "web_search_call", ["in_progress", "searching", "completed"]),
        ("file_search", "Look in my files.", "file_search_call", ["in_progress", "searching", "completed"]),
        ("code_interpreter", "Compute it.", "code_interpreter_call", ["in_progress", "interpreting", "completed"]),
        (
            "image_generation",
            "Make a picture.",
            "image_generation_call",
            ["in_progress", "generating", "partial_image", "completed"],
        ),
    ],
)
def test_a_tool_of_the_provider(tool: str, said: str, item: str, events: list[str]) -> None:
    came = Play().ask(input=said, tools=[{"type": tool}])

    assert [kind.removeprefix(f"{item}.") for kind in kinds(came) if kind.startswith(f"{item}.")] == events
    assert [each["type"] for each in outcome(came)["output"]] == ["reasoning", item, "message"]
    assert outcome(came)["tool_usage"]["web_search"]["num_requests"] == (tool == "web_search")


@pytest.mark.parametrize(("tool", "item"), [("shell", "shell_call"), ("local_shell", "local_shell_call")])
def test_a_shell_is_run_by_the_client(tool: str, item: str) -> None:
    play = Play()
    called = outcome(play.ask(input="Use the shell.", tools=[{"type": tool}]))
    output = {"type": f"{item}_output", "call_id": called["output"][-1]["call_id"], "output": "a.txt"}
    answer = outcome(play.ask(input=[output], previous_response_id=called["id"]))

    assert called["output"][-1]["type"] == item
    assert "a.txt" in answer["output"][-1]["content"][0]["text"]


def test_a_custom_tool() -> None:
    events = Play().ask(input="Write sql for it.", tools=[{"type": "custom", "name": "write_sql"}])

    item = outcome(events)["output"][-1]
    sent = "".join(event["delta"] for event in events if event["type"] == "response.custom_tool_call_input.delta")
    assert (item["type"], item["input"], item["status"]) == ("custom_tool_call", sent, "completed")


def test_a_tool_on_another_server_is_called_once_the_client_allows_it() -> None:
    play = Play()
    tools = [{"type": "mcp", "server_label": "warehouse", "server_url": "https://warehouse.example"}]

    asked = outcome(play.ask(input="Ask the warehouse.", tools=tools))
    approval = {"approval_request_id": asked["output"][-1]["id"], "approve": True, "type": "mcp_approval_response"}
    called = play.ask(input=[approval], previous_response_id=asked["id"], tools=tools)

    assert [each["type"] for each in asked["output"]] == ["reasoning", "mcp_list_tools", "mcp_approval_request"]
    call = outcome(called)["output"][1]
    assert (call["approval_request_id"], call["error"]) == (asked["output"][-1]["id"], None)
    assert "mcp_call.completed" in kinds(called)


def test_a_server_that_is_busy_fails() -> None:
    tools = [{"type": "mcp", "server_label": "busy_desk", "require_approval": "never"}]
    events = Play().ask(input="Ask the busy desk.", tools=tools)

    call = next(each for each in outcome(events)["output"] if each["type"] == "mcp_call")
    assert (call["status"], call["error"]["type"]) == ("failed", "mcp_tool_execution_error")
    assert "mcp_call.failed" in kinds(events)


def test_a_summary_of_what_was_thought() -> None:
    events = Play().ask(input="Hello.", reasoning={"effort": "high", "summary": "auto"})

    (summary,) = outcome(events)["output"][0]["summary"]
    deltas = [event["delta"] for event in events if event["type"] == "response.reasoning_summary_text.delta"]
    assert summary == {"type": "summary_text", "text": "".join(deltas)}
    assert outcome(events)["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


# Lanes.


def test_lanes_are_answered_beside_each_other_and_a_lane_in_order() -> None:
    play = Play()
    events = play.send(input="One.", stream_id="a") + play.send(input="Two.", stream_id="b")
    events += play.send(input="Three.", stream_id="a") + play.rest()

    begun = [event["stream_id"] for event in events if event["type"] == "response.created"]
    ended = [event["stream_id"] for event in events if event["type"] == "response.completed"]
    assert (begun, sorted(ended)) == (["a", "b", "a"], ["a", "a", "b"])
    third = [event["type"] for event in events if event["stream_id"] == "a"]
    assert third.index("response.completed") < len(third) - third[::-1].index("response.created") - 1


def test_so_many_responses_are_in_progress_at_the_same_time() -> None:
    play = Play()
    begun: list[Event] = []
    for n in range(20):
        begun += play.send(input="One.", stream_id=f"lane-{n}")
    assert kinds(begun).count("created") == 16

    assert sum(event["type"] == "response.completed" for event in play.rest()) == 20


def test_a_connection_has_so_many_lanes() -> None:
    play = Play()
    for n in range(33):
        play.ask(input="One.", stream_id=f"lane-{n}", generate=False)

    assert play.send(input="One.", stream_id="one too many")[0]["error"]["param"] == "stream_id"


# Steering.


def test_a_message_is_cut_short_and_its_successor_reads_what_was_added() -> None:
    play = Play()
    begun = play.send(input="Tell me about Paris.", stream_id="a") + play.until("response.output_text.delta")
    target = begun[0]["response"]["id"]

    events = play.send("response.steer", previous_response_id=target, input="No, about Rome.") + play.rest()

    accepted = events[0]
    assert (accepted["type"], accepted["steer"]["previous_response_id"]) == ("response.steer.accepted", target)
    cut = next(event["response"] for event in events if event["type"] == "response.incomplete")
    assert (cut["id"], cut["incomplete_details"]) == (target, {"reason": "steered"})
    successor = outcome(events)
    assert (successor["previous_response_id"], successor["status"]) == (target, "completed")
    assert "Rome" in successor["output"][1]["content"][0]["text"]


def test_what_was_added_to_a_call_waits_for_its_output() -> None:
    play = Play()
    asked: dict[str, Any] = {"tools": [CITY], "reasoning": {"effort": "none"}}
    begun = play.send(input="What is the temperature in Paris?", **asked)
    begun += play.until("response.function_call_arguments.delta")
    target = begun[0]["response"]["id"]

    events = play.send("response.steer", previous_response_id=target, input="And say it politely.") + play.rest()
    called = next(event["response"] for event in events if event["type"] == "response.completed")
    pending = events[-1]
    result = {"type": "function_call_output", "call_id": called["output"][0]["call_id"], "output": "25"}
    after = outcome(play.ask(input=[result], previous_response_id=target, **asked))

    assert (pending["type"], pending["reason"]) == ("response.steer.pending", "waiting_for_required_input")
    call_id = called["output"][0]["call_id"]
    stub = {"type": "function_call_output", "call_id": call_id, "name": "get_temperature"}
    assert pending["required_input"] == [stub]
    assert pending["sequence_number"] == events[-2]["sequence_number"] + 1
    assert after["previous_response_id"] == target


@pytest.mark.parametrize("ended", [True, False])
def test_what_is_not_in_progress_is_not_steered(ended: bool) -> None:
    play = Play()
    target = outcome(play.ask(input="Hello."))["id"] if ended else "resp_none"

    (failed,) = play.send("response.steer", previous_response_id=target, input="More.")

    assert failed["error"]["code"] == ("response_already_completed" if ended else "response_not_found")
    assert failed["steer"] == {"input": "More.", "previous_response_id": target}


def test_so_much_may_be_added() -> None:
    play = Play()
    begun = play.send(input="What is the temperature in Paris?", tools=[CITY], reasoning={"effort": "none"})
    play.until("response.function_call_arguments.delta")
    target = begun[0]["response"]["id"]
    codes = [play.send("response.steer", previous_response_id=target, input="More.")[-1] for _ in range(9)]

    assert [event["type"] for event in codes[:8]] == ["response.steer.accepted"] * 8
    assert codes[8]["error"]["code"] == "too_many_pending_steers"


# The form.


def test_the_same_seed_gives_the_same_events() -> None:
    assert Play(3).ask(input="Hello.", tools=[CITY]) == Play(3).ask(input="Hello.", tools=[CITY])
    assert Play(3).ask(input="Hello.") != Play(4).ask(input="Hello.")


def test_events_have_the_members_of_recorded_ones_in_their_order() -> None:
    """The recording of a tool round, and the newer one of a backend of a Live session, which has more members."""
    real = shapes(
        (inner["type"], inner)
        for event in recorded("responses-ws__*.jsonl", "live__pydantic_delegated*.jsonl")
        if "sequence_number" in (inner := event.get("event", event))
    )
    play = Play()
    called = play.ask(input="What is the temperature in Paris?", tools=[CITY], reasoning={"effort": "none"})
    call = outcome(called)["output"][0]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "25 degrees"}
    answered = play.ask(input=[result], previous_response_id=outcome(called)["id"], reasoning={"effort": "none"})
    ours = shapes((event["type"], event) for event in called + answered)

    done = ("response.output_item.done", "item:message")
    real["response.completed", "response", "output:message"] |= real[done]  # newer recordings leave it out there
    compared = {path for path in set(real) & set(ours) if "tools:function" not in path}  # those are the client's
    assert {path[0] for path in compared} == {event["type"] for event in called + answered}
    assert {path: ours[path] - real[path] for path in compared if not ours[path] <= real[path]} == {}
