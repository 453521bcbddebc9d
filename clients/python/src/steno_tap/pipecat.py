"""Pipecat's OpenAI realtime service.

It has no public hook for raw events in either direction that would see all of them. So its websocket is covered as
soon as it is connected, by names that are not public; a version without them goes on without the tap.
"""

from collections.abc import Iterable
from typing import Any

from steno_tap.sockets import MakeConversation, cover

_CONNECT = "_connect"
_WEBSOCKET = "_websocket"


def attach(service: Any, make: MakeConversation) -> Iterable[str]:
    """Attach to an `OpenAIRealtimeLLMService`."""
    connect = getattr(service, _CONNECT, None)
    if connect is None or not hasattr(service, _WEBSOCKET):
        return ["Pipecat"]

    async def tapped(*args: Any, **options: Any) -> Any:
        result = await connect(*args, **options)
        websocket = getattr(service, _WEBSOCKET, None)
        if websocket is not None:
            cover(websocket, make)
        return result

    setattr(service, _CONNECT, tapped)
    return []
