"""Tool calls of responses: who runs them, how long they take, and what ends them."""

from typing import Any

import pytest

from steno.core import facts
from steno.core.facts import Content, Fact
from tests.core.helpers import STREAM, Event, Play
from tests.core.responses.frames import Told, call, create, message, output_of, whole

LANE = f"{STREAM}/default"


def of(told: list[Fact], kind: type[Any]) -> list[Any]:
    return [fact for fact in told if isinstance(fact, kind)]


def begun(**limits: Any) -> tuple[Play, Told]:
    """A response that has begun."""
    play, told = Play(**limits), Told()
    play.say(told.created())
    return play, told


def summary(told: list[Fact]) -> list[tuple[str, str | None, str, float | None]]:
    """Kind, name, status and duration of the calls that ended."""
    return [(each.kind, each.name, each.status, each.duration_seconds) for each in of(told, facts.ToolCallFinished)]


def test_a_function_call_from_its_first_argument_to_its_output() -> None:
    """It is waited for from the moment that its arguments are whole."""
    play, told = begun()
    item = call(arguments='{"city":"Bonn"}')
    assert play.say(told.added({**item, "arguments": "", "status": "in_progress"})) == [
        facts.ToolCallStarted(call_id="call_1", kind="function", name="look_up")
    ]
    play.wait(100)
    (first,) = play.say(told.delta('{"city":', "function_call_arguments", "fc_1"))
    assert isinstance(first, facts.ResponseOutputStarted)
    assert play.say(told.delta('"Bonn"}', "function_call_arguments", "fc_1")) == []
    assert play.say(told.about("function_call_arguments.done", "fc_1", arguments=item["arguments"])) == []
    play.wait(50)
    assert play.say(told.done(item)) == []
    finished, *_ = play.say(told.ended("completed", item))
    assert isinstance(finished, facts.ResponseFinished)
    assert finished.output == (Content("arguments", item["arguments"]),)
    play.wait(450)
    assert of(play.say(create([output_of()], previous_response_id="resp_1"), sent=True), facts.ToolCallFinished) == [
        facts.ToolCallFinished(
            call_id="call_1",
            kind="function",
            name="look_up",
            status="completed",
            duration_seconds=0.5,
            arguments=Content("arguments", item["arguments"]),
            output=Content("output", "21 degrees"),
            arguments_whole=True,
        )
    ]
    assert play.line(LANE)["tools"] == [
        {"call_id": "call_1", "kind": "function", "name": "look_up", "status": "completed"}
    ]


BUILT_IN: list[tuple[str, Event, str, Event, str | None, str | None]] = [
    ("web_search_call", {}, "searching", {"action": {"type": "search", "query": "x"}},
     '{"type": "search", "query": "x"}', None),
    ("file_search_call", {}, "searching", {"queries": ["x"], "results": None}, '["x"]', None),
    ("code_interpreter_call", {"code": None}, "interpreting", {"code": "1+1", "outputs": [{"logs": "2"}]}, "1+1",
     '[{"logs": "2"}]'),
    ("image_generation_call", {}, "generating", {"result": "aGVsbG8="}, None, None),
    ("mcp_call", {"name": "find", "arguments": ""}, "", {"name": "find", "arguments": "{}", "output": "found"}, "{}",
     "found"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "start", "runs", "end", "made_with", "output"), BUILT_IN)
def test_what_upstream_runs(
    kind: str, start: Event, runs: str, end: Event, made_with: str | None, output: str | None
) -> None:
    """From the moment that it runs to the event that says that it returned; its item has what."""
    play, told = begun()
    item = {"id": "x_1", "type": kind, "status": "in_progress", **start}
    (started,) = of(play.say(told.added(item)), facts.ToolCallStarted)
    assert started.call_id == "x_1"
    play.say(told.about(f"{kind}.in_progress", "x_1"))
    play.say(*([told.about(f"{kind}.{runs}", "x_1")] if runs else []))
    play.wait(400)
    assert play.say(told.about(f"{kind}.completed", "x_1")) == []
    play.wait(100)
    (finished,) = play.say(told.done({**item, "status": "completed", **end}))
    assert isinstance(finished, facts.ToolCallFinished)
    assert (finished.status, finished.duration_seconds) == ("completed", 0.4)
    assert finished.arguments == (None if made_with is None else Content("arguments", made_with))
    assert finished.output == (None if output is None else Content("output", output))
    assert summary(play.say(told.ended("completed", {**item, "status": "completed", **end}))) == []


