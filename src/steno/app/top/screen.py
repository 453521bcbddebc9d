"""The live table on a terminal: keys, resizes, and when to draw.

All is drawn on the alternate screen, over what stood there, so that nothing flickers and the scrollback stays as it
was. A terminal is given back as it was found, also where a signal ends the program or stops it for a while.
"""

import codecs
import errno
import os
import select
import signal
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import Final

from msgspec.structs import replace
from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from steno.app.terminal import echo
from steno.app.top.client import Client
from steno.app.top.drawing import FOOT_LINES, HEAD_LINES, Shown, lines, snapshot
from steno.app.top.follower import Follower, News
from steno.app.top.look import Look, chosen, clamped, keys_of, pressed
from steno.app.top.mirror import Mirror

TURN_SECONDS: Final = 1.0
"""How often is drawn at least: ages go on."""
DRAW_SECONDS: Final = 0.1
"""How long news wait for more of them, so that one drawing shows them all."""
SEQUENCE_SECONDS: Final = 0.05
"""How long an escape waits for the rest of the key that it may begin."""
INPUT: Final = 0
OUTPUT: Final = 1
KEY_BYTES: Final = 1024
GONE: Final = frozenset({errno.EIO, errno.EBADF, errno.EPIPE, errno.ENXIO})
"""What reading and writing a terminal fails with that was closed. Nobody looks any more."""


class Screen:
    """Shows what a follower tells, until a key or a signal ends it."""

    def __init__(self, console: Console, address: str, look: Look) -> None:
        self._console = console
        self._address = address
        self._look = look
        self._mirror = Mirror()
        self._lock = threading.Lock()
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        self._suspend = False
        self._ended = False
        self._keyboard = os.isatty(INPUT)

    def tell(self, news: News) -> None:
        """Take news. For any thread; what comes while the terminal takes nothing does not pile up."""
        with self._lock:
            self._mirror.take(news, monotonic())
        self._wake()

    def _wake(self, *_: object) -> None:
        with suppress(BlockingIOError):  # it is about to wake already
            os.write(self._writing, b"\0")

    # The loop -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Show it until `q`, Ctrl-C or SIGTERM."""
        with self._signals():
            while not self._over():
                with self._keys(), Live(console=self._console, screen=True, auto_refresh=False) as live:
                    self._show(live)
                if self._suspend:
                    self._suspend = False
                    os.kill(os.getpid(), signal.SIGSTOP)  # the shell goes on from here, and so does SIGCONT

    def _show(self, live: Live) -> None:
        while not self._over() and not self._suspend:
            live.update(Group(*self._lines()), refresh=True)
            self._wait()

    def _over(self) -> bool:
        return self._ended or self._look.over

    def _wait(self) -> None:
        """Wait for a key, for news or for a change of the size, or for a turn."""
        ready, _, _ = select.select([self._reading, *([INPUT] if self._keyboard else [])], [], [], TURN_SECONDS)
        if INPUT in ready:
            self._press(self._typed())
        elif self._reading in ready:  # a key is drawn at once, news with those that come along
            select.select([INPUT] if self._keyboard else [], [], [], DRAW_SECONDS)
        with suppress(BlockingIOError):
            while os.read(self._reading, KEY_BYTES):
                pass

    def _lines(self) -> list[Text]:
        size = os.get_terminal_size(OUTPUT)  # $COLUMNS would stay as it was at the start
        self._console.size = ConsoleDimensions(*size)
        with self._lock:
            shown = shown_of(self._mirror, self._look, self._address, monotonic())
        self._look = clamped(self._look, len(shown.rows), self._page())
        return lines(replace(shown, look=self._look), size.columns, size.lines)

    def _page(self) -> int:
        return max(1, self._console.size.height - HEAD_LINES - FOOT_LINES)

    # Keys -----------------------------------------------------------------------------------------------

    def _typed(self) -> str:
        data = os.read(INPUT, KEY_BYTES)
        if not data:  # the terminal is gone
            self._keyboard = False
        if data.endswith((b"\x1b", b"\x1b[", b"\x1bO")) and select.select([INPUT], [], [], SEQUENCE_SECONDS)[0]:
            data += os.read(INPUT, KEY_BYTES)
        return self._decoder.decode(data)

    def _press(self, text: str) -> None:
        for key in keys_of(text):
            with self._lock:
                rows = len(chosen(self._mirror.rows(), self._look))
            self._look = pressed(self._look, key, rows, self._page())

    @contextmanager
    def _keys(self) -> Iterator[None]:
        """Take keys as they are typed, without an echo."""
        if not self._keyboard:
            yield
            return
        before = termios.tcgetattr(INPUT)
        tty.setcbreak(INPUT)
        try:
            yield
        finally:
            with suppress(termios.error):  # it is gone
                termios.tcsetattr(INPUT, termios.TCSADRAIN, before)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def ends(*_: object) -> None:
            self._ended = True  # the interpreter drops what is raised while it destroys an object
            self._wake()
            raise KeyboardInterrupt  # it may wait for a terminal that takes nothing

        def stops(*_: object) -> None:
            self._suspend = True
            self._wake()

        handlers: dict[int, Callable[[int, FrameType | None], object]] = {
            signal.SIGWINCH: self._wake,
            signal.SIGTSTP: stops,
            signal.SIGINT: ends,
            signal.SIGTERM: ends,
            signal.SIGHUP: ends,
        }
        with ExitStack() as stack:
            for number, handler in handlers.items():
                stack.callback(signal.signal, number, signal.signal(number, handler))
            yield


def watch(client: Client, console: Console, look: Look) -> None:
    """Show the conversations of the daemon that `client` asks, until a key or a signal ends it.

    Raises UnavailableError where it does not answer at all, and UsageError where the token is not taken.
    """
    screen = Screen(console, client.address, look)
    screen.tell(client.listing())
    follower = Follower(client, screen.tell)
    follower.start()
    try:
        screen.run()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        if error.errno not in GONE:
            raise
    follower.stop()


def once(client: Client, console: Console, look: Look) -> None:
    """Print the sums and the table as they are now; where no terminal reads them, nothing is cut. Raises as `watch`."""
    mirror, now = Mirror(), monotonic()
    mirror.take(client.listing(), now)
    shown = shown_of(mirror, look, client.address, now)
    if console.is_terminal:
        console.print(*snapshot(shown, console.width), sep="\n", no_wrap=True, crop=True)
    else:
        echo("\n".join(line.plain for line in snapshot(shown, None)))


def shown_of(mirror: Mirror, look: Look, address: str, now: float) -> Shown:
    """Return what is drawn at `now`."""
    return Shown(
        rows=chosen(mirror.rows(), look),
        ages=lambda row: mirror.age_of(row, now),
        figures=mirror.figures(),
        look=look,
        address=address,
        problem=mirror.problem,
        lost=mirror.lost,
    )
