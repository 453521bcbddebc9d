"""Assistants conversations: which event does what to the runs, steps and messages of a thread.

All events of a run, a step or a message carry its whole object, and are treated alike: the status of the object decides
what happened, before the name of the event. `HANDLERS` at the end is the table.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steno.core import facts, tools
from steno.core.assistants.children import call_status, end_with_run, note_arguments
from steno.core.assistants.state import OpenRun, OpenStep, ThreadConversation, ThreadMessage
from steno.core.billing import costs
from steno.core.billing.costs import Terms
from steno.core.conversation import NOTHING, counted
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.memory import ID_BYTES, PIECE_BYTES, text_bytes
from steno.core.transcript import PARTS, part_of
from steno.core.vocabulary import RUN_ENDS, STEP_ENDS, STEP_KINDS, closed, code, short
from steno.wire import Event, PairedEvent, assistants, name_of, raw_object
from steno.wire.realtime_objects import ErrorDetail

Handler = Callable[[ThreadConversation, Any, Frame], Sequence[Fact]]

RUN_BEGINS: Final = frozenset({"created", "queued"})
"""The first statuses of a run. One that is first seen in another has no duration: it may have waited long before."""
MESSAGE_ENDS: Final = frozenset({"completed", "incomplete"})
BARE_MESSAGE: Final = "message"
"""What `_status` returns for a message of a REST list, which has no status and whose event is `thread.message`."""


def thread_created(state: ThreadConversation, event: assistants.ThreadEvent, _frame: Frame) -> Sequence[Fact]:
    """Report that a thread was created."""
    thread = event.data
    if thread is None or thread.id is None:
        return state.reject(event, "missing_object")
    return (facts.ThreadCreated(thread_id=thread.id),)


def thread_deleted(state: ThreadConversation, event: assistants.BareThreadDeleted, _frame: Frame) -> Sequence[Fact]:
    """Report that a thread was deleted, and give up what it left open: upstream ends nothing of it any more."""
    thread = event.data
    if thread is None or thread.id is None:
        return state.reject(event, "missing_object")
    return (*state.abandon(), facts.ThreadDeleted(thread_id=thread.id))


def _status(event: PairedEvent, status: str | None) -> str:
    """Return the `status` of an object; where it has none, the one in the name of the event."""
    return name_of(type(event)).rpartition(".")[2] if status is None else status


# Runs -----------------------------------------------------------------------------------------------------


def run_reported(state: ThreadConversation, event: assistants.RunEvent, frame: Frame) -> Sequence[Fact]:
    """Take a run object: the run begins, goes on, waits for outputs, or ends."""
    run = event.data
    if run is None or run.id is None:
        return state.reject(event, "missing_object")
    status = _status(event, run.status)
    if run.id in state.ended_ids:
        return state.reject(event, "repeated" if status in RUN_ENDS else "ended")
    state.model = short(run.model) or state.model
    state.runs.put(run.id, raw_object(event, frame.payload))
    begun = _begin_run(state, run, status, frame)
    _note_times(state, run.id, status, frame)
    if status in RUN_ENDS:
        return (*begun, *_end_run(state, run, status, frame))
    if status == "requires_action":
        return (*begun, *_require_action(state, run, frame))
    return begun


def _note_times(state: ThreadConversation, run_id: str, status: str, frame: Frame) -> None:
    """Note when a run was first in progress, and how long it waited for the outputs of its tool calls."""
    opened = state.open_runs.get(run_id)
    if opened is None:
        return
    if status == "in_progress" and opened.started_at is None:
        opened.started_at = frame.at
    if status == "requires_action":
        opened.action_at = frame.at
    elif opened.action_at is not None:
        waited = state.elapsed(opened.action_at, frame.at)
        opened.action_at = None
        if waited is not None:
            opened.action_seconds = round((opened.action_seconds or 0) + waited, 6)


def _begin_run(state: ThreadConversation, run: assistants.ThreadRun, status: str, frame: Frame) -> Sequence[Fact]:
    """Open a run that is new. Past the limit the oldest open run is given up."""
    if run.id is None or run.id in state.open_runs:
        return NOTHING
    terms = Terms(short(run.model), state.prices)
    state.open_runs[run.id] = OpenRun(frame.at if status in RUN_BEGINS else None, run.expires_at, terms)
    started = facts.RunStarted(
        run_id=run.id,
        assistant_id=run.assistant_id,
        model=short(run.model),
        instructions=facts.content("instructions", run.instructions),
        metadata=facts.metadata_content(run.metadata),
    )
    if len(state.open_runs) <= state.limits.open_responses:
        return (started,)
    oldest = next(iter(state.open_runs))
    return (started, state.abandoned(oldest, state.open_runs.pop(oldest)))


def _require_action(state: ThreadConversation, run: assistants.ThreadRun, frame: Frame) -> Sequence[Fact]:
    """Begin the tool calls whose outputs a run waits for. Their durations run from here."""
    action = run.required_action.submit_tool_outputs if run.required_action else None
    calls = (action and action.tool_calls) or ()
    started = [fact for call in calls for fact in _begin_call(state, call, run.id)]
    for call in calls:
        tools.called(state, call.id, frame.at, call.function.arguments if call.function else None)
    return (*started, facts.RunActionRequired(run_id=run.id or "", calls=len(calls)))


def _end_run(state: ThreadConversation, run: assistants.ThreadRun, status: str, frame: Frame) -> Sequence[Fact]:
    run_id = run.id or ""
    opened = state.open_runs.pop(run_id, None)
    state.ended_ids.add(run_id)
    begun = opened.terms if opened else Terms(None, state.prices)
    children = end_with_run(state, run_id, status)
    bill = costs.bill(state, run.usage, Terms(short(run.model) or begun.model, begun.prices), run_id)
    state.totals.runs = counted(state.totals.runs, status)
    return (
        *children,
        facts.RunFinished(
            run_id=run_id,
            status=status,
            reason=_run_reason(run, status),
            model=short(run.model) or begun.model,
            duration_seconds=state.elapsed(opened.seen_at if opened else None, frame.at),
            queue_seconds=state.elapsed(opened.seen_at, opened.started_at) if opened else None,
            action_seconds=opened.action_seconds if opened else None,
            tokens=bill.tokens,
            cost=bill.cost,
        ),
    )


def _run_reason(run: assistants.ThreadRun, status: str) -> str | None:
    if status == "failed":
        return short(run.last_error.code if run.last_error else None) or "unknown"
    if status == "incomplete":
        return short(run.incomplete_details.reason if run.incomplete_details else None) or "unknown"
    return None


# Steps ----------------------------------------------------------------------------------------------------


def step_reported(state: ThreadConversation, event: assistants.StepEvent, frame: Frame) -> Sequence[Fact]:
    """Take a step object: the step begins, goes on, or ends. It may have begun in an earlier stream."""
    step = event.data
    if step is None or step.id is None:
        return state.reject(event, "missing_object")
    status = _status(event, step.status)
    if step.id in state.ended_ids:
        return state.reject(event, "repeated" if status in STEP_ENDS else "ended")
    if status not in STEP_ENDS and step.run_id is not None and step.run_id in state.ended_ids:
        return state.reject(event, "ended")  # nothing would end it
    begun = _begin_step(state, step, event, frame)
    raw = raw_object(event, frame.payload)
    if status in STEP_ENDS:
        state.run_steps.add(raw)
        return (*begun, *_end_step(state, step, status, frame))
    state.open_steps[step.id].raw = state.within_limit(raw)
    state.open_steps.weigh(step.id)
    return begun


def _begin_step(
    state: ThreadConversation, step: assistants.RunStepObject, event: assistants.StepEvent, frame: Frame
) -> Sequence[Fact]:
    """Open a step that is new. Past the limit the oldest open step is given up."""
    if step.id is None or step.id in state.open_steps:
        return NOTHING
    kind = closed(step.type, STEP_KINDS)
    seen_at = frame.at if isinstance(event, assistants.StepCreated) else None
    state.open_steps[step.id] = OpenStep(seen_at, step.run_id, kind)
    started = facts.RunStepStarted(step_id=step.id, run_id=step.run_id, kind=kind)
    if len(state.open_steps) <= state.limits.open_responses:
        return (started,)
    oldest = next(iter(state.open_steps))
    gone = state.open_steps.pop(oldest)
    return (started, facts.RunStepAbandoned(step_id=oldest, run_id=gone.run_id))


def step_delta(state: ThreadConversation, event: assistants.StepDeltaEvent, _frame: Frame) -> Sequence[Fact]:
    """Add the pieces of the tool calls that a step makes."""
    step = event.data
    opened = state.open_steps.get(step.id) if step and step.id else None
    if step is None or opened is None:
        return state.reject(event, "unknown_step")
    details = step.delta.step_details if step.delta else None
    begun: list[Fact] = []
    for call in (details and details.tool_calls) or ():
        begun += _begin_call(state, call, step.id)
        if call.id is not None and (call.index or 0) < PARTS:
            if (call.index or 0) not in opened.call_ids:
                opened.text_bytes += ID_BYTES + text_bytes(call.id)
            opened.call_ids[call.index or 0] = call.id
        _grow_call(opened, call, state.limits.object_bytes)
    state.open_steps.weigh(step.id or "")
    return begun


def _begin_call(state: ThreadConversation, call: assistants.ToolCall, owner: str | None) -> Sequence[Fact]:
    name = call.function.name if call.function else None
    return tools.start(state, call.id, call.type, name, owner)


def _grow_call(opened: OpenStep, call: assistants.ToolCall, most: int) -> None:
    """Add a piece of the arguments, or of the code, of a call. Pieces past `most` characters are not kept."""
    piece = _arguments_of(call)
    text = part_of(opened.texts, call.index or 0) if piece else None
    if piece and text is not None and text.length + len(piece) <= most:
        text.append(piece)
        opened.text_bytes += PIECE_BYTES + text_bytes(piece)


def _end_step(state: ThreadConversation, step: assistants.RunStepObject, status: str, frame: Frame) -> Sequence[Fact]:
    opened = state.open_steps.pop(step.id or "")
    state.ended_ids.add(step.id or "")
    state.totals.run_steps = counted(state.totals.run_steps, status)
    return (
        *_calls_differed(step, opened, state.limits.object_bytes),
        *_end_calls(state, step, status, opened, frame),
        facts.RunStepFinished(
            step_id=step.id or "",
            run_id=step.run_id,
            kind=opened.kind,
            status=status,
            reason=(short(step.last_error.code) or "unknown") if step.last_error else None,
            duration_seconds=state.elapsed(opened.seen_at, frame.at),
            prompt_tokens=step.usage.input_tokens if step.usage else None,
            completion_tokens=step.usage.output_tokens if step.usage else None,
        ),
    )


def _calls_differed(step: assistants.RunStepObject, opened: OpenStep, most: int) -> Sequence[Fact]:
    """Report it if the deltas led to other arguments, or to other code, than the step ended with.

    What is longer than `most` characters was not kept, and is not compared.
    """
    calls = (step.step_details and step.step_details.tool_calls) or ()
    for index, call in enumerate(calls):
        final, text = _arguments_of(call), opened.texts.get(index)
        if final is not None and len(final) <= most and text is not None and text.read() != final:
            return (facts.DeltasDiffered(item_id=step.id, members=("arguments",)),)
    return NOTHING


def _end_calls(
    state: ThreadConversation, step: assistants.RunStepObject, status: str, opened: OpenStep, frame: Frame
) -> list[Fact]:
    """End the calls that an ended step made, including those that only its last object names."""
    note_arguments(state, opened)
    status = call_status(status)
    ended: list[Fact] = []
    for call in (step.step_details and step.step_details.tool_calls) or ():
        ended += _begin_call(state, call, step.id)
        tools.called(state, call.id, None, _arguments_of(call))
        ended += tools.finish(state, call.id, status, frame.at, call.function.output if call.function else None)
    return ended + tools.finish_all(state, step.id or "", status, frame.at)


def _arguments_of(call: assistants.ToolCall) -> str | None:
    if call.function:
        return call.function.arguments
    return call.code_interpreter.input if call.code_interpreter else None


# Messages -------------------------------------------------------------------------------------------------


def message_reported(state: ThreadConversation, event: assistants.MessageEvent, frame: Frame) -> Sequence[Fact]:
    """Take a message object. Its content stands, whatever the deltas brought."""
    message = event.data
    if message is None or message.id is None:
        return state.reject(event, "missing_object")
    status = _status(event, message.status)
    if message.id in state.ended_ids and status != BARE_MESSAGE:
        return state.reject(event, "repeated" if status in MESSAGE_ENDS else "ended")
    state.message_objects.put(message.id, raw_object(event, frame.payload))
    known = state.message(message.id, short(message.role))
    differed = _settle(state, known, message)
    if status not in MESSAGE_ENDS:
        return differed
    state.ended_ids.add(message.id)
    finished = facts.MessageFinished(
        message_id=message.id,
        run_id=message.run_id,
        role=known.role,
        status=status,
        text=Content("text", known.text()),
    )
    return (*differed, finished)


def _settle(state: ThreadConversation, known: ThreadMessage, message: assistants.Message) -> Sequence[Fact]:
    """Replace what the deltas built by the final text, and report it if they had led elsewhere."""
    content = message.content
    if not content:
        return NOTHING
    further = [index for index in known.parts if index >= len(content)]
    parts = [(index, text) for index, part in enumerate(content) if (text := _text_of(part)) is not None]
    differs = state.transcript.settle(known, parts, further)
    if known.grew and further:  # even where such a part is empty, unlike in a realtime item
        differs = True
    return (facts.DeltasDiffered(item_id=message.id, members=("content",)),) if differs else NOTHING


def _text_of(part: assistants.MessageContent) -> str | None:
    return part.text.value if part.text else part.refusal


def message_delta(state: ThreadConversation, event: assistants.MessageDeltaEvent, _frame: Frame) -> Sequence[Fact]:
    """Add the pieces of a message."""
    message = event.data
    known = state.messages.get(message.id) if message and message.id else None
    if message is None or message.id is None or known is None:
        return state.reject(event, "unknown_message")
    if message.id in state.ended_ids:
        return state.reject(event, "ended")
    for part in (message.delta and message.delta.content) or ():
        if piece := _text_of(part):
            state.transcript.grow(known, part.index, piece)
    return NOTHING


# The stream -----------------------------------------------------------------------------------------------


def error(_state: ThreadConversation, event: assistants.StreamError, _frame: Frame) -> Sequence[Fact]:
    """Report the error that the stream broke off with. On the wire it is nested a level deeper than published."""
    data = event.data
    flat = ErrorDetail(type=data.type, code=data.code, message=data.message) if data else None
    detail = (data.error if data else None) or flat
    message = detail.message if detail else None
    return (
        facts.UpstreamErred(
            code=code(detail),
            kind=short(detail.type) if detail else None,
            message=None if message is None else Content("message", message),
        ),
    )


def done(_state: ThreadConversation, _event: assistants.StreamDone, _frame: Frame) -> Sequence[Fact]:
    """Do nothing: the stream is over, and the thread is not."""
    return NOTHING


_KINDS: Final[tuple[type[PairedEvent], ...]] = (*assistants.EVENTS, *assistants.BARE_OBJECTS)


def _of(base: type[PairedEvent], handler: Handler) -> dict[type[Event], Handler]:
    return {kind: handler for kind in _KINDS if issubclass(kind, base)}


HANDLERS: Final[Mapping[type[Event], Handler]] = {
    **_of(assistants.ThreadEvent, thread_created),
    assistants.BareThreadDeleted: thread_deleted,
    **_of(assistants.RunEvent, run_reported),
    **_of(assistants.StepEvent, step_reported),
    **_of(assistants.MessageEvent, message_reported),
    assistants.StepDeltaEvent: step_delta,
    assistants.MessageDeltaEvent: message_delta,
    assistants.StreamError: error,
    assistants.StreamDone: done,
}
"""Event to its handler."""
