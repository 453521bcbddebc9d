# ruff: noqa: SLF001  # callbacks of asyncio can be measured in no other place
"""Runs `steno` with what it is given, and notes what holds its event loop.

    probed.py NOTES ARGUMENT...

At its end it writes to the file NOTES, a JSON object a line: `{"what", "at", "ms", ...}`, `at` by the monotonic clock.

- `late`: a timer of 1 ms in the loop came late. `ms` is by how much, `busy_ms` how much CPU all threads of the process
  took meanwhile. The smaller of the two is what the process did itself: that a busy machine gave it no processor takes
  none of its CPU, and that another thread held the interpreter takes some.
- `callback`: one callback took long, by the CPU of its thread, and which one it was.
- `gc`: a collection of the generation `of`, by the CPU of its thread, whichever that was.
"""

import asyncio
import gc
import json
import sys
from pathlib import Path
from time import monotonic, process_time, thread_time
from typing import Any

from steno.app import serving
from steno.app.daemon import Daemon

NOTED_MS = 2.0
INTERVAL = 0.001


class Probe:
    """Notes of one loop."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.notes: list[dict[str, Any]] = []
        self._due = self._cpu = self._began = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; called in `loop`."""
        gc.callbacks.append(self._collected)
        self._watch_callbacks()
        self._again(loop)

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due, self._cpu = monotonic() + INTERVAL, process_time()
        loop.call_later(INTERVAL, self._fired, loop)

    def _fired(self, loop: asyncio.AbstractEventLoop) -> None:
        late, busy = monotonic() - self._due, process_time() - self._cpu
        if late * 1e3 > NOTED_MS:
            self._note("late", late, busy_ms=busy * 1e3)
        self._again(loop)

    def _note(self, what: str, seconds: float, **more: Any) -> None:
        self.notes.append({"what": what, "at": monotonic(), "ms": seconds * 1e3, **more})

    def _watch_callbacks(self) -> None:
        run = asyncio.Handle._run

        def measured(handle: asyncio.Handle) -> None:
            began = thread_time()
            run(handle)
            took = thread_time() - began
            if took * 1e3 > NOTED_MS:
                self._note("callback", took, name=_name(handle))

        asyncio.Handle._run = measured  # type: ignore[method-assign]  # there is no other place for it

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = thread_time()
            return
        self._note("gc", thread_time() - self._began, of=info["generation"], collected=info["collected"])


def _name(handle: asyncio.Handle) -> str:
    task = getattr(handle._callback, "__self__", None)
    return str(task.get_coro()) if isinstance(task, asyncio.Task) else repr(handle)


def main() -> None:
    """Run it."""
    notes, *arguments = sys.argv[1:]
    probe = Probe()
    serve = serving.serve

    async def probed(daemon: Daemon) -> None:
        probe.start(asyncio.get_running_loop())
        await serve(daemon)

    serving.serve = probed
    sys.argv = ["steno", *arguments]
    from steno.__main__ import main as steno  # noqa: PLC0415  # after the above

    try:
        steno()
    finally:
        Path(notes).write_text("".join(json.dumps(note) + "\n" for note in probe.notes), encoding="utf-8")


if __name__ == "__main__":
    main()
