"""Realtime sessions of LiveKit's OpenAI plugin, by its public events in both directions.

`openai_server_event_received` and `openai_client_event_queued` carry each event as an object. A client event is
reported a moment before it is sent.
"""

import functools
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Final

from steno_tap.conversation import Conversation
from steno_tap.lines import Direction
from steno_tap.sockets import MakeConversation

_EVENTS: Final[tuple[tuple[str, Direction], ...]] = (
    ("openai_server_event_received", "received"),
    ("openai_client_event_queued", "sent"),
)


def attach(session: Any, make: MakeConversation) -> Iterable[str]:
    """Attach to a `RealtimeSession`. Its connections, should it reconnect, are one conversation."""
    conversation = make()
    for name, direction in _EVENTS:
        session.on(name, _copier(conversation, direction))
    close = session.aclose

    @functools.wraps(close)
    async def tapped_close(*args: Any, **options: Any) -> Any:
        try:
            return await close(*args, **options)
        finally:
            conversation.close()

    session.aclose = tapped_close
    weakref.finalize(session, conversation.close).atexit = False
    return ()


def _copier(conversation: Conversation, direction: Direction) -> Callable[[Any], None]:
    def copy(event: Any) -> None:
        conversation.send(event, direction)

    return copy
