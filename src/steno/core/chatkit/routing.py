"""Which ChatKit session an event belongs to: the one that an envelope names, else the one of its id."""

from typing import Any

from steno.core.chatkit.state import ChatKitConversation
from steno.core.conversation import Conversation
from steno.core.frame import Frame
from steno.core.keys import conversation_key
from steno.core.routing import Router
from steno.core.stream import Stream


class ChatKitRouter(Router):
    """Finds ChatKit sessions by name and by id."""

    def find(
        self,
        stream: Stream,
        event: Any,
        frame: Frame,
        name: str | None,
        identity: str | None,  # noqa: ARG002  # a session that is replaced asks for it, not here
    ) -> Conversation | None:
        """Return the session that `event` is about."""
        if event.session is None or event.session.id is None:
            return None
        key = conversation_key(stream.source, name or event.session.id)
        state = self._openings.conversations.get(key)
        if state is None:
            state = ChatKitConversation(key, stream.source, stream.name, self._openings.limits, named=True)
            self._openings.open(state, stream, event, frame)
        return state if isinstance(state, ChatKitConversation) else None
