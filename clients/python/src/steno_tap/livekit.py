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

_NORMAL: Final = 1000
"""What a session that its application has closed is closed with. The plugin does not say it."""


def attach(session: Any, make: MakeConversation) -> Iterable[str]:
    """Attach to a `RealtimeSession`. Its connections, should it reconnect, are one conversation."""
    conversation = make()
    for name, direction in _EVENTS:
        session.on(name, _copier(conversation, direction))
    close = session.aclose

    @functools.wraps(close)
    async def tapped_close(*args: Any, **options: Any) -> Any:
        try:
            result = await close(*args, **options)
        except BaseException:
            conversation.close()
            raise
        conversation.close(_NORMAL)
        return result

    session.aclose = tapped_close
    weakref.finalize(session, conversation.close).atexit = False
    return ()


def _copier(conversation: Conversation, direction: Direction) -> Callable[[Any], None]:
    def copy(event: Any) -> None:
        conversation.send(event, direction)

    return copy