def test_code_runs_once_it_is_whole() -> None:
    """The writing of it is no part of its duration."""
    play, told = begun()
    item = {"id": "ci_1", "type": "code_interpreter_call", "status": "in_progress"}
    play.say(told.added(item), told.about("code_interpreter_call.in_progress", "ci_1"))
    play.wait(1000)
    play.say(
        told.delta("1+", "code_interpreter_call_code", "ci_1"), told.delta("1", "code_interpreter_call_code", "ci_1")
    )
    play.say(told.about("code_interpreter_call_code.done", "ci_1", code="1+1"))
    play.say(told.about("code_interpreter_call.interpreting", "ci_1"))
    play.wait(200)
    said = play.say(told.done({**item, "status": "completed", "code": "1+1", "outputs": []}))
    assert summary(said) == [("code_interpreter", None, "completed", 0.2)]
    assert of(play.facts, facts.DeltasDiffered) == []


def test_an_mcp_call_fails() -> None:
    """By its event, or by the error in its item."""
    play, told = begun()
    item = {"id": "mcp_1", "type": "mcp_call", "name": "find", "server_label": "web", "arguments": "{}"}
    play.say(told.added(item), told.about("mcp_call_arguments.done", "mcp_1", arguments="{}"))
    play.wait(300)
    play.say(told.about("mcp_call.failed", "mcp_1"))
    (finished,) = play.say(told.done({**item, "error": {"type": "http_error", "code": 503, "message": "Gone."}}))
    assert isinstance(finished, facts.ToolCallFinished)
    assert (finished.status, finished.duration_seconds, finished.error) == ("failed", 0.3, "503")
    (finished,) = of(play.say(told.done({**item, "id": "mcp_2", "error": "Gone."})), facts.ToolCallFinished)
    assert (finished.status, finished.error) == ("failed", "unknown")


def test_what_a_response_ends_without_is_lost() -> None:
    """A call whose final form nobody saw; one that was cut off."""
    play, told = begun()
    half = call(arguments='{"a', status="incomplete")
    search = {"id": "ws_1", "type": "web_search_call", "status": "searching"}
    play.say(told.added(search), told.added({**half, "arguments": ""}, 1))
    play.say(told.about("web_search_call.searching", "ws_1"), told.about("web_search_call.completed", "ws_1"))
    play.say(told.added({**search, "id": "ws_2"}, 2))
    said = play.say(told.ended("incomplete", half, incomplete_details={"reason": "max_output_tokens"}))
    assert sorted(summary(said), key=str) == [
        ("function", "look_up", "abandoned", None),
        ("web_search", None, "abandoned", None),
        ("web_search", None, "completed", 0.0),
    ]


