"""A conversation as the application sees it: frames go in from any thread, and nothing ever waits."""

import asyncio
import json
import secrets
import time
from typing import TYPE_CHECKING

from steno_tap.lines import Direction
from steno_tap.queue import Close, Frame, Queue

if TYPE_CHECKING:
    from steno_tap.pusher import Pusher


class Conversation:
    """What is captured of one connection. It has a push connection of its own, opened with the first frame.

    Made by `Tap.conversation()`. All methods may be called from any thread, and return at once.
    """

    def __init__(self, pusher: "Pusher", name: str | None = None) -> None:
        self.name = name
        self._pusher = pusher
        self.begin()

    def begin(self) -> None:
        """Begin with nothing, as another conversation to steno."""
        settings = self._pusher.settings
        self.resume = secrets.token_hex(16)
        self.queue = Queue(settings.queue_bytes, self._pusher.budget, keep=settings.ack)
        self.event = asyncio.Event()
        """Set in the loop of the pusher when there is something to do."""
        self.idle = False
        """Whether the pusher waits for `event`. Guarded by the pusher's lock, as all that follows."""
        self.connected = False
        self.given_up = False
        """Whether its task must end at once. A cancellation alone may be lost in `wait_for`, before Python 3.12."""
        self.ended_at: float | None = None
        """When the application's connection ended, on the monotonic clock."""

    def send(self, frame: object, direction: Direction = "received") -> None:
        """Push a frame. Never raises, and never waits: what has no room is counted, and steno is informed of the gap.

        `frame` is the message as it was on the wire, `str` or bytes, or an event as a dict or a model of pydantic.
        `direction` is `"received"` for what came from the provider, `"sent"` for what the application sent.
        """
        try:
            self._put(frame, direction, time.time_ns())
        except Exception as error:  # noqa: BLE001 - no fault of the tap is one of the application
            self._pusher.log.report("internal", "the tap failed at a frame: %s", type(error).__name__)

    def close(self, code: int | None = None, reason: str = "") -> None:
        """End the conversation. `code` and `reason` are those with which the application's connection was closed.

        What waits is pushed in the background, for `linger_seconds` at most. `Tap.close` waits for it.
        """
        try:
            self._pusher.end(self, Close(time.time_ns(), code, reason))
        except Exception as error:  # noqa: BLE001 - as above
            self._pusher.log.report("internal", "the tap failed at an end: %s", type(error).__name__)

    def _put(self, frame: object, direction: Direction, at_ns: int) -> None:
        if direction not in {"received", "sent"}:
            raise ValueError(direction)
        if isinstance(frame, str):
            payload: str | bytes = frame
            size = len(frame) if frame.isascii() else len(frame.encode(errors="replace"))
        elif isinstance(frame, (bytes, bytearray, memoryview)):
            payload = bytes(frame)  # no copy where it is bytes already
            size = len(payload)
        else:
            payload = _dumped(frame)
            size = len(payload) if payload.isascii() else len(payload.encode(errors="replace"))
        self._pusher.put(self, Frame(at_ns, direction, payload, size))

    def miss(self) -> None:
        """Count a frame that cannot be copied."""
        try:
            self._pusher.miss(self, time.time_ns())
        except Exception as error:  # noqa: BLE001 - as above
            self._pusher.log.report("internal", "the tap failed at a frame: %s", type(error).__name__)


def _dumped(event: object) -> str:
    """Return an event as JSON: a dict, or a model of pydantic. It is dumped now, since it may change later."""
    dump = getattr(event, "model_dump", None)
    plain = dump(by_alias=True, exclude_unset=True, mode="json") if callable(dump) else event
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
