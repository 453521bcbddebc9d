"""Which thread an assistants event belongs to.

Runs, steps and messages name their thread. A delta names only the step or message that it is a piece of, whose thread
is remembered. What names nothing (`error`, `done`) belongs to the thread that its stream spoke of last.
"""

from typing import Any, Final

from steno.core.assistants.owners import Owners
from steno.core.assistants.state import ThreadConversation
from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.keys import conversation_key
from steno.core.routing import Openings, Router
from steno.core.stream import Stream
from steno.wire import Event, assistants

_DELTAS: Final = (assistants.StepDeltaEvent, assistants.MessageDeltaEvent)
"""Events that name a step or a message alone."""
_OF_THREAD: Final = (assistants.RunEvent, assistants.StepEvent, assistants.MessageEvent)


class AssistantsRouter(Router):
    """Finds threads by their id, and by the steps and messages in them."""

    def __init__(self, openings: Openings) -> None:
        """Know of no step and no message yet."""
        super().__init__(openings)
        self._owners = Owners()

    def find(
        self,
        stream: Stream,
        event: Any,
        frame: Frame,
        name: str | None,
        identity: str | None,  # noqa: ARG002  # a session that is replaced asks for it, not here
    ) -> Conversation | None:
        """Return the thread that `event` is about."""
        if isinstance(event, _DELTAS):
            return self._owner(stream, event)
        thread_id = _thread_id(event)
        if thread_id is None:
            return self._unnamed(stream, name)
        key = conversation_key(stream.source, thread_id)
        state = self._openings.conversations.get(key)
        if state is None:
            state = ThreadConversation(key, stream.source, stream.name, self._openings.limits)
            self._openings.open(state, stream, event, frame)
        if not isinstance(state, ThreadConversation):
            return None  # a conversation of another family has that name
        stream.current[ThreadConversation.family] = state
        self._owners.note(state, event)
        return state

    def _owner(self, stream: Stream, event: Any) -> Conversation | None:
        """Return the thread of the step or message that a delta is a piece of."""
        owner = self._owners.find(stream.source, event.data.id) if event.data and event.data.id else None
        state = self._openings.conversations.get(owner) if owner else None
        return state if isinstance(state, ThreadConversation) else None

    def _unnamed(self, stream: Stream, name: str | None) -> Conversation | None:
        """Return the thread of an event that names none: the envelope's, else the stream's last."""
        if name:
            state = self._openings.conversations.get(conversation_key(stream.source, name))
        else:
            state = stream.current.get(ThreadConversation.family)
        return state if isinstance(state, ThreadConversation) and state.closed_reason is None else None

    def forget(self, state: ThreadConversation, reason: str) -> None:  # noqa: ARG002  # whatever it is
        """Let no step and no message lead to `state`."""
        self._owners.drop(state)


def _thread_id(event: Event) -> str | None:
    """Return the id of the thread that `event` names."""
    if isinstance(event, _OF_THREAD):
        return event.data.thread_id if event.data else None
    return event.data.id if isinstance(event, assistants.ThreadEvent) and event.data else None
