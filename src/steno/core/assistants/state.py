"""The state of an assistants conversation: a thread's runs, their steps, and its messages."""

from steno.core import tools
from steno.core.billing import costs
from steno.core.billing.costs import Terms
from steno.core.bounded import BoundedObjects, BoundedSet, LatestById
from steno.core.conversation import Conversation, Exported
from steno.core.facts import Fact, RunAbandoned, RunStepAbandoned
from steno.core.memory import Held, InProgress
from steno.core.transcript import Entry, GrowingText, Transcript
from steno.limits import ENDED_IDS, Limits
from steno.timestamps import SECOND, Micros
from steno.wire.assistants import ThreadCreated


class OpenRun(Held):
    """A run that has not ended."""

    __slots__ = ("action_at", "action_seconds", "expires_at", "seen_at", "started_at", "terms")

    def __init__(self, seen_at: Micros | None, expires_at: float | None, terms: Terms) -> None:
        """Begin a run that was first seen at `seen_at`, and that upstream gives up at the Unix second `expires_at`.

        It is billed by `terms`, but where it names another model when it ends.
        """
        super().__init__()
        self.terms = terms
        self.seen_at = seen_at
        self.expires_at = expires_at
        self.started_at: Micros | None = None
        """When it was first `in_progress`."""
        self.action_at: Micros | None = None
        """Since when it waits for the outputs of its tool calls; None while it does not."""
        self.action_seconds: float | None = None
        """How long it has waited for outputs, all waits added up."""


class OpenStep(Held):
    """A step that has not ended."""

    __slots__ = ("call_ids", "kind", "raw", "run_id", "seen_at", "text_bytes", "texts")

    def __init__(self, seen_at: Micros | None, run_id: str | None, kind: str) -> None:
        """Begin a step of `kind` that was first seen at `seen_at`."""
        super().__init__()
        self.seen_at = seen_at
        self.run_id = run_id
        self.kind = kind
        self.raw = b""
        """Its object as it came last."""
        self.call_ids: dict[int, str] = {}
        """Index of a call to its id: only the first delta of a call names it."""
        self.texts: dict[int, GrowingText] = {}
        """Index of a call to its arguments, or its code, so far."""
        self.text_bytes = 0
        """About how many bytes `texts` and `call_ids` take."""

    def weight(self) -> int:
        """Return how many bytes its object and its texts take."""
        return len(self.raw) + self.text_bytes


class ThreadMessage(Entry):
    """A message of the thread, open or ended."""

    __slots__ = ("role",)

    def __init__(self, role: str | None) -> None:
        """Begin a message that `role` writes."""
        super().__init__()
        self.role = role


class ThreadConversation(Conversation):
    """A thread."""

    __slots__ = (
        "ended_ids",
        "message_objects",
        "messages",
        "model",
        "open_runs",
        "open_steps",
        "run_steps",
        "runs",
        "transcript",
    )

    family = "assistants"
    begun_by = (ThreadCreated,)

    def __init__(self, key: str, source: str, stream: str, limits: Limits) -> None:
        """Begin without runs, steps or messages. A thread is named by its id, and outlives its streams."""
        super().__init__(key, source, stream, limits, named=True)
        self.runs = LatestById(limits, self.memory)
        """The raw objects of runs, open or ended."""
        self.run_steps = BoundedObjects(limits, self.memory)
        """The raw objects of steps that ended."""
        self.message_objects = LatestById(limits, self.memory)
        """The raw objects of messages, open or ended."""
        self.open_runs: InProgress[str, OpenRun] = InProgress(self.memory)
        self.open_steps: InProgress[str, OpenStep] = InProgress(self.memory)
        self.ended_ids = BoundedSet(ENDED_IDS, self.memory)
        """Ids of the newest runs, steps and messages that ended."""
        self.transcript: Transcript[ThreadMessage] = Transcript(limits, self.rejected, self.memory, newest_last=False)
        self.messages = self.transcript.entries
        self.model: str | None = None
        """The model of the run that was reported last."""

    def message(self, key: str, role: str | None) -> ThreadMessage:
        """Return the message `key`; a new one is added as the last."""
        message = self.messages.get(key)
        if message is None:
            message = ThreadMessage(role)
            self.transcript.add(key, message)
        message.role = role or message.role
        return message

    def ending(self, seconds: int, now: Micros) -> list[str]:
        """Return `run` for each run that upstream gives up at most `seconds` from `now`."""
        ends = (run.expires_at for run in list(self.open_runs.values()))
        return ["run" for end in ends if end and 0 <= end * SECOND - now <= seconds * SECOND]

    def exported(self) -> Exported:
        """Return its runs, steps and messages, and what was written."""
        return Exported(
            runs=list(self.runs.objects.values()),
            run_steps=self.run_steps.objects,
            messages=list(self.message_objects.objects.values()),
            transcript=[
                {"item_id": key, "role": message.role, "text": message.text(), "heard": None}
                for key, message in self.messages.items()
            ],
        )

    def unfinished(self) -> list[bytes]:
        """Return the raw objects of the steps in progress. Runs in progress stand among the runs."""
        return [step.raw for step in self.open_steps.values() if step.raw]

    def unbilled(self) -> int:
        """Return how many runs are still to be billed."""
        return len(self.open_runs)

    def dropped_objects(self) -> int:
        """Return how many raw runs, steps and messages could not be kept."""
        return self.runs.dropped + self.run_steps.dropped + self.message_objects.dropped

    def erase_content(self) -> None:
        """Drop the text of all messages, what deltas brought to steps, and all raw objects."""
        super().erase_content()
        for kept in (self.runs, self.run_steps, self.message_objects):
            kept.drop_all()
        for key, step in self.open_steps.items():
            step.raw = b""
            step.texts.clear()
            step.text_bytes = 0
            self.open_steps.weigh(key)
        self.transcript.erase()

    def abandoned(self, key: str, run: OpenRun) -> Fact:
        """Return that a run is given up. What it used is unknown."""
        return RunAbandoned(run_id=key, model=run.terms.model, cost=costs.of_no_usage(self, key))

    def abandon(self) -> list[Fact]:
        """Give up what is in progress. Runs go on upstream, and may be reported again."""
        gone: list[Fact] = [RunStepAbandoned(step_id=key, run_id=step.run_id) for key, step in self.open_steps.items()]
        gone += [self.abandoned(key, run) for key, run in self.open_runs.items()]
        self.open_runs.clear()
        self.open_steps.clear()
        return [*tools.finish_all(self, None, "abandoned", None), *gone]
