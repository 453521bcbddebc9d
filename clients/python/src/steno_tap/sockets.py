"""Realtime connections of the `openai` SDK, and those of `websockets` under them.

The methods `recv`, `send` and `close` of the one websocket object are covered by functions that call them and copy what
went through: a frame is forwarded first, then copied. The SDK's connection is the same object as before, so all that it
does it still does. Where the SDK reconnects by itself, its new websocket is covered as well.
"""

import functools
import inspect
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Final

from steno_tap.conversation import Conversation

MakeConversation = Callable[[], Conversation]
Attach = Callable[[Any, MakeConversation], Iterable[str]]
"""Attaches to a session of a library. Returns what this version of it has no place for."""

_MARK: Final = "_steno_tap"


def tap(connection: object, make: MakeConversation) -> bool:
    """Copy what `connection` sends and receives from now on. Return False where it has nothing that can be covered."""
    websocket = getattr(connection, "_connection", connection)
    if not cover(websocket, make):
        return False
    again = getattr(connection, "_make_ws", None)
    if callable(again):
        connection._make_ws = _covering(again, make)  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return True


def covers(websocket: object) -> bool:
    """Return whether `websocket` is tapped already."""
    return hasattr(websocket, _MARK)


def cover(websocket: Any, make: MakeConversation, *, received: bool = True) -> bool:
    """Copy what goes through `websocket`. Return False where it is none."""
    if not all(callable(getattr(websocket, name, None)) for name in ("recv", "send", "close")):
        return False
    if covers(websocket):
        return True
    conversation = make()
    setattr(websocket, _MARK, conversation)
    wrap = _cover_async if inspect.iscoroutinefunction(websocket.recv) else _cover_sync
    wrap(websocket, conversation, received)
    weakref.finalize(websocket, conversation.close).atexit = False
    return True


def _covering(make_websocket: Callable[..., Any], make: MakeConversation) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(make_websocket):

        @functools.wraps(make_websocket)
        async def async_again(*args: Any, **options: Any) -> Any:
            websocket = await make_websocket(*args, **options)
            cover(websocket, make)
            return websocket

        return async_again

    @functools.wraps(make_websocket)
    def again(*args: Any, **options: Any) -> Any:
        websocket = make_websocket(*args, **options)
        cover(websocket, make)
        return websocket

    return again


def _cover_async(websocket: Any, conversation: Conversation, received: bool) -> None:
    recv, send, close = websocket.recv, websocket.send, websocket.close

    @functools.wraps(recv)
    async def tapped_recv(*args: Any, **options: Any) -> Any:
        try:
            message = await recv(*args, **options)
        except Exception as error:
            _failed(conversation, error)
            raise
        conversation.send(message, "received")
        return message

    @functools.wraps(send)
    async def tapped_send(message: Any, *args: Any, **options: Any) -> Any:
        try:
            result = await send(message, *args, **options)
        except Exception as error:
            _failed(conversation, error)
            raise
        _copy_sent(conversation, message)
        return result

    @functools.wraps(close)
    async def tapped_close(*args: Any, **options: Any) -> Any:
        try:
            return await close(*args, **options)
        finally:
            _closed(conversation, websocket)

    _install(websocket, tapped_recv if received else recv, tapped_send, tapped_close)


def _cover_sync(websocket: Any, conversation: Conversation, received: bool) -> None:
    recv, send, close = websocket.recv, websocket.send, websocket.close

    @functools.wraps(recv)
    def tapped_recv(*args: Any, **options: Any) -> Any:
        try:
            message = recv(*args, **options)
        except Exception as error:
            _failed(conversation, error)
            raise
        conversation.send(message, "received")
        return message

    @functools.wraps(send)
    def tapped_send(message: Any, *args: Any, **options: Any) -> Any:
        try:
            result = send(message, *args, **options)
        except Exception as error:
            _failed(conversation, error)
            raise
        _copy_sent(conversation, message)
        return result

    @functools.wraps(close)
    def tapped_close(*args: Any, **options: Any) -> Any:
        try:
            return close(*args, **options)
        finally:
            _closed(conversation, websocket)

    _install(websocket, tapped_recv if received else recv, tapped_send, tapped_close)


def _install(websocket: Any, recv: Any, send: Any, close: Any) -> None:
    websocket.recv, websocket.send, websocket.close = recv, send, close


def _copy_sent(conversation: Conversation, message: object) -> None:
    if isinstance(message, (str, bytes, bytearray, memoryview)):
        conversation.send(message, "sent")
    else:
        conversation.miss()  # an iterator of fragments: it is used up


def _failed(conversation: Conversation, error: Exception) -> None:
    """End the conversation where `error` says that the connection has ended; a timeout does not."""
    if not any(kind.__name__ == "ConnectionClosed" for kind in type(error).__mro__):
        return
    close = getattr(error, "rcvd", None)
    conversation.close(getattr(close, "code", None), getattr(close, "reason", ""))


def _closed(conversation: Conversation, websocket: Any) -> None:
    close = getattr(getattr(websocket, "protocol", None), "close_rcvd", None)
    conversation.close(getattr(close, "code", None), getattr(close, "reason", ""))
