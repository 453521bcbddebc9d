"""Faults done to real daemons: each leads to its alert, and what its section of the runbook looks at shows the cause.

`make test-operations ARGS="-k drills -s"` prints what else was said, and where the cause stood.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.operations.prometheus import Prometheus, port_of, scrapes, server, until
from tests.processes import STENO, Running, running

SOURCES: Final = """
[http]
listen = "127.0.0.1:0"
[audit]
directory = "{folder}/{name}-audit"
queue_bytes = 65536
"""
LINE: Final = """
[[sources]]
name = "line-{n}"
kind = "connect"
url = "{url}?line={n}"
ping_interval_seconds = 1.0
ping_timeout_seconds = 1.0
open_timeout_seconds = 2.0
backoff_max_seconds = 1.0
"""
SECONDS: Final = 150.0
"""After it what is missing is looked at."""
NOW: Final = 5
"""Scrapes before the faults are done, so that counters are known at what they stand."""


class Drill(NamedTuple):
    """A fault, the alert that it leads to, and the words that tell its cause where the runbook looks."""

    name: str
    alerts: frozenset[str]
    look: Callable[["Scene"], str]
    """Does what the section says. Returns what is seen."""
    cause: str
    """Stands in that."""
    fault: Callable[["Scene"], None] = lambda scene: None
    """Is done after some scrapes; `limit` is there from the start."""
    limit: str = ""


class Scene(NamedTuple):
    """A daemon, its files, and the provider that it alone has."""

    name: str
    folder: Path
    daemon: Running
    upstream: "subprocess.Popen[str]"
    prometheus: Prometheus

    def readyz(self) -> str:
        return self.daemon.get("/readyz")[1]

    def log(self) -> str:
        return "\n".join(json.dumps(line) for line in self.daemon.lines() if line["level"] in {"warning", "error"})

    def increases(self, metric: str, by: str) -> str:
        """Ask for what the section asks for: the increase of a counter, by a label."""
        found = self.prometheus.query(f'sum by ({by}) (increase({metric}{{instance="{self.instance}"}}[5m])) > 0')
        return " ".join(sample["metric"].get(by, "") for sample in found)

    def value(self, expr: str) -> str:
        found = self.prometheus.query(expr.replace("INSTANCE", f'instance="{self.instance}"'))
        return " ".join(sample["value"][1] for sample in found)

    @property
    def instance(self) -> str:
        return next(address for address, name in self.prometheus.names.items() if name == self.name)


def end_of_log(scene: Scene) -> str:
    return f"exit {scene.daemon.process.poll()}"


def tamper(scene: Scene) -> None:
    """Append a line, as somebody would who wants to have said something."""
    segment = max((scene.folder / f"{scene.name}-audit").glob("audit-*.jsonl"))
    with segment.open("a") as file:
        file.write('{"seq":1}\n')


def reload_wrongly(scene: Scene) -> None:
    file = scene.folder / f"{scene.name}.toml"
    file.write_text(file.read_text() + "\nunknown_key = 1\n")
    scene.daemon.reload()


STEP: Final = """
import time
from pathlib import Path
wall, step = time.time_ns, Path("FOLDER/step")
time.time_ns = lambda: wall() - (7200 * 10**9 if step.exists() else 0)
"""
"""The wall clock of the process is two hours behind once a file is there."""
DRILLS: Final = (
    Drill(
        "killed",
        frozenset({"StenoDown"}),
        end_of_log,
        "exit -9",
        lambda scene: scene.daemon.process.kill(),
    ),
    Drill(
        "provider-stopped",
        frozenset({"StenoSourceDown"}),
        lambda scene: scene.readyz() + scene.increases("steno_connect_attempts_total", "reason"),
        "timeout",
        lambda scene: scene.upstream.send_signal(signal.SIGSTOP),
    ),
    Drill(
        "provider-gone",
        frozenset({"StenoSourceDown"}),
        lambda scene: scene.readyz() + scene.increases("steno_connect_attempts_total", "reason"),
        "refused",
        lambda scene: scene.upstream.kill(),
    ),
    Drill(
        "disk-full",
        frozenset({"StenoAuditNotWriting", "StenoAuditBlocked"}),
        lambda scene: scene.increases("steno_audit_write_errors_total", "reason"),
        "no_space",
        limit="import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))",
    ),
    Drill(
        "few-descriptors",
        frozenset({"StenoDescriptorsLow"}),
        lambda scene: scene.log(),
        "the limit of open files is low",
        limit="import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (19, 19))",
    ),
    Drill(
        "log-blocked",
        frozenset({"StenoOutputErrors"}),
        lambda scene: scene.increases("steno_output_errors_total", "kind"),
        "log",
        lambda scene: scene.upstream.kill(),
        limit="import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 2)",
    ),
    Drill(
        "clock-set",
        frozenset({"StenoClockWrong"}),
        lambda scene: scene.log() + scene.value("steno_clock_offset_seconds{INSTANCE}"),
        "the clock has changed",
        lambda scene: (scene.folder / "step").touch(),
        limit=STEP,
    ),
    Drill(
        "tampered",
        frozenset({"StenoAuditTampered"}),
        lambda scene: scene.log(),
        "somebody else changed the audit log",
        tamper,
    ),
    Drill(
        "wrong-configuration",
        frozenset({"StenoConfigReloadFailed"}),
        lambda scene: scene.log(),
        "the former one stays in use",
        reload_wrongly,
    ),
)


@contextmanager
def simulated(folder: Path, name: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run a provider of its own, which can be stopped and killed."""
    with (folder / f"{name}-provider.log").open("w") as log:
        process = subprocess.Popen(
            [*STENO, "simulate", "--listen", "127.0.0.1:0", "--speed", "2"], stdout=log, stderr=log, text=True
        )
    try:
        yield process, port_of(process)
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.kill()
        process.wait()


