"""What the service manager hears: each message whole, in order, and none that is not true."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec import Struct
from structlog.testing import capture_logs

from steno.admin.http import CheckResult
from steno.app.notify import Notifier, ServiceReports
from steno.output_errors import OutputErrors
from tests.app.managers import Manager


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def manager() -> Iterator[Manager]:
    with Manager() as made:
        yield made


# The protocol ---------------------------------------------------------------------------------------------


def test_a_message_reaches_a_socket_that_is_a_file(tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": os.path.relpath(tmp_path / "notify")}  # a longer path than 107 bytes is none
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock, closing(Notifier(environ)) as notifier:
        sock.bind(environ["NOTIFY_SOCKET"])
        taken = notifier.send(READY=1, STATUS="streams: 2")
        message = sock.recv(1024)

    assert (taken, message) == (True, b"READY=1\nSTATUS=streams: 2")


def test_a_message_reaches_a_socket_that_is_no_file(manager: Manager) -> None:
    environ = dict(manager.environ)
    with closing(Notifier(environ)) as notifier:
        notifier.send(READY=1)

    assert environ == manager.environ
    assert environ["NOTIFY_SOCKET"].startswith("@")
    assert manager.received() == [{"READY": "1"}]


def test_nobody_is_notified_where_nobody_asks() -> None:
    failures: list[OSError] = []
    notifier = Notifier({"WATCHDOG_USEC": "30000000"}, failures.append)

    assert (notifier.send(READY=1), notifier.watchdog_seconds, notifier.unsent, failures) == (False, None, {}, [])


@pytest.mark.parametrize("name", ["/nowhere/notify", "vsock:2:1234", "@" + "x" * 200, "@"])
def test_a_socket_that_takes_nothing_harms_nothing(name: str) -> None:
    """Each failure is counted; the first one is said."""
    errors = OutputErrors()
    with (
        capture_logs() as logs,
        closing(Notifier({"NOTIFY_SOCKET": name}, lambda error: errors.count("notify", error))) as notifier,
    ):
        taken = [notifier.send(READY=1), notifier.send(WATCHDOG=1)]

    counted = errors.numbers()["steno_output_errors_total"]
    assert taken == [False, False]
    assert sum(counted["notify", reason] for kind, reason in counted if kind == "notify") == 2
    assert [line["event"] for line in logs] == ["the service manager takes no notification"]


def test_what_the_daemon_is_waits_for_a_manager_that_is_busy(manager: Manager) -> None:
    """A start that got lost would end the daemon. A sign of life holds for its moment alone."""
    with closing(Notifier(manager.environ)) as notifier:
        filled = next(number for number in count() if not notifier.send(EXTEND_TIMEOUT_USEC=number))
        lost = [notifier.send(READY=1, STATUS="begun"), notifier.send(WATCHDOG=1), notifier.send(STATUS="runs")]
        before = manager.received()
        taken = [notifier.send(WATCHDOG=1), notifier.send(WATCHDOG=1)]

    assert lost == [False, False, False]
    assert before == [{"EXTEND_TIMEOUT_USEC": str(number)} for number in range(filled)]
    assert taken == [True, True]
    assert manager.received() == [{"READY": "1", "STATUS": "runs", "WATCHDOG": "1"}, {"WATCHDOG": "1"}]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "500000"}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_PID": str(os.getpid())}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "\u0663"}, None),
    ],
)
def test_a_watchdog_is_fed_where_it_waits_for_this_process(asked: Mapping[str, str], seconds: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/notify", **asked}).watchdog_seconds == seconds


# What is reported -----------------------------------------------------------------------------------------


class Desk(Struct):
    """A made-up daemon, which fares as a play says."""

    progress: bool = True
    open: int = 0
    calls: int = 0
    lag_seconds: float | None = 0.0
    is_writable: bool = True
    time: float = 100.0

    @property
    def sources(self) -> Any:
        return self

    pipeline = registry = audit = health = sources

    def ready(self) -> Mapping[str, bool]:
        return {"front": True, "relay": False}

    @property
    def streams(self) -> range:
        return range(self.open)

    conversations = streams

    def writable(self) -> bool:
        return self.is_writable

    def healthy(self) -> CheckResult:
        return CheckResult(self.progress, {})


class Reporting:
    """A daemon, what it reports, and the manager that hears it."""

    def __init__(self, manager: Manager, watchdog_usec: int = 20_000_000) -> None:
        self.desk = Desk()
        self.manager = manager
        self.notifier = Notifier({**manager.environ, "WATCHDOG_USEC": str(watchdog_usec)})
        self.reports = ServiceReports(self.notifier, self.desk, lambda: self.desk.time)

    def turns(self, seconds: float) -> list[dict[str, str]]:
        """Let time pass in turns; return what was heard."""
        for _ in range(int(seconds / self.reports.turn_seconds)):
            self.reports.turn()
            self.desk.time += self.reports.turn_seconds
        return self.manager.received()


@pytest.fixture
def play(manager: Manager) -> Iterator[Reporting]:
    reporting = Reporting(manager)
    with closing(reporting.notifier):
        yield reporting


RUNNING = "streams: 0, conversations: 0, sources ready: 1 of 2, audit log: up to date"


def test_the_line_is_the_one_that_is_documented() -> None:
    page = (Path(__file__).parents[2] / "deploy/README.md").read_text()
    (shown,) = re.findall(r'^Status: "(.*)"$', page, re.MULTILINE)

    assert re.sub(r"\d+", "0", shown) == re.sub(r"\d+", "0", RUNNING)


def test_a_daemon_that_runs_feeds_the_watchdog_four_times_as_often_as_it_must(
    manager: Manager, play: Reporting
) -> None:
    play.reports.ready()

    assert manager.received() == [{"READY": "1", "STATUS": RUNNING}]
    assert play.turns(20) == [{"WATCHDOG": "1"}] * 4


def test_an_impatient_watchdog_is_fed_more_often_but_not_without_a_pause(manager: Manager) -> None:
    assert Reporting(manager, 400_000).reports.turn_seconds == 0.1
    assert Reporting(manager, 1).reports.turn_seconds == 0.01


def test_no_sign_of_life_without_progress_and_the_next_as_soon_as_there_is(manager: Manager, play: Reporting) -> None:
    play.reports.ready()
    manager.received()
    play.desk.progress = False
    hung = play.turns(60)
    play.desk.progress = True

    assert (hung, play.turns(1)) == ([], [{"WATCHDOG": "1"}])


def test_a_status_is_sent_when_it_changed_every_few_seconds_at_most(manager: Manager, play: Reporting) -> None:
    play.reports.ready()
    manager.received()
    heard = []
    for play.desk.open in range(20):
        heard += [message["STATUS"] for message in play.turns(1) if "STATUS" in message]
    play.desk.lag_seconds, play.desk.is_writable = 12.4, False
    heard += [message["STATUS"] for message in play.turns(10) if "STATUS" in message]
    play.desk.lag_seconds, play.desk.is_writable = None, True
    heard += [message["STATUS"] for message in play.turns(10) if "STATUS" in message]

    rest = "sources ready: 1 of 2, audit log:"
    assert heard == [
        *(f"streams: {n}, conversations: {n}, {rest} up to date" for n in (5, 10, 15)),
        f"streams: 19, conversations: 19, {rest} 12 s behind, cannot be written",
        f"streams: 19, conversations: 19, {rest} off",
    ]


def test_a_reload_has_its_time_and_its_end_even_where_it_fails(manager: Manager, play: Reporting) -> None:
    with pytest.raises(ZeroDivisionError), play.reports.reloading():
        raise ZeroDivisionError

    (began, ended) = manager.received()
    assert (began.pop("RELOADING"), int(began.pop("MONOTONIC_USEC")) > 0, began) == ("1", True, {})
    assert ended == {"READY": "1"}


def extensions(heard: list[dict[str, str]]) -> list[str]:
    return [message["EXTEND_TIMEOUT_USEC"] for message in heard if "EXTEND_TIMEOUT_USEC" in message]


def test_time_to_stop_is_asked_for_as_long_as_the_drain_may_take(manager: Manager, play: Reporting) -> None:
    """And not a second longer, though the daemon makes progress."""
    play.desk.calls = 3
    play.reports.stopping(40.0)
    (first,) = manager.received()
    later = extensions(play.turns(100))

    assert first == {"STOPPING": "1", "STATUS": f"stopping, calls: 3, {RUNNING}", "EXTEND_TIMEOUT_USEC": "30000000"}
    assert later == ["30000000", "25000000", "15000000", "5000000"]


def test_a_drain_that_ends_early_asks_for_the_rest_alone(play: Reporting) -> None:
    play.reports.stopping(3610.0)
    play.turns(60)
    play.reports.stopping(10.0)

    assert extensions(play.turns(60)) == ["15000000", "5000000"]


def test_a_drain_that_hangs_asks_for_nothing(manager: Manager, play: Reporting) -> None:
    play.reports.stopping(3610.0)
    manager.received()
    play.desk.progress = False

    assert play.turns(3610.0) == []