@pytest.mark.parametrize(
    ("kind", "members", "made_with", "output"),
    [
        ("custom_tool_call", {"name": "sql", "input": "SELECT 1"}, "SELECT 1", "custom_tool_call_output"),
        ("computer_call", {"action": {"type": "click"}}, '{"type": "click"}', "computer_call_output"),
        ("local_shell_call", {"action": {"command": ["ls"]}}, '{"command": ["ls"]}', "local_shell_call_output"),
        ("shell_call", {"action": {"commands": ["ls"]}}, '{"commands": ["ls"]}', "shell_call_output"),
        ("apply_patch_call", {"operation": {"diff": "@@"}}, '{"diff": "@@"}', "apply_patch_call_output"),
        ("tool_search_call", {"arguments": {"q": 1}}, '{"q": 1}', "tool_search_output"),
    ],
)
def test_what_the_client_runs(kind: str, members: Event, made_with: str, output: str) -> None:
    """Each is known by its `call_id`; its output comes in a request."""
    play, told = begun()
    item = {"id": "x_1", "type": kind, "call_id": "call_9", "status": "completed", **members}
    said = play.say(told.added(item), told.done(item), told.ended("completed", item))
    assert [fact.call_id for fact in of(said, facts.ToolCallStarted)] == ["call_9"]
    assert of(said, facts.ChainAnswered) == []
    play.wait(250)
    failed = {"type": output, "call_id": "call_9", "status": "failed", "output": [{"stdout": "x"}]}
    (finished,) = of(play.say(create([failed]), sent=True), facts.ToolCallFinished)
    assert (finished.arguments.text, finished.status, finished.duration_seconds, finished.output.text) == (
        made_with, "failed", 0.25, '[{"stdout": "x"}]',
    )  # fmt: skip


def test_a_shell_that_upstream_runs() -> None:
    """Its commands name no item but their place, and its output is an item of the same response."""
    play, told = begun()
    item = {
        "id": "sh_1",
        "type": "shell_call",
        "call_id": "call_9",
        "status": "in_progress",
        "action": {"commands": []},
    }
    play.say(told.added(item, 3))
    where = {"output_index": 3, "command_index": 0}
    play.say(told.event("shell_call_command.added", **where, command=""))
    (first,) = play.say(told.event("shell_call_command.delta", **where, delta="ls"))
    assert isinstance(first, facts.ResponseOutputStarted)
    assert play.say(told.event("shell_call_command.done", **where, command="ls")) == []
    done = {**item, "status": "completed", "action": {"commands": ["ls"]}}
    play.say(told.done(done, 3))
    play.wait(500)
    play.say(told.about("shell_call_output_content.delta", "sho_1", command_index=0, delta={"stdout": "a"}))
    play.say(told.about("shell_call_output_content.done", "sho_1", command_index=0, output=[{"stdout": "a"}]))
    output = {"id": "sho_1", "type": "shell_call_output", "call_id": "call_9", "output": [{"stdout": "a"}]}
    assert summary(play.say(told.done(output, 4))) == [("shell", None, "completed", 0.5)]
    said = play.say(told.ended("completed", done, output, message()))
    assert [fact.tool_rounds for fact in of(said, facts.ChainAnswered)] == [0]
    assert play.line(LANE)["rejected"] == {}
    unknown = {"output_index": 9, "command_index": 0}
    play.say(Told("resp_2").created())
    for kind in ("delta", "done"):
        (rejected,) = play.say({"type": f"response.shell_call_command.{kind}", **unknown})
        assert isinstance(rejected, facts.EventRejected)


def test_a_patch_by_pieces() -> None:
    """The diff is one text of the operation."""
    play, told = begun()
    operation = {"type": "update_file", "path": "a.py", "diff": ""}
    item = {"id": "ap_1", "type": "apply_patch_call", "call_id": "call_9", "operation": operation}
    play.say(told.added(item))
    for piece in ("@@", "-a"):
        play.say(told.event("apply_patch_call_operation_diff.delta", output_index=0, delta=piece))
    assert play.say(told.event("apply_patch_call_operation_diff.done", output_index=0, diff="@@-a")) == []
    whole_item = {**item, "operation": {**operation, "diff": "@@-a"}}
    assert play.say(told.done(whole_item)) == []
    assert of(play.say(told.ended("completed", whole_item)), facts.DeltasDiffered) == []


def test_deltas_that_led_elsewhere_are_reported_once() -> None:
    """The final form stands."""
    play, told = begun()
    play.say(told.added({**call(), "arguments": ""}), told.delta("{1", "function_call_arguments", "fc_1"))
    differed = facts.DeltasDiffered(item_id="fc_1", members=("arguments",))
    assert play.say(told.about("function_call_arguments.done", "fc_1", arguments="{}")) == [differed]
    assert differed not in play.say(told.done(call()), told.ended("completed", call()))