def configured(folder: Path, name: str, port: int) -> Path:
    url = f"ws://127.0.0.1:{port}/v1/realtime"
    file = folder / f"{name}.toml"
    lines = "".join(LINE.format(n=n, url=url) for n in range(3))
    file.write_text(SOURCES.format(folder=folder, name=name) + lines)
    return file


@pytest.mark.timeout(600)
def test_each_fault_leads_to_its_alert_and_the_alert_to_the_cause(tmp_path: Path) -> None:
    """All at once, each with a daemon and a provider of its own: alerts keep instances apart."""
    with ExitStack() as stack:
        upstreams = {drill.name: stack.enter_context(simulated(tmp_path, drill.name)) for drill in DRILLS}
        daemons = {
            drill.name: stack.enter_context(
                running(
                    configured(tmp_path, drill.name, upstreams[drill.name][1]),
                    limit=drill.limit.replace("FOLDER", str(tmp_path)),
                )
            )
            for drill in DRILLS
        }
        prometheus = stack.enter_context(server(tmp_path, daemons, "2s"))
        scenes = {
            drill: Scene(drill.name, tmp_path, daemons[drill.name], upstreams[drill.name][0], prometheus)
            for drill in DRILLS
        }
        until(lambda: scrapes(prometheus) >= NOW)
        for drill, scene in scenes.items():
            drill.fault(scene)
        said: dict[str, set[str]] = {drill.name: set() for drill in DRILLS}
        until(lambda: all_said(prometheus, said), SECONDS)
        until(lambda: all(drill.cause in drill.look(scene) for drill, scene in scenes.items()), SECONDS)
        seen = {drill.name: drill.look(scene) for drill, scene in scenes.items()}

    for name, names in said.items():
        print(f"{name}: {sorted(names)}: {seen.get(name, '')[:400]}")  # noqa: T201 - `-s` shows it
    assert {drill.name: drill.alerts - said[drill.name] for drill in DRILLS} == {drill.name: set() for drill in DRILLS}
    assert {drill.name: drill.cause in seen[drill.name] for drill in DRILLS} == {drill.name: True for drill in DRILLS}


def all_said(prometheus: Prometheus, said: dict[str, set[str]]) -> bool:
    """Note what is said of each daemon, and return whether each alert that is waited for was among it."""
    for instance, names in prometheus.active().items():
        said.setdefault(instance, set()).update(names)
    return all(drill.alerts <= said[drill.name] for drill in DRILLS)
