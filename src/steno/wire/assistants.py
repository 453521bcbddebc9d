"""The Assistants stream: runs, their steps, messages, and the 24 events and `done` that carry them.

The API was only ever sent as server-sent events; on a websocket a relay sends each pair as
`{"event": ..., "data": ...}`. Source: the published API and recordings; where they differ, recordings.
"""

from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import field

from steno.wire.admission import read_object
from steno.wire.base import BareObject, Bounded, Id, Index, PairedEvent, UnixSeconds, Vocabulary, Wire, name_of
from steno.wire.realtime_objects import ErrorDetail
from steno.wire.secrets import mask
from steno.wire.usage import CompletionUsage


class RunLastError(Wire, frozen=True):
    """Why a run or a step failed: `server_error`, `rate_limit_exceeded`, `invalid_prompt`, or a server's own."""

    code: str | None = None
    message: str | None = None


class IncompleteDetails(Wire, frozen=True):
    """Why a run or a message is incomplete."""

    reason: str | None = None


class FunctionCall(Wire, frozen=True):
    """A function, its arguments as JSON text, and what it returned once that was submitted."""

    name: str | None = None
    arguments: str | None = None
    output: str | None = None


class CodeInterpreterCall(Wire, frozen=True):
    """Code that was run. Its outputs stay in the bytes."""

    input: str | None = None


class ToolCall(Wire, frozen=True):
    """One call of a tool in a step, or a piece of one in a delta (`index`)."""

    index: Index | None = None
    id: Id | None = None
    type: str | None = None
    function: FunctionCall | None = None
    code_interpreter: CodeInterpreterCall | None = None


class MessageCreation(Wire, frozen=True):
    """Which message a step creates."""

    message_id: Id | None = None


class RunStepDetails(Wire, frozen=True):
    """What a step does: `message_creation` or `tool_calls`."""

    type: str | None = None
    message_creation: MessageCreation | None = None
    tool_calls: Annotated[tuple[ToolCall, ...], Bounded] | None = None


class RunStepObject(Wire, frozen=True):
    """A step of a run. The wire says `expires_at`; `expired_at` and `metadata` are declared, never seen."""

    id: Id | None = None
    object: str | None = None
    created_at: UnixSeconds | None = None
    assistant_id: Id | None = None
    thread_id: Id | None = None
    run_id: Id | None = None
    type: str | None = None
    status: str | None = None
    step_details: RunStepDetails | None = None
    last_error: RunLastError | None = None
    expires_at: UnixSeconds | None = None
    expired_at: UnixSeconds | None = None
    cancelled_at: UnixSeconds | None = None
    failed_at: UnixSeconds | None = None
    completed_at: UnixSeconds | None = None
    metadata: dict[str, str] | None = None
    usage: CompletionUsage | None = None


class RequiredToolCalls(Wire, frozen=True):
    """The calls whose outputs a run waits for."""

    tool_calls: Annotated[tuple[ToolCall, ...], Bounded] | None = None


class RequiredAction(Wire, frozen=True):
    """What a run waits for."""

    type: str | None = None
    submit_tool_outputs: RequiredToolCalls | None = None


class ThreadRun(Wire, frozen=True):
    """A run of an assistant on a thread. Of two ways to say how it ended, `status` is the one to believe.

    `extra` holds the members that are not declared here, where `read_thread_run` made the run; the decoder of frames
    leaves them in the bytes that are kept.
    """

    id: Id | None = None
    object: str | None = None
    created_at: UnixSeconds | None = None
    thread_id: Id | None = None
    assistant_id: Id | None = None
    status: str | None = None
    required_action: RequiredAction | None = None
    last_error: RunLastError | None = None
    expires_at: UnixSeconds | None = None
    started_at: UnixSeconds | None = None
    cancelled_at: UnixSeconds | None = None
    failed_at: UnixSeconds | None = None
    completed_at: UnixSeconds | None = None
    incomplete_details: IncompleteDetails | None = None
    model: str | None = None
    instructions: str | None = None
    tools: tuple[Any, ...] | None = None
    metadata: dict[str, str] | None = None
    usage: CompletionUsage | None = None
    extra: dict[str, Any] | None = field(default=None, name="steno:extra")
    """Under a name that nobody sends."""


