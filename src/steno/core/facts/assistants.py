"""What can have happened to threads, runs, their steps and messages."""

from typing import ClassVar

from steno.core.facts.base import Content, Cost, Fact, Tokens

# Assistants -----------------------------------------------------------------------------------------------


class ThreadCreated(Fact, frozen=True):
    """A thread was created."""

    tag: ClassVar = "thread.created"
    thread_id: str


class ThreadDeleted(Fact, frozen=True):
    """A thread was deleted."""

    tag: ClassVar = "thread.deleted"
    thread_id: str


class RunStarted(Fact, frozen=True):
    """A run was first seen."""

    tag: ClassVar = "run.started"
    run_id: str
    assistant_id: str | None
    model: str | None
    instructions: Content | None = None
    """The instructions of the model."""
    metadata: Content | None = None
    """The metadata that the client attached, as JSON."""


class RunActionRequired(Fact, frozen=True):
    """A run waits for the outputs of its tool calls."""

    tag: ClassVar = "run.action_required"
    run_id: str
    calls: int


class RunFinished(Fact, frozen=True):
    """A run ended: completed, cancelled, failed, incomplete, expired. Each ended run leads to exactly one."""

    tag: ClassVar = "run.finished"
    run_id: str
    status: str
    reason: str | None
    """The code of a failure, or why the run is incomplete."""
    model: str | None
    duration_seconds: float | None
    tokens: tuple[Tokens, ...]
    cost: Cost | None = None
    queue_seconds: float | None = None
    """From the first event of the run to its first `in_progress`."""
    action_seconds: float | None = None
    """How long the run waited for the outputs of its tool calls, all waits added up."""


class RunAbandoned(Fact, frozen=True):
    """A run had not ended when its thread was closed, or when too many were open. Upstream may end it yet.

    Its usage is unknown.
    """

    tag: ClassVar = "run.abandoned"
    run_id: str
    model: str | None = None
    cost: Cost | None = None


class RunStepAbandoned(Fact, frozen=True):
    """A step had not ended when its thread was closed, or when too many were open."""

    tag: ClassVar = "run_step.abandoned"
    step_id: str
    run_id: str | None


class RunStepStarted(Fact, frozen=True):
    """A step was first seen."""

    tag: ClassVar = "run_step.started"
    step_id: str
    run_id: str | None
    kind: str


class RunStepFinished(Fact, frozen=True):
    """A step ended: completed, cancelled, failed, expired. Each ended step leads to exactly one.

    A step that its run left open ends with the run, and has no duration: upstream did not report when it ended.
    """

    tag: ClassVar = "run_step.finished"
    step_id: str
    run_id: str | None
    kind: str
    status: str
    reason: str | None
    duration_seconds: float | None
    prompt_tokens: int | None
    completion_tokens: int | None


class MessageFinished(Fact, frozen=True):
    """A message ended: completed, incomplete."""

    tag: ClassVar = "message.finished"
    message_id: str
    run_id: str | None
    role: str | None
    status: str
    text: Content
