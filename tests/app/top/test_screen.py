"""`steno top` on a terminal and on a pipe, with a real daemon."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from rich.console import Console
from rich.text import Text

from steno.app.top.look import Look
from steno.app.top.screen import Screen
from tests.admin.test_views import CREATED, face
from tests.processes import PATIENCE_SECONDS, program, steno, wait_for

pytestmark = pytest.mark.anyio

QUICK = """
import fcntl, termios
import steno.app.top.follower as it
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
it.RETRY_SECONDS = 0.05
"""
"""The terminal is that of the program, so that its keys and its size make signals."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *args: str, columns: int = 80) -> None:
        self.master, self.slave = pty.openpty()
        self.size(columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [*program(QUICK), *args],
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        self.output = b""

    def size(self, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def screen(self) -> list[str]:
        """Return the lines of what was drawn last. Each drawing begins at the top."""
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536)
        drawings = self.output.decode(errors="replace").split("\x1b[H")
        whole = next((each for each in reversed(drawings) if each.count("\n") >= 23), "")
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", whole).split("\r\n")]

    async def shows(self, wanted: str | Callable[[list[str]], object]) -> list[str]:
        """Wait until the screen has a text, or is as it should be."""
        ask = wanted if callable(wanted) else lambda lines: wanted in "\n".join(lines)
        return await anyio.to_thread.run_sync(wait_for, lambda: lines if ask(lines := self.screen()) else None)

    async def ended(self) -> tuple[int, str]:
        """Return how the program ended, and what it complained about."""
        code = await anyio.to_thread.run_sync(self.process.wait, PATIENCE_SECONDS)
        self.screen()
        assert self.process.stderr is not None
        return code, self.process.stderr.read().decode()

    def hang_up(self) -> None:
        """Close the terminal, as its window is closed."""
        for each in (self.slave, self.master):
            os.close(each)
        self.master = self.slave = -1

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        if self.master >= 0:
            self.hang_up()


@asynccontextmanager
async def terminal(*args: str, columns: int = 80) -> AsyncIterator[Terminal]:
    shown = Terminal(*args, columns=columns)
    try:
        yield shown
    finally:
        shown.close()


class Door:
    """An address that stays while the daemon behind it is another one, or none."""

    def __init__(self) -> None:
        self.behind: str | None = None
        self.open: set[asyncio.StreamWriter] = set()

    async def admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.behind is None:
            writer.close()
            return
        host, port = self.behind.split(":")
        there, back = await asyncio.open_connection(host, int(port))
        self.open |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        writer.close()
        self.open.discard(writer)

    def shut(self) -> None:
        self.behind = None
        for each in self.open:
            each.close()


@asynccontextmanager
async def door() -> AsyncIterator[tuple[Door, str]]:
    place = Door()
    server = await asyncio.start_server(place.admit, "127.0.0.1", 0)
    try:
        yield place, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        place.shut()
        server.close()
        await server.wait_closed()


async def test_the_table_is_live(tmp_path: Path) -> None:
    """It follows the daemon, obeys keys and the size of the terminal, and outlives a restart of the daemon."""
    (tmp_path / "again").mkdir()
    async with door() as (place, url), terminal("top", url) as shown:
        async with face(tmp_path) as served:
            place.behind = served.daemon.address
            served.say("first", CREATED)
            await shown.shows("relay/first")
            served.say("evil\x1b[2J", CREATED)
            lines = await shown.shows("2 open, 0 ended")
            assert [line.split()[1] for line in lines[4:6]] == ["relay/evil%1B[2J", "relay/first"]

            shown.press("/first\r")
            await shown.shows(lambda lines: "relay/first" in "\n".join(lines) and "evil" not in "\n".join(lines))
            shown.press("\x1b")
            await shown.shows("evil")
            shown.press("s")
            await shown.shows("by recent")
            shown.press("?")
            await shown.shows("Any key goes back")
            shown.press("x")
            await shown.shows("by recent")
            shown.size(150)
            await shown.shows(lambda lines: "gpt-realtime" in "\n".join(lines) and "source" in "\n".join(lines))
            place.shut()
        await shown.shows("NO DAEMON, trying again")
        async with face(tmp_path / "again") as served:
            place.behind = served.daemon.address
            served.say("second", CREATED)
            await shown.shows(lambda lines: "relay/second" in "\n".join(lines) and "NO DAEMON" not in "\n".join(lines))
            shown.press("q")
            assert await shown.ended() == (0, "")

    assert b"\x1b[?1049h" in shown.output
    assert b"\x1b[?1049l" in shown.output
    assert b"\x1b[?25h" in shown.output


@pytest.mark.parametrize("end", ["key", "signal"])
async def test_a_signal_gives_the_terminal_back(end: str, tmp_path: Path) -> None:
    async with face(tmp_path) as served, terminal("top", f"http://{served.daemon.address}") as shown:
        await shown.shows("No conversation yet.")
        if end == "key":
            shown.press("\x03")
        else:
            shown.process.terminate()
        assert await shown.ended() == (0, "")
        assert termios.tcgetattr(shown.slave) == shown.before

    assert b"\x1b[?1049l" in shown.output


def test_a_signal_ends_it_where_the_interpreter_drops_what_it_raises(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As it does in a destructor."""
    interrupted: list[bool] = []

    def interrupt(_: Screen) -> list[Text]:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupted.append(True)
        return []

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Screen, "_lines", interrupt)
    with (tmp_path / "terminal").open("w") as output:
        Screen(Console(file=output), "http://127.0.0.1:1", Look()).run()

    assert interrupted == [True]
    assert signal.getsignal(signal.SIGINT) == before


async def test_a_terminal_that_is_closed_ends_it_quietly(tmp_path: Path) -> None:
    async with face(tmp_path) as served, terminal("top", f"http://{served.daemon.address}") as shown:
        await shown.shows("No conversation yet.")
        shown.hang_up()
        code = await anyio.to_thread.run_sync(shown.process.wait, PATIENCE_SECONDS)
        assert shown.process.stderr is not None
        assert (code, shown.process.stderr.read()) == (0, b"")


async def test_a_stop_gives_the_terminal_back_for_a_while(tmp_path: Path) -> None:
    """Ctrl-Z, and `fg`."""
    async with face(tmp_path) as served, terminal("top", f"http://{served.daemon.address}") as shown:
        await shown.shows("No conversation yet.")
        shown.press("\x1a")
        state = Path("/proc", str(shown.process.pid), "stat")
        await anyio.to_thread.run_sync(wait_for, lambda: state.read_text().rpartition(") ")[2].startswith("T"))
        assert termios.tcgetattr(shown.slave) == shown.before
        served.say("later", CREATED)
        shown.process.send_signal(signal.SIGCONT)
        await shown.shows("relay/later")
        shown.press("q")
        assert await shown.ended() == (0, "")


async def test_a_pipe_gets_the_table_once(tmp_path: Path) -> None:
    """Nothing is cut there, so that scripts can use what they read. Options choose the rows."""
    name = "n" * 100
    async with face(tmp_path) as served:
        url = f"http://{served.daemon.address}"
        served.say(name, CREATED)
        served.say("other", CREATED)
        done = await anyio.to_thread.run_sync(lambda: steno("top", url, "--filter", "nnn", "--sort", "cost"))
        wrong = await anyio.to_thread.run_sync(lambda: steno("top", url, "--sort", "beauty"))

    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr, len(lines)) == (0, b"", 5)
    assert lines[0].endswith("0 of 0 sources ready")
    assert f"relay/{name}" in lines[4].split()
    assert (wrong.returncode, wrong.stderr.startswith(b"steno: --sort is one of: age, ")) == (64, True)
