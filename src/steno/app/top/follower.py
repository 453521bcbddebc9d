"""Follows a daemon in a thread, and begins anew when it is gone: it may be restarted, or updated."""

import threading
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from steno.app.top.client import BusyError, Client, Listing
from steno.errors import StenoError
from steno.view.changes import Changes
from steno.view.sources import SourceList

RETRY_SECONDS: Final = 2.0


class Lost(Struct, frozen=True):
    """The daemon does not answer; what was told before is old."""

    why: str


class Slow(Struct, frozen=True):
    """The daemon tells no changes; it is asked for everything every `RETRY_SECONDS`."""

    why: str


News = Listing | Changes | SourceList | Lost | Slow
ENDED: Final = Lost("the daemon has ended the stream: it stops, or this terminal took too long")


class Follower:
    """The thread. It ends with the process, or with `stop`."""

    def __init__(self, client: Client, tell: Callable[[News], None]) -> None:
        """Ask by `client`; `tell` is called with what is found, in the thread."""
        self._client = client
        self._tell = tell
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to follow."""
        threading.Thread(target=self._run, name="steno-top", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing anew."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._follow()
                self._tell(ENDED)
            except BusyError as busy:
                self._ask(Slow(str(busy)))
            except StenoError as error:
                self._tell(Lost(str(error)))
            self._stopped.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        """Tell everything, then what changes. The stream is opened first, so that no change falls in between."""
        with self._client.changes() as changes:
            self._tell(self._client.listing())
            for each in changes:
                self._tell(each)

    def _ask(self, after: Slow) -> None:
        try:
            self._tell(self._client.listing())
            self._tell(after)
        except StenoError as error:
            self._tell(Lost(str(error)))