def read_thread_run(payload: bytes) -> ThreadRun:
    """Read a whole run, from JSON, with all of its members; secrets in `extra` read as `***`.

    A member of an unexpected type reads as absent. Raises ValueError where `payload` is no run.
    """
    run = read_object(ThreadRun, payload)
    members = msgspec.json.decode(mask(payload), type=dict[str, Any])
    unknown = {name: value for name, value in members.items() if name not in _DECLARED}
    return msgspec.structs.replace(run, extra=unknown)


_DECLARED: Final = frozenset(ThreadRun.__struct_encode_fields__)


class Text(Wire, frozen=True):
    """The text of a part of a message; annotations stay in the bytes."""

    value: str | None = None


class MessageContent(Wire, frozen=True):
    """One part of a message, or a piece of one in a delta (`index`)."""

    index: Index | None = None
    type: str | None = None
    text: Text | None = None
    refusal: str | None = None


class Message(Wire, frozen=True):
    """A message of a thread. REST lists leave `status` out."""

    id: Id | None = None
    object: str | None = None
    created_at: UnixSeconds | None = None
    thread_id: Id | None = None
    run_id: Id | None = None
    assistant_id: Id | None = None
    role: str | None = None
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    content: Annotated[tuple[MessageContent, ...], Bounded] | None = None


class Thread(Wire, frozen=True):
    """A thread."""

    id: Id | None = None
    object: str | None = None
    created_at: UnixSeconds | None = None


class StepDelta(Wire, frozen=True):
    """What a step grew by."""

    step_details: RunStepDetails | None = None


class StepDeltaObject(Wire, frozen=True):
    """A piece of a step; names the step alone, not its thread."""

    id: Id | None = None
    delta: StepDelta | None = None


class MessageDelta(Wire, frozen=True):
    """What a message grew by."""

    role: str | None = None
    content: Annotated[tuple[MessageContent, ...], Bounded] | None = None


class MessageDeltaObject(Wire, frozen=True):
    """A piece of a message; names the message alone, not its thread."""

    id: Id | None = None
    delta: MessageDelta | None = None


class ErrorObject(Wire, frozen=True):
    """What ended a stream early. The published form is flat; on the wire it stands one level deeper."""

    error: ErrorDetail | None = None
    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None


class RunEvent(PairedEvent, frozen=True):
    """A run changed: its whole object."""

    data: ThreadRun | None = None


class StepEvent(PairedEvent, frozen=True):
    """A step changed: its whole object."""

    data: RunStepObject | None = None


class MessageEvent(PairedEvent, frozen=True):
    """A message changed: its whole object."""

    data: Message | None = None


class ThreadEvent(PairedEvent, frozen=True):
    """A thread as such."""

    data: Thread | None = None


class ThreadCreated(ThreadEvent, frozen=True, tag="thread.created"):
    """A thread was made."""

    enabled: bool | None = None


class RunCreated(RunEvent, frozen=True, tag="thread.run.created"):
    """A run was made; its status is queued."""


class RunQueued(RunEvent, frozen=True, tag="thread.run.queued"):
    """A run waits for its turn, at first or after its tool outputs were submitted."""


class RunInProgress(RunEvent, frozen=True, tag="thread.run.in_progress"):
    """A run is at work."""


class RunRequiresAction(RunEvent, frozen=True, tag="thread.run.requires_action"):
    """A run waits for the client to run its tools; the stream ends here and another goes on."""


class RunCompleted(RunEvent, frozen=True, tag="thread.run.completed"):
    """A run ended; seen with a status of `incomplete`."""


class RunIncomplete(RunEvent, frozen=True, tag="thread.run.incomplete"):
    """A run ended at a token limit."""


class RunFailed(RunEvent, frozen=True, tag="thread.run.failed"):
    """A run failed."""