def test_the_tools_of_a_server_are_listed_once() -> None:
    """By their events, or by the item alone."""
    play, told = begun()
    item = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "web", "tools": []}
    play.say(told.added(item), told.about("mcp_list_tools.in_progress", "mcpl_1"))
    listed = play.say(told.about("mcp_list_tools.completed", "mcpl_1"), told.done(item))
    assert listed == [facts.ToolsListed(item_id="mcpl_1", status="completed")]
    broken = {**item, "id": "mcpl_2", "error": "No."}
    said = play.say(told.done(broken), told.about("mcp_list_tools.failed", "mcpl_2"))
    assert said == [facts.ToolsListed(item_id="mcpl_2", status="failed")]


def test_calls_are_billed_by_kind() -> None:
    """A page that was opened was no search; what failed is not billed."""
    play = Play()
    output: list[Event] = [
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}},
        {"id": "ws_2", "type": "web_search_call", "status": "completed"},
        {"id": "ws_3", "type": "web_search_call", "status": "completed", "action": {"type": "open_page"}},
        {"id": "ws_4", "type": "web_search_call", "status": "completed", "action": 7},
        {"id": "ws_5", "type": "web_search_call", "status": "failed", "action": {"type": "search"}},
        {"id": "fs_1", "type": "file_search_call", "status": "completed"},
        {"id": "mcp_1", "type": "mcp_call", "status": "completed"},
    ]
    billed = of(play.say(*whole("resp_1", *output)), facts.ToolCallsBilled)
    assert {fact.kind: fact.calls for fact in billed} == {"web_search": 3, "file_search": 1}
    preview = [{"type": "web_search_preview"}, {"type": "image_generation", "model": "gpt-image-1"}]
    told = Told("resp_2", tools=preview)
    billed = of(play.say(told.created(), told.ended("completed", *output[:1])), facts.ToolCallsBilled)
    assert {fact.kind: fact.calls for fact in billed} == {"web_search_preview": 1}


def test_a_program_goes_on_over_several_responses() -> None:
    """Upstream runs it, the client its calls. Its output comes where it ends, even if no request was seen."""
    play, told = begun()
    program: Event = {"id": "cm_1", "type": "program", "call_id": "call_p", "code": "await tools.look_up({})"}
    play.say(told.added({**program, "code": ""}), told.done(program), told.done(call(), 1))
    play.say(told.ended("completed", program, call()))
    play.wait(400)
    later = Told("resp_2")
    assert summary(play.say(later.created())) == [("function", "look_up", "completed", None)]
    output = {"id": "cmo_1", "type": "program_output", "call_id": "call_p", "status": "completed", "result": "42"}
    (finished,) = of(play.say(later.done(output)), facts.ToolCallFinished)
    assert (finished.kind, finished.duration_seconds, finished.output.text) == ("program", 0.4, "42")
    said = play.say(later.done(message(), 1), later.ended("completed", output, message()))
    assert [fact.tool_rounds for fact in of(said, facts.ChainAnswered)] == [1]


def test_a_search_of_tools_that_upstream_runs() -> None:
    """It has no call id, nor has its output, and nobody waits for it."""
    play, told = begun()
    item: Event = {"id": "tsc_1", "type": "tool_search_call", "call_id": None, "execution": "server"}
    found = {**item, "id": "tso_1", "type": "tool_search_output", "tools": []}
    play.say(told.added({**item, "arguments": {}}))
    play.wait(200)
    searched = {**item, "status": "completed", "arguments": {"paths": ["weather"]}}
    assert summary(play.say(told.done(searched), told.done(found, 1))) == [("tool_search", None, "completed", 0.2)]
    said = play.say(told.ended("completed", searched, found, message()))
    assert [fact.tool_rounds for fact in of(said, facts.ChainAnswered)] == [0]


