"""The thread of each open step and message. Their deltas name neither thread nor run."""

from collections import OrderedDict

from steno.core.assistants.state import ThreadConversation
from steno.core.vocabulary import RUN_ENDS, STEP_ENDS
from steno.limits import OWNERS
from steno.wire import Event, assistants


class Owners:
    """The key of the thread of each open step and message, by source and id.

    The thread itself is not held: a closed one must neither be found nor be kept alive.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._threads: OrderedDict[tuple[str, str], str] = OrderedDict()

    def find(self, source: str, key: str) -> str | None:
        """Return the key of the thread of the step or message `key` of `source`."""
        return self._threads.get((source, key))

    def note(self, thread: ThreadConversation, event: Event) -> None:
        """Remember the step or message that `event` is about while it is open. The steps of a run end with it."""
        if isinstance(event, assistants.RunEvent):
            self._end(thread, event)
            return
        if not isinstance(event, (assistants.StepEvent, assistants.MessageEvent)):
            return
        if event.data is None or event.data.id is None:
            return
        key = (thread.source, event.data.id)
        if event.data.status in STEP_ENDS or event.data.status == "incomplete":
            self._threads.pop(key, None)
            return
        self._threads[key] = thread.key
        if len(self._threads) > OWNERS:
            self._threads.popitem(last=False)

    def _end(self, thread: ThreadConversation, event: assistants.RunEvent) -> None:
        """Forget the open steps of a run that ended."""
        if event.data is None or event.data.status not in RUN_ENDS:
            return
        for key, step in thread.open_steps.items():
            if step.run_id == event.data.id:
                self._threads.pop((thread.source, key), None)

    def drop(self, thread: ThreadConversation) -> None:
        """Forget the open steps and the messages of `thread`."""
        for key in (*thread.open_steps, *thread.messages):
            if self._threads.get((thread.source, key)) == thread.key:
                del self._threads[thread.source, key]
