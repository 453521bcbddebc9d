"""One soak from its start to its end: a daemon, honest and hostile sources, faults, clients; then what must hold."""

import json
import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from tests.processes import steno
from tests.soak import clients, expected, faults
from tests.soak.checks import Findings, check_secrets
from tests.soak.clients import Answers
from tests.soak.expected import Outputs
from tests.soak.honest import Source, sources
from tests.soak.hostile import SECRET
from tests.soak.place import Daemon, until
from tests.soak.upstreams import BYTES, HANDSHAKE, STORMS, Servers, serving

LAST_SECONDS: Final = 240.0
"""How long the honest sources may take to end their last conversations, and the daemon to read them."""
STOP_SECONDS: Final = 35.0
"""`TimeoutStopSec` of the unit."""


OFTEN: Final = frozenset({*STORMS, HANDSHAKE, BYTES})
"""Sources that connect so often that the log is full of it."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    seconds: float
    callers: int
    speed: float
    """How much faster than people the honest sources speak."""
    scale: float
    """Of the longest frames."""
    pace: faults.Pace
    scrape_seconds: float
    settings: str = ""
    """More of `[audit]`."""


LONG: Final = Form(seconds=600, callers=4, speed=4, scale=1, pace=faults.Pace(25, 40), scrape_seconds=1.0)
SHORT: Final = Form(
    seconds=8,
    callers=2,
    speed=16,
    scale=1 / 16,
    pace=faults.Pace(1.5, 2.0),
    scrape_seconds=0.2,
    settings="queue_bytes = 2_097_152\n",
)


class Soak:
    """What runs, and what came of it."""

    def __init__(self, form: Form, seed: int, folder: Path) -> None:
        self.form = form
        self.seed = seed
        self.folder = folder
        self.notes: list[str] = []
        """What could not be made here."""
        self.findings = Findings()
        self.live: dict[str, Outputs] = {}
        """What the daemon wrote of each honest source."""
        self.read = False
        """Whether all that the honest sources sent was read."""
        self.seconds = 0.0
        self.verified = 0
        """Records of the log that were proved."""
        self.faults = faults.Faults()
        self.reading_with_room: list[bool] = []
        """Whether the daemon read, each time that it was asked while the disk was not full."""
        self.sources: list[Source] = sources(seed, form.speed, folder / "sent", form.callers)
        self.servers = Servers(self.sources, seed, form.scale)
        self.daemon = Daemon(folder, self.notes)
        self.answers = Answers(0)

    # It runs ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run for the time of the form, and then to the end of what is said."""
        async with serving(self.servers) as urls:
            _configure(self.daemon.config, self.daemon.audit, urls, self.form)
            _configure(self.folder / "replay.toml", None, {}, self.form)
            self.daemon.start()
            try:
                self.answers.port = await anyio.to_thread.run_sync(self.daemon.port)
                began = monotonic()
                with _held(self.daemon.disk.seen_from_here(self.daemon.pid)) as disk:
                    await self._hostile_time()
                    await self._honest_end()
                    await self._stop(disk / "audit")
                self.seconds = monotonic() - began
            finally:
                self.daemon.end()
                self.daemon.log.finish()

    async def _hostile_time(self) -> None:
        form, rng = self.form, Random(self.seed)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.answers.run, form.scrape_seconds)
            tasks.start_soon(clients.crowd, self.answers.port)
            tasks.start_soon(self._watch)
            common = (form.pace, rng, self.faults)
            tasks.start_soon(faults.fill_disk, self.daemon, self.answers, *common)
            tasks.start_soon(faults.stop_reading_the_log, self.daemon, *common)
            tasks.start_soon(faults.hang_up, self.daemon, *common)
            with anyio.move_on_after(form.seconds):
                await until(self.daemon.ended)
            tasks.cancel_scope.cancel()

    async def _watch(self) -> None:
        while not self.daemon.ended():
            if not self.faults.full:
                self.reading_with_room.append(not self.answers.value("steno_audit_blocked"))
            await anyio.sleep(0.1)

    async def _honest_end(self) -> None:
        """Let the honest sources end what they say while the hostile ones go on, and wait until all of it was read."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.answers.run, self.form.scrape_seconds)
            tasks.start_soon(self._watch)
            tasks.start_soon(self._last_words)
            with anyio.move_on_after(LAST_SECONDS):
                await until(lambda: self.read or self.daemon.ended())
            tasks.cancel_scope.cancel()
        self.servers.traffic.over.set()
        self.findings.hold("the daemon runs to the end", held=not self.daemon.ended())
        self.findings.hold("all that was sent is read in time", held=self.read)

    async def _last_words(self) -> None:
        for source in self.sources:
            source.last()
        for source in self.sources:
            await source.finished.wait()
        self.servers.traffic.over.set()
        await until(self._all_read)
        await self.answers.scrape()
        self.read = True

    def _all_read(self) -> bool:
        value = self.answers.value
        return not value("steno_audit_blocked") and all(
            value(f'steno_frame_bytes_total{{direction="received",source="{each.name}"}}') >= each.bytes
            for each in self.sources
        )

    async def _stop(self, audit: Path) -> None:
        """Stop the daemon, prove its log, and read what it wrote."""
        self.daemon.process.send_signal(signal.SIGTERM)
        with anyio.move_on_after(STOP_SECONDS):
            await until(self.daemon.ended)
        self.findings.same("exit code", self.daemon.process.returncode, 0)
        await anyio.to_thread.run_sync(self._judge_files, audit)

    def _judge_files(self, audit: Path) -> None:
        proof = steno("verify", audit)
        said = (proof.stdout + proof.stderr).decode()
        self.findings.hold("steno verify proves the log", held=proof.returncode == 0, more=said)
        self.verified = int((re.findall(r"^head +(\d+):", said, re.MULTILINE) or ["0"])[0])
        state = self.daemon.state if self.daemon.state.exists() else None
        self.findings.hold("the state is written", held=state is not None or not self.daemon.has_state)
        self.live = expected.written(audit, state, self.sources)
        check_secrets(SECRET, [*audit.glob("*.jsonl"), *([state] if state else [])], self.findings)


# Its configuration -----------------------------------------------------------------------------------------------


def _configure(path: Path, audit: Path | None, urls: Mapping[str, str], form: Form) -> None:
    """Write a configuration: the defaults, redacted content, and a source for each URL."""
    directory = "" if audit is None else f"directory = {json.dumps(str(audit))}\n{form.settings}"
    tables = "".join(
        f'[[sources]]\nname = "{name}"\nkind = "connect"\nurl = "{url}"\n'
        f"backoff_seconds = 0.05\nbackoff_max_seconds = {0.05 if name in OFTEN else 0.5}\nopen_timeout_seconds = 60\n"
        for name, url in urls.items()
    )
    http = '[http]\nlisten = "127.0.0.1:0"\nready = "any"\n'
    path.write_text(f'{http}[audit]\ncontent = "redacted"\n{directory}{tables}')


@contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """Keep a folder of another mount namespace at hand, also when its last process has gone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    finally:
        os.close(descriptor)
