"""Realtime sessions of `openai-agents`.

Received events come by the public listener: `raw_server_event`. The library has no public hook for what it sends, so
its websocket is covered when it opens it, by a name that is not public; a version without that name goes on without
the sent events.
"""

from collections.abc import Iterable
from typing import Any

from steno_tap.conversation import Conversation
from steno_tap.sockets import MakeConversation, cover

_OPENER = "_create_websocket_connection"


class _Listener:
    """Speaks as a `RealtimeModelListener`, which asks for one method."""

    def __init__(self, conversations: "_Current") -> None:
        self._conversations = conversations

    async def on_event(self, event: Any) -> None:
        kind = getattr(event, "type", None)
        if kind == "raw_server_event":
            self._conversations.current().send(event.data, "received")
        elif kind == "connection_status" and event.status == "disconnected":
            self._conversations.end()


class _Current:
    """The conversation of the connection that a session has now."""

    def __init__(self, make: MakeConversation) -> None:
        self._make = make
        self._conversation: Conversation | None = None

    def current(self) -> Conversation:
        if self._conversation is None:
            self._conversation = self._make()
        return self._conversation

    def end(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.close()

    def renew(self) -> Conversation:
        self.end()
        return self.current()


def attach(session: Any, make: MakeConversation) -> Iterable[str]:
    """Attach to a `RealtimeSession` or to its model."""
    model = getattr(session, "model", session)
    conversations = _Current(make)
    model.add_listener(_Listener(conversations))
    opener = getattr(model, _OPENER, None)
    if opener is None:
        return ["sent events of openai-agents"]

    async def tapped(*args: Any, **options: Any) -> Any:
        websocket = await opener(*args, **options)
        cover(websocket, conversations.renew, received=False)
        return websocket

    setattr(model, _OPENER, tapped)
    return []
