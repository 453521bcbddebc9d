"""The thread that pushes: a loop of its own, in which each conversation has a task.

It begins with the first frame and ends with the last conversation, so that nothing is left behind. The application
touches it in `put`: a lock, an append, and for the first frame after a silence the wake-up of the loop. Lines, masks
and sockets are the thread's own affair.
"""

import asyncio
import contextlib
import functools
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

from steno_tap.conversation import Conversation
from steno_tap.once import OnceLog
from steno_tap.push import push
from steno_tap.queue import Budget, Close, Frame
from steno_tap.settings import Settings

END_SECONDS: Final = 1.0
"""How long the thread may take to end once all its tasks are cancelled."""
_LEFT_BEHIND: Final[list[object]] = []
"""What the parent's thread works with, in a child after fork(). It is never collected: that would undo what the parent
is still doing."""


class Pusher:
    """The conversations of one tap, and the thread that pushes them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = OnceLog()
        self.closed = False
        """Whether the tap takes no more frames."""
        self._known: weakref.WeakSet[Conversation] = weakref.WeakSet()
        self._reset()

    def _reset(self) -> None:
        self.budget = Budget(self.settings.total_bytes)
        # Reentrant: a finalizer or a signal handler may come in while this thread holds it.
        self.lock = threading.RLock()
        self.patient = True
        """Whether conversations that are not connected may wait for the next attempt."""
        self.sockets: dict[Conversation, socket.socket] = {}
        """The sockets that are open, for the child of a fork() to let go of."""
        self._tasks: dict[Conversation, asyncio.Task[None] | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop of the thread, None where there is none or it has just ended."""
        self._thread: threading.Thread | None = None
        self._changed = asyncio.Event()
        self._lost = 0

    def conversation(self, name: str | None) -> Conversation:
        """Return a new conversation."""
        conversation = Conversation(self, name)
        self._known.add(conversation)
        return conversation

    def put(self, conversation: Conversation, frame: Frame) -> None:
        """Take in a frame. It is counted where there is no room for it."""
        with self.lock:
            if self.closed or conversation.ended_at is not None:
                return
            fits = conversation.queue.put(frame, "queue_full" if conversation.connected else "disconnected")
            self._wake(conversation)
        if not fits:  # without the lock: a handler of the application's logging may wait for another thread
            self.log.report("dropped", "there is no room for a frame; steno will be informed of the gap")

    def miss(self, conversation: Conversation, at_ns: int) -> None:
        """Count a frame that cannot be read."""
        with self.lock:
            if not self.closed and conversation.ended_at is None:
                conversation.queue.miss(at_ns, 1, 0, "unreadable")
                self._wake(conversation)

    def end(self, conversation: Conversation, close: Close | None) -> None:
        """End a conversation, with `close` as its last line."""
        with self.lock:
            if conversation.ended_at is not None:
                return
            conversation.ended_at = time.monotonic()
            if conversation in self._tasks:
                if close is not None:
                    conversation.queue.close(close)
                self._call(lambda: self._ended(conversation))

    def _wake(self, conversation: Conversation) -> None:
        if conversation not in self._tasks:
            self._begin(conversation)
        elif conversation.idle:
            conversation.idle = False
            self._call(conversation.event.set)

    def _begin(self, conversation: Conversation) -> None:
        self._tasks[conversation] = None
        if self._loop is not None:
            self._call(self._start_tasks)
            return
        # Not the policy's loop: what the application runs on is no affair of this thread.
        self._loop = asyncio.SelectorEventLoop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="steno-tap", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter or the machine has no more threads
            self._loop.close()
            self._forget_thread(self._loop)
            raise

    def _call(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has just ended, and with it whom this would wake
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_until_complete(self._serve())
        except Exception as error:  # noqa: BLE001 - a thread that dies prints to the application's standard error
            self.log.report("internal", "the tap stopped: %s", type(error).__name__)
        finally:
            loop.close()
            self._forget_thread(loop)

    def _forget_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        with self.lock:
            if self._loop is not loop:
                return  # it ended in order, and another one may have begun
            self._loop = None
            for conversation in self._tasks:
                self._lost += conversation.queue.clear().items
            self._tasks.clear()

    async def _serve(self) -> None:
        changed = self._changed
        while True:
            changed.clear()
            self._start_tasks()
            with self.lock:
                if not self._tasks:
                    self._loop = None  # the next frame begins another thread
                    return
            await changed.wait()

    def _start_tasks(self) -> None:
        with self.lock:
            for conversation, task in self._tasks.items():
                if task is None:
                    started = asyncio.get_running_loop().create_task(self._push(conversation))
                    # Not a `finally` in the task: one that is cancelled before its first step would not get there.
                    started.add_done_callback(functools.partial(self._finish, conversation))
                    self._tasks[conversation] = started
                    if conversation.ended_at is not None:
                        self._ended(conversation)

    def _ended(self, conversation: Conversation) -> None:
        """Let the task of a conversation finish, within its time."""
        conversation.event.set()
        task = self._tasks.get(conversation)
        if task is not None:
            linger = self.settings.linger_seconds
            timer = asyncio.get_running_loop().call_later(linger, _give_up, conversation, task)
            task.add_done_callback(lambda _: timer.cancel())

    async def _push(self, conversation: Conversation) -> None:
        try:
            await push(self, conversation)
        except Exception as error:  # noqa: BLE001 - one conversation's fault is not another's
            self.log.report("internal", "the tap failed at a conversation: %s", type(error).__name__)

    def _finish(self, conversation: Conversation, _: "asyncio.Task[None]") -> None:
        with self.lock:
            self._tasks.pop(conversation, None)
            conversation.ended_at = conversation.ended_at or time.monotonic()
            lost = conversation.queue.clear()
            self._lost += lost.items
        if lost.items:
            message = "%d frames (%d bytes) of a conversation that has ended did not reach steno"
            self.log.report("lost", message, lost.frames, lost.payload_bytes)
        self._changed.set()

    def close(self, timeout: float, *, patient: bool = True) -> bool:
        """End all conversations, wait until they are pushed, `timeout` seconds at most, and end the thread.

        Return whether everything arrived. Where not `patient`, a conversation that is not connected is given up.
        """
        with self.lock:
            self.closed = True
            self.patient = patient
            thread = self._thread
            self.end_all()
            for conversation in self._tasks:
                self._call(conversation.event.set)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            self._call(self._give_up_all)
            thread.join(END_SECONDS)
        return self._lost == 0

    def _give_up_all(self) -> None:
        for conversation, task in list(self._tasks.items()):
            if task is not None:
                _give_up(conversation, task)

    def end_all(self) -> None:
        """End all conversations without waiting."""
        with self.lock:
            for conversation in list(self._tasks):
                self.end(conversation, None)

    def after_fork(self) -> None:
        """Begin anew in the child of a fork(): thread, queues and connections are the parent's."""
        _LEFT_BEHIND.extend((self._loop, self._tasks, self._thread))
        for sock in self.sockets.values():
            with contextlib.suppress(OSError):
                os.close(sock.detach())
        self._reset()
        for conversation in list(self._known):
            conversation.begin()


def _give_up(conversation: Conversation, task: "asyncio.Task[None]") -> None:
    conversation.given_up = True
    task.cancel()
