"""The state of an assistants conversation: a thread's runs, their steps, and its messages."""

from steno.core import tools
from steno.core.bounded import BoundedObjects, BoundedSet, LatestById
from steno.core.conversation import Conversation
from steno.core.facts import Fact, RunAbandoned, RunStepAbandoned
from steno.core.transcript import Entry, GrowingText, Transcript
from steno.limits import ENDED_IDS, Limits
from steno.timestamps import Micros


class OpenRun:
    """A run that has not ended."""

    __slots__ = ("action_at", "action_seconds", "expires_at", "seen_at", "started_at")

    def __init__(self, seen_at: Micros | None, expires_at: float | None) -> None:
        """Begin a run that was first seen at `seen_at`, and that upstream gives up at the Unix second `expires_at`."""
        self.seen_at = seen_at
        self.expires_at = expires_at
        self.started_at: Micros | None = None
        """When it was first at work."""
        self.action_at: Micros | None = None
        """Since when it waits for the outputs of its tools."""
        self.action_seconds: float | None = None
        """How long it has waited for such, all times added up."""


class OpenStep:
    """A step that has not ended: what its deltas brought, by call."""

    __slots__ = ("call_ids", "kind", "run_id", "seen_at", "texts", "whole")

    def __init__(self, seen_at: Micros | None, run_id: str | None, kind: str) -> None:
        """Begin a step of `kind` that was first seen at `seen_at`."""
        self.seen_at = seen_at
        self.run_id = run_id
        self.kind = kind
        self.whole = b""
        self.call_ids: dict[int, str] = {}
        self.texts: dict[int, GrowingText] = {}


class OpenMessage(Entry):
    """A message of the thread, open or ended."""

    __slots__ = ("role",)

    def __init__(self, role: str | None) -> None:
        """Begin a message that `role` writes."""
        super().__init__()
        self.role = role


class ThreadConversation(Conversation):
    """A thread."""

    family = "assistants"

    def __init__(self, key: str, source: str, stream: str, limits: Limits) -> None:
        """Begin without runs, steps or messages. A thread has a name of its own and outlives its streams."""
        super().__init__(key, source, stream, limits, named=True)
        self.runs = LatestById(limits)
        self.run_steps = BoundedObjects(limits)
        self.message_objects = LatestById(limits)
        self.open_runs: dict[str, OpenRun] = {}
        self.open_steps: dict[str, OpenStep] = {}
        self.ended_ids = BoundedSet(ENDED_IDS)
        self.transcript = Transcript[OpenMessage](limits, self.rejected, newest_last=False)
        self.messages = self.transcript.entries
        self.model: str | None = None
        """The model of the run last seen."""

    def message(self, key: str, role: str | None) -> OpenMessage:
        """Return the message `key`; one that is new stands last."""
        message = self.messages.get(key)
        if message is None:
            message = OpenMessage(role)
            self.transcript.add(key, message)
        message.role = role or message.role
        return message

    def ending(self, seconds: int, now: Micros) -> list[str]:
        """Return `run` for each run that upstream gives up within so many `seconds`."""
        ends = (run.expires_at for run in list(self.open_runs.values()))
        return ["run" for end in ends if end and 0 <= end * 1_000_000 - now <= seconds * 1_000_000]

    def unfinished(self) -> list[bytes]:
        """Return the objects of the steps in progress; a run stands among the runs whatever its status."""
        return [step.whole for step in self.open_steps.values() if step.whole]

    def dropped_objects(self) -> int:
        """Return how many runs, steps and messages could not be kept whole."""
        return self.runs.dropped + self.run_steps.dropped + self.message_objects.dropped

    def erase_words(self) -> None:
        """Let go of the words of all messages, and of the runs, steps and messages as they came."""
        super().erase_words()
        for kept in (self.runs, self.run_steps, self.message_objects):
            kept.drop_all()
        for step in self.open_steps.values():
            step.whole = b""
            step.texts.clear()
        self.transcript.erase()

    def abandon(self) -> list[Fact]:
        """Give up what is in progress: runs go on without us, and may be heard of again."""
        gone: list[Fact] = [RunStepAbandoned(step_id=key, run_id=step.run_id) for key, step in self.open_steps.items()]
        gone += [RunAbandoned(run_id=key) for key in self.open_runs]
        self.open_runs.clear()
        self.open_steps.clear()
        return [*tools.finish_all(self, None, "abandoned", None), *gone]
