"""The tap: what an application makes one of, and what it wraps its connections with."""

import asyncio
import atexit
import contextlib
import os
import ssl
import threading
import time
import weakref
from types import TracebackType
from typing import Final, TypeVar

from steno_tap import agents, livekit, pipecat, sockets
from steno_tap.conversation import Conversation
from steno_tap.lines import Direction
from steno_tap.pusher import Pusher
from steno_tap.settings import (
    DEFAULT_URL,
    LINGER_SECONDS,
    QUEUE_BYTES,
    TOTAL_BYTES,
    URL_VARIABLE,
    Settings,
    token_from_environment,
)
from steno_tap.sockets import Attach

CLOSE_SECONDS: Final = 5.0
EXIT_SECONDS: Final = 2.0
"""How long the end of the interpreter is held for frames that are on their way; not at all where steno is absent."""

T = TypeVar("T")


class Tap:
    """Copies what goes through realtime connections to a steno that listens. Never blocks, and never raises later.

    `url` is where steno listens, else `STENO_TAP_URL`, else `ws://127.0.0.1:9465`. `token` is shown to it, else
    `STENO_TAP_TOKEN`, else what the file `STENO_TAP_TOKEN_FILE` holds at each attempt. `conversation` names the
    conversation; without a name steno makes one for each connection. With `ack`, frames are kept until steno has them
    on its disk, and pushed again after a reconnect. `queue_bytes` bounds what a conversation holds, `total_bytes` what
    all of them hold. A conversation that has ended is pushed for `linger_seconds` at most. `tls` replaces the system's
    certificates, or holds the client's own.

    Raises ValueError where the address or the token can never do.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        conversation: str | None = None,
        *,
        ack: bool = False,
        queue_bytes: int = QUEUE_BYTES,
        total_bytes: int = TOTAL_BYTES,
        linger_seconds: float = LINGER_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        url = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
        token, token_file = token_from_environment() if token is None else (token, None)
        self._pusher = Pusher(
            Settings(url, token, token_file, ack, queue_bytes, total_bytes, linger_seconds, tls),
        )
        self._name = conversation
        self._own: Conversation | None = None
        if self._pusher.settings.in_the_clear and (token or token_file):
            self._pusher.log.report("clear", "the token crosses the network unencrypted; use wss:// for %s", url)
        _PUSHERS.add(self._pusher)
        weakref.finalize(self, self._pusher.end_all).atexit = False

    def __call__(self, connection: T, conversation: str | None = None) -> T:
        """Copy what `connection` sends and receives from now on, and return it: it stays what it is.

        `connection` is a realtime connection of the `openai` SDK (sync or async, also of `beta`), or a client
        connection of `websockets`.
        """
        try:
            if not sockets.tap(connection, lambda: self.conversation(conversation)):
                kind = type(connection).__name__
                self._pusher.log.report("unknown", "this connection cannot be tapped, it goes on without: %s", kind)
        except Exception as error:  # noqa: BLE001 - no fault of the tap is one of the application
            self._pusher.log.report("internal", "the tap failed at a connection: %s", type(error).__name__)
        return connection

    def conversation(self, name: str | None = None) -> Conversation:
        """Return a new conversation, to which frames are given by `Conversation.send`."""
        return self._pusher.conversation(name or self._name)

    def send(self, frame: object, direction: Direction = "received") -> None:
        """Push a frame of the tap's own conversation. See `Conversation.send`; never raises, and never waits."""
        if self._own is None:
            self._own = self.conversation()
        self._own.send(frame, direction)

    def agents(self, session: T, conversation: str | None = None) -> T:
        """Copy a realtime session of `openai-agents`, before it is entered. Return it."""
        return self._attach(agents.attach, session, conversation)

    def pipecat(self, service: T, conversation: str | None = None) -> T:
        """Copy Pipecat's `OpenAIRealtimeLLMService`, before its pipeline runs. Return it."""
        return self._attach(pipecat.attach, service, conversation)

    def livekit(self, session: T, conversation: str | None = None) -> T:
        """Copy a `RealtimeSession` of LiveKit's OpenAI plugin. Return it."""
        return self._attach(livekit.attach, session, conversation)

    def _attach(self, attach: Attach, target: T, name: str | None) -> T:
        try:
            for missing in attach(target, lambda: self.conversation(name)):
                self._pusher.log.report(missing, "not tapped in this version of the library: %s", missing)
        except Exception as error:  # noqa: BLE001 - as above
            self._pusher.log.report("internal", "the tap failed at a session: %s", type(error).__name__)
        return target

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """End all conversations and wait until they are pushed, `timeout` seconds at most. No thread is left.

        Return whether everything arrived. The tap takes no more frames.
        """
        return self._pusher.close(timeout)

    async def aclose(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Do as `close`, without holding the event loop."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def close() -> None:
            everything = self._pusher.close(timeout)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(_answer, answer, everything)

        # Not the loop's executor: its threads would stay.
        thread = threading.Thread(target=close, name="steno-tap-close", daemon=True)
        thread.start()
        everything = await answer
        thread.join()
        return everything

    def __enter__(self) -> "Tap":  # noqa: PYI034 - `Self` is of Python 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> "Tap":  # noqa: PYI034 - as above
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


def _answer(answer: "asyncio.Future[bool]", everything: bool) -> None:
    if not answer.done():
        answer.set_result(everything)


_PUSHERS: Final[weakref.WeakSet[Pusher]] = weakref.WeakSet()


def _at_exit() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for pusher in list(_PUSHERS):
        pusher.close(max(deadline - time.monotonic(), 0), patient=False)


def _after_fork() -> None:
    for pusher in list(_PUSHERS):
        pusher.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