@pytest.mark.parametrize(
    ("tools", "answers"),
    [
        ([{"type": "x_search"}], True),
        ([{"type": "custom", "name": "sql"}], False),
        ([{"type": "x_search"}, {"type": "namespace", "name": "mine"}], False),
        ([], False),
    ],
)
def test_custom_calls_that_upstream_runs(tools: list[Event], answers: bool) -> None:
    """Some servers report what their own tools do so: the response declares no custom tool, and is an answer."""
    play, told = begun()
    item = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "xs_1", "name": "search", "input": "x"}
    play.say(told.added(item), told.done(item))
    said = play.say(told.ended("completed", item, message("msg_1"), tools=tools))
    assert summary(said) == ([("custom", "search", "completed", None)] if answers else [])
    assert len(of(said, facts.ChainAnswered)) == answers


def test_a_call_gets_another_id_when_it_is_whole() -> None:
    """It is one call, and its output names the id that it has then."""
    play, told = begun()
    item = {"id": "tsc_1", "type": "tool_search_call", "execution": "client", "arguments": {"goal": "x"}}
    play.say(told.added({**item, "call_id": "call_1", "arguments": {}}))
    whole_item = {**item, "call_id": "call_2", "status": "completed"}
    said = play.say(told.done(whole_item), told.ended("completed", whole_item))
    assert (of(said, facts.ToolCallStarted), summary(said)) == ([], [])
    play.wait(300)
    output = {"type": "tool_search_output", "call_id": "call_2", "status": "completed"}
    assert summary(play.say(create([output]), sent=True)) == [("tool_search", None, "completed", 0.3)]


def test_an_open_call_has_a_bound() -> None:
    """The oldest is abandoned."""
    play, told = begun(open_responses=2)
    for n in range(3):
        play.say(told.added(call(f"fc_{n}", f"call_{n}"), n))
    assert [fact.call_id for fact in of(play.facts, facts.ToolCallFinished)] == ["call_0"]


# Text that is no call -------------------------------------------------------------------------------------------


def test_a_refusal() -> None:
    """Its text is that of the message, and that it is one is reported once."""
    play, told = begun()
    play.say(told.added(message(content=[])), told.delta("I ", "refusal"), told.delta("cannot.", "refusal"))
    play.say(told.about("refusal.done", "msg_1", content_index=0, refusal="I cannot."))
    part = {"type": "refusal", "refusal": "I cannot."}
    play.say(told.about("content_part.done", "msg_1", content_index=0, part=part))
    item = message(content=[part])
    said = play.say(told.done(item), told.ended("completed", item))
    assert of(said, facts.ResponseRefused) == [
        facts.ResponseRefused(response_id="resp_1", item_id="msg_1", model="gpt-5")
    ]
    assert of(play.facts, facts.DeltasDiffered) == []
    assert play.line(LANE)["transcript"][0]["text"] == "I cannot."


def test_reasoning_and_its_summary() -> None:
    """Neither is a token that anybody waits for. Both are held against the final form."""
    play, told = begun()
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "content": []}
    play.say(told.added(item))
    said = play.say(
        told.delta("Let ", "reasoning_text", "rs_1"),
        told.about("reasoning_text.done", "rs_1", content_index=0, text="Let us see"),
        told.about("reasoning_summary_part.added", "rs_1", summary_index=0, part={"type": "summary_text", "text": ""}),
        told.delta("Sums", "reasoning_summary_text", "rs_1", summary_index=0),
        told.about("reasoning_summary_text.done", "rs_1", summary_index=0, text="Sums"),
        told.about(
            "reasoning_summary_part.done", "rs_1", summary_index=0, part={"type": "summary_text", "text": "Sums"}
        ),
        told.about("compaction.compacting", "cmp_1"),
    )
    assert said == [facts.DeltasDiffered(item_id="rs_1", members=("content",))]
    final = {**item, "content": [{"type": "reasoning_text", "text": "Let us see"}], "summary": [{"text": "Sum"}]}
    assert play.say(told.done(final)) == [facts.DeltasDiffered(item_id="rs_1", members=("content",))]
    (finished, _) = play.say(told.ended("completed", final))
    assert isinstance(finished, facts.ResponseFinished)
    assert (finished.output, finished.time_to_first_token_seconds) == ((Content("text", "Let us seeSum"),), None)