class RunCancelling(RunEvent, frozen=True, tag="thread.run.cancelling"):
    """A run is being cancelled."""


class RunCancelled(RunEvent, frozen=True, tag="thread.run.cancelled"):
    """A run was cancelled."""


class RunExpired(RunEvent, frozen=True, tag="thread.run.expired"):
    """A run was given up, 10 minutes after it was made."""


class StepCreated(StepEvent, frozen=True, tag="thread.run.step.created"):
    """A step was made."""


class StepInProgress(StepEvent, frozen=True, tag="thread.run.step.in_progress"):
    """A step is at work."""


class StepDeltaEvent(PairedEvent, frozen=True, tag="thread.run.step.delta"):
    """A piece of a step."""

    data: StepDeltaObject | None = None


class StepCompleted(StepEvent, frozen=True, tag="thread.run.step.completed"):
    """A step ended; may be the first that this stream says of it."""


class StepFailed(StepEvent, frozen=True, tag="thread.run.step.failed"):
    """A step failed."""


class StepCancelled(StepEvent, frozen=True, tag="thread.run.step.cancelled"):
    """A step was cancelled."""


class StepExpired(StepEvent, frozen=True, tag="thread.run.step.expired"):
    """A step was given up with its run."""


class MessageCreated(MessageEvent, frozen=True, tag="thread.message.created"):
    """A message was made; still empty."""


class MessageInProgress(MessageEvent, frozen=True, tag="thread.message.in_progress"):
    """A message is being written."""


class MessageDeltaEvent(PairedEvent, frozen=True, tag="thread.message.delta"):
    """A piece of a message."""

    data: MessageDeltaObject | None = None


class MessageCompleted(MessageEvent, frozen=True, tag="thread.message.completed"):
    """A message is whole."""


class MessageIncomplete(MessageEvent, frozen=True, tag="thread.message.incomplete"):
    """A message broke off."""


class StreamError(PairedEvent, frozen=True, tag="error"):
    """An error that ended the stream; no `done` follows."""

    data: ErrorObject | None = None


class StreamDone(PairedEvent, frozen=True, tag="done"):
    """The stream is over. Its `data`, `[DONE]`, says no more."""


class BareThread(ThreadEvent, frozen=True, tag="thread"):
    """A thread without an event around it, as REST replies have it."""

    raw_member: ClassVar[str | None] = ""


class BareThreadDeleted(ThreadEvent, frozen=True, tag="thread.deleted"):
    """The reply to the deletion of a thread."""

    raw_member: ClassVar[str | None] = ""


class BareRun(RunEvent, frozen=True, tag="thread.run"):
    """A run without an event around it."""

    raw_member: ClassVar[str | None] = ""


class BareStep(StepEvent, frozen=True, tag="thread.run.step"):
    """A step without an event around it."""

    raw_member: ClassVar[str | None] = ""


class BareMessage(MessageEvent, frozen=True, tag="thread.message"):
    """A message without an event around it."""

    raw_member: ClassVar[str | None] = ""


EVENTS: Final[tuple[type[PairedEvent], ...]] = (
    ThreadCreated, RunCreated, RunQueued, RunInProgress, RunRequiresAction, RunCompleted, RunIncomplete, RunFailed,
    RunCancelling, RunCancelled, RunExpired, StepCreated, StepInProgress, StepDeltaEvent, StepCompleted, StepFailed,
    StepCancelled, StepExpired, MessageCreated, MessageInProgress, MessageDeltaEvent, MessageCompleted,
    MessageIncomplete, StreamError, StreamDone,
)  # fmt: skip
"""The 24 events of the Assistants stream, and `done`."""

BARE_OBJECTS: Final = (BareThread, BareThreadDeleted, BareRun, BareStep, BareMessage)
"""Objects that may stand alone in a frame."""

VOCABULARY: Final = Vocabulary(
    paired=EVENTS,
    objects={name_of(kind): BareObject(kind, "data") for kind in BARE_OBJECTS},
)