def test_speech() -> None:
    """Its first piece and its first word are reported; no event of it names an item."""
    play, told = begun()
    play.wait(100)
    said = play.say(
        told.event("audio.delta", delta=""), told.event("audio.delta", delta="AAAA"),
        told.event("audio.transcript.delta", delta="Hi"), told.event("audio.transcript.done"),
        told.event("audio.delta", delta="AAAA"), told.event("audio.done"),
    )  # fmt: skip
    assert [(fact.output, fact.after_seconds) for fact in of(said, facts.ResponseOutputStarted)] == [
        ("audio", 0.1), ("text", 0.1),
    ]  # fmt: skip


def test_a_place_in_the_output_is_enough() -> None:
    """Some servers leave the id of the item out."""
    play, told = begun()
    play.say(told.added(message(content=[]), 2))
    assert len(play.say(told.event("output_text.delta", delta="Hi", output_index=2))) == 1
    assert play.say(told.event("output_text.done", text="Hi", output_index=2)) == []
    assert of(play.say(told.ended("completed", message(text="Hi"))), facts.DeltasDiffered) == []


def test_a_call_that_returned_no_more_is_lost_with_its_response() -> None:
    """One that upstream runs is not waited for."""
    play, told = begun()
    item = {"id": "mcp_1", "type": "mcp_call", "name": "find", "arguments": ""}
    play.say(told.added(item), told.about("mcp_call_arguments.done", "mcp_1", arguments="{}"))
    said = play.say(told.ended("completed", message()))
    assert summary(said) == [("mcp", "find", "abandoned", None)]
    assert [fact.tool_rounds for fact in of(said, facts.ChainAnswered)] == [0]


def test_an_event_that_says_too_little_is_rejected() -> None:
    """It moves nothing."""
    play, told = begun()
    for each in (
        told.event("output_text.delta", delta="x", output_index=3),
        told.event("output_text.done", text="x"),
        told.event("function_call_arguments.delta", delta="x", output_index=7),
        told.event("output_item.added"),
        told.event("output_item.done", item={"type": "message"}),
        told.event("web_search_call.searching"),
    ):
        (rejected,) = play.say(each)
        assert isinstance(rejected, facts.EventRejected)
        assert rejected.reason in ("missing_id", "missing_object")
    nothing = [
        told.delta(""), told.about("output_text.done", "msg_1"), told.about("content_part.done", "msg_1"),
        told.delta("", "refusal"), told.delta("", "function_call_arguments", "fc_1"),
        told.delta("", "reasoning_text", "rs_1"), told.delta("", "reasoning_summary_text", "rs_1"),
        told.about("reasoning_summary_part.done", "rs_1"), told.about("function_call_arguments.done", "fc_1"),
        told.about("shell_call_command.done", "sh_1"), told.about("output_text.annotation.added", "msg_1"),
    ]  # fmt: skip
    assert play.say(*nothing) == []


def test_items_that_are_numbered_anew_are_other_calls() -> None:
    """The output of the first one still ends it."""
    play = Play()
    lanes = [Told(f"resp_{number}", f"lane_{number}", conversation={"id": "conv_1"}) for number in (1, 2)]
    play.say(*(told.created() for told in lanes))
    for number, told in enumerate(lanes, 1):
        play.say(told.added(call("fc_0", f"call_{number}")), told.done(call("fc_0", f"call_{number}")))
    play.say(create([output_of("call_1"), output_of("call_2")], conversation="conv_1"), sent=True)
    ended = [fact.call_id for fact in play.of(facts.ToolCallFinished) if isinstance(fact, facts.ToolCallFinished)]
    assert ended == ["call_1", "call_2"]
