"""The log of a running daemon: held sources, its key, its checkpoints, damage, retention, one writer a folder."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from steno import __version__
from steno.audit.reports import WriterReports
from steno.audit.service import AuditService
from steno.config import Audit, Config
from steno.config.schema import Anchor
from steno.errors import UsageError
from tests.audit.helpers import AT, opened, said
from tests.processes import running, steno, wait_for, wait_until

KEYS = ("0123456789abcdef" * 2, "fedcba9876543210" * 2)


def configure(folder: Path, audit: str = "") -> Path:
    """Write a configuration whose log is flushed soon."""
    config = folder / "steno.toml"
    log = f'[audit]\ndirectory = "{folder}/audit"\nflush_seconds = 0.05\n{audit}'
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n{log}')
    return config


def records(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "audit").glob("audit-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def count(folder: Path, fact: str) -> int:
    return [record["fact"] for record in records(folder)].count(fact)


# The service by itself ------------------------------------------------------------------------------------


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Feeder:
    """What can be held: keeps what it is asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def hold(self) -> None:
        self.asked.append("hold")

    def release(self) -> None:
        self.asked.append("release")


class Changes(Struct):
    """What a reload changed."""

    added: list[str]


def now() -> int:
    return AT


@pytest.mark.anyio
async def test_without_a_folder_there_is_no_log_and_nothing_is_wrong() -> None:
    with AuditService.open(Config(), {}, AT, now) as service:
        service.start(Feeder(), AT)
        service.reopen(AT, Config(), Changes([]))
        with pytest.raises(UsageError, match="writes no audit log"):
            await service.erase("relay/a", AT, lambda: False, partial=False)

        assert (service.directory, list(service.sinks), service.records) == (None, [], 0)
        assert (service.progressing(1.0), service.writable(), service.finish(AT, 1.0)) == (True, True, True)
        assert service.numbers() == {
            "steno_build_info": {(__version__,): 1},
            "steno_audit_enabled": {(): 0},
        }


@pytest.mark.anyio
async def test_a_full_queue_holds_the_feeder_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is so short that the first record fills it."""
    monkeypatch.setattr("steno.audit.reports.CALM_SECONDS", 0.0)
    feeder = Feeder()
    audit = Audit(directory=str(tmp_path), queue_bytes=1)
    with capture_logs() as logs, AuditService.open(Config(audit=audit), {}, AT, now) as service:
        service.start(feeder, AT)
        await wait_until(lambda: len(logs) > 1)
        asked, lines = list(feeder.asked), [line["event"] for line in logs]
        assert service.finish(AT, 30.0)

    assert asked == ["hold", "release"]
    assert lines == ["reading stops: the audit log cannot keep up", "reading goes on"]


@pytest.mark.anyio
async def test_a_full_queue_that_sheds_holds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steno.audit.reports.CALM_SECONDS", 0.0)
    feeder = Feeder()
    audit = Audit(directory=str(tmp_path), queue_bytes=1, when_full="shed")
    with capture_logs() as logs, AuditService.open(Config(audit=audit), {}, AT, now) as service:
        service.start(feeder, AT)
        await wait_until(lambda: len(logs) > 1)
        lines = [line["event"] for line in logs]
        assert service.finish(AT, 30.0)

    assert feeder.asked == []
    assert lines == ["records are dropped: the audit log cannot keep up", "records are written again"]


@pytest.mark.anyio
async def test_a_queue_that_fills_again_and_again_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only another reason is logged meanwhile, and at last that it is over."""
    feeder = Feeder()
    reports = WriterReports(blocks=True)
    with capture_logs() as logs:
        reports.attach(feeder, asyncio.get_running_loop())
        for failing in (None, None, "no_space", None, "no_space"):
            reports.full(failing)
            reports.room()
            await wait_until(lambda: feeder.asked[-1] == "release")
        monkeypatch.setattr("steno.audit.reports.CALM_SECONDS", 0.0)
        reports.room()
        await wait_until(lambda: logs[-1]["event"] == "reading goes on")

    assert feeder.asked == ["hold", "release"] * 5 + ["release"]
    assert [(line["event"], line.get("failing"), line.get("times")) for line in logs] == [
        ("reading stops: the audit log cannot keep up", None, None),
        ("reading stops: the audit log cannot keep up", "no_space", None),
        ("reading goes on", None, 5),
    ]


@pytest.mark.anyio
async def test_a_source_that_sheds_is_logged_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load it begins to shed several times a second. Nobody is held for it."""
    feeder = Feeder()
    reports = WriterReports(blocks=True)
    with capture_logs() as logs:
        reports.shedding("proxy", None)  # before there is anybody to be held: nothing is fed yet
        reports.attach(feeder, asyncio.get_running_loop())
        reports.shedding("proxy", "no_space")
        reports.shedding("proxy", None)
        monkeypatch.setattr("steno.audit.reports.SHEDDING_LOGGED_SECONDS", 0.0)
        reports.shedding("other", None)

    assert feeder.asked == []
    assert [(line["source"], line["failing"], line["log_level"]) for line in logs] == [
        ("proxy", "no_space", "warning"),
        ("other", None, "warning"),
    ]


@pytest.mark.anyio
async def test_a_log_that_is_written_is_shown_in_numbers(tmp_path: Path) -> None:
    config = Config(audit=Audit(directory=str(tmp_path)))
    with AuditService.open(config, {}, AT, now) as service:
        service.start(Feeder(), AT)
        assert service.finish(AT, 30.0)
        numbers = {name: dict(values) for name, values in service.numbers().items()}

    assert numbers == {
        "steno_build_info": {(__version__,): 1},
        "steno_audit_enabled": {(): 1},
        "steno_audit_records_total": {(): 4},
        "steno_audit_write_errors_total": {("no_space",): 0, ("read_only",): 0, ("io",): 0, ("permission",): 0},
        "steno_audit_queue_bytes": {(): 0},
        "steno_audit_unflushed_seconds": {(): 0.0},
        "steno_audit_blocked": {(): 0},
        "steno_audit_flushed_seq": {(): 4},
        "steno_audit_shed_records_total": {(): 0},
        "steno_audit_unreadable_records_total": {(): 0},
        "steno_audit_checkpoints_total": {(): 0},
        "steno_audit_damaged_segments_total": {(): 0},
        "steno_audit_retired_segments_total": {(): 0},
        "steno_audit_held_segments": {(): 0},
    }
    assert (service.progressing(1.0), service.writable()) == (False, False)  # its thread has ended


@pytest.mark.anyio
async def test_heads_are_anchored_at_checkpoints_and_at_the_end(tmp_path: Path) -> None:
    place = tmp_path / "heads.jsonl"
    audit = Audit(
        directory=str(tmp_path / "audit"), anchor=Anchor(file=str(place)), checkpoint_records=3, flush="always"
    )
    with AuditService.open(Config(audit=audit), {}, AT, now) as service:
        service.start(Feeder(), AT)
        for number in range(4):
            service.draining(AT, number, 0.0)
        before = service.numbers()["steno_audit_anchors_total"]
        assert service.finish(AT, 30.0)
        numbers = service.numbers()

    heads = [json.loads(line) for line in place.read_text().splitlines()]
    last = records(tmp_path)[-1]
    assert set(before) == {("file",)}
    assert (heads[-1]["seq"], heads[-1]["hash"], heads[-1]["log_id"]) == (last["seq"], last["hash"], service.log_id)
    assert numbers["steno_audit_anchored_seq"] == {(): last["seq"]}
    assert numbers["steno_audit_anchor_failures_total"] == {("file",): 0}


@pytest.mark.anyio
async def test_reopening_records_the_changes_and_begins_a_segment(tmp_path: Path) -> None:
    """Under the digest of the new configuration; the content policy is the one of the start."""
    config = Config(audit=Audit(directory=str(tmp_path / "audit")))
    again = Config(audit=Audit(directory=str(tmp_path / "audit"), content="full"))
    with AuditService.open(config, {}, AT, now) as service:
        service.start(Feeder(), AT)
        service.reopen(AT, again, Changes(["relay"]))
        assert service.finish(AT, 30.0)

    held = records(tmp_path)
    digests = [record["body"]["config_digest"] for record in held if record["fact"] == "log.opened"]
    assert [record["fact"] for record in held] == [
        *("log.opened", "daemon.started", "daemon.reloaded", "log.closed"),
        *("log.opened", "daemon.stopped", "log.closed"),
    ]
    assert held[2]["body"] == {"config_digest": digests[1], "added": ["relay"]}
    assert digests[0] != digests[1]
    assert [record["body"]["content_policy"] for record in held if record["fact"] == "log.opened"] == ["none"] * 2


def test_a_service_that_was_not_started_releases_its_folder(tmp_path: Path) -> None:
    """As where the daemon cannot open what comes after the log."""
    with AuditService.open(Config(audit=Audit(directory=str(tmp_path))), {}, AT, now):
        pass

    opened(tmp_path).close(AT)


# In a daemon ----------------------------------------------------------------------------------------------


def test_a_key_that_was_replaced_holds_from_the_next_segment_on(tmp_path: Path) -> None:
    """SIGHUP reads it again; both are needed to prove the log. One that is gone is reported, and the old one stays."""
    current, *kept = (tmp_path / name for name in ("key", "first", "second"))
    for path, key in zip(kept, KEYS, strict=True):
        path.write_text(key)
    current.write_text(KEYS[0])
    with running(configure(tmp_path, f'key = {{ file = "{current}" }}')) as daemon:
        wait_for(lambda: count(tmp_path, "daemon.started"))
        for turn, key in enumerate((KEYS[1], ""), start=2):
            current.write_text(key)
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: count(tmp_path, "log.opened") == turn)  # noqa: B023
        assert daemon.stop() == 0

    both = steno("verify", tmp_path / "audit", "--key-file", kept[0], "--key-file", kept[1])
    one = steno("verify", tmp_path / "audit", "--key-file", kept[0])
    opened = [record["body"]["key_id"] for record in records(tmp_path) if record["fact"] == "log.opened"]

    assert (both.returncode, one.returncode) == (0, 1), both.stdout
    assert opened[1] == opened[2] != opened[0]
    assert count(tmp_path, "daemon.reloaded") == 2
    (fault,) = [line["faults"] for line in daemon.lines() if line["level"] == "error"]
    assert fault == [f"{current}: is empty"]
    assert not any(key in (tmp_path / "steno.log").read_text() for key in KEYS)


def test_a_stolen_key_that_was_replaced_forges_no_later_record(tmp_path: Path) -> None:
    """Whoever has it and can write the folder goes on under it, behind the log or in the place of its end."""
    keys = [tmp_path / "old", tmp_path / "new"]
    for path, key in zip(keys, KEYS, strict=True):
        path.write_text(key)
        with running(configure(tmp_path, f'key = {{ file = "{path}" }}')) as daemon:
            wait_for(lambda: count(tmp_path, "daemon.stopped") < count(tmp_path, "daemon.started"))
            assert daemon.stop() == 0
    given = [option for key in keys for option in ("--key-file", key)]
    assert steno("verify", tmp_path / "audit", *given).returncode == 0

    with opened(tmp_path / "audit", key=KEYS[0].encode()) as log:
        log.close(AT)
    behind = steno("verify", tmp_path / "audit", *given)
    for path in sorted((tmp_path / "audit").glob("audit-*.jsonl"))[1:]:
        path.unlink()
    with opened(tmp_path / "audit", key=KEYS[0].encode()) as log:
        log.close(AT)
    instead = steno("verify", tmp_path / "audit", *given)
    ranged = steno("verify", tmp_path / "audit", *given, "--keyed-from", "1", "--keyed-from", "5")

    assert [done.returncode for done in (behind, instead, ranged)] == [1, 1, 1]
    assert b"record 9: it is hashed under a key that a later one has replaced" in behind.stdout
    assert b"record 7: the log has no record under a key that was given" in instead.stdout
    assert b"record 5: it is hashed under a key that a later one has replaced" in ranged.stdout


def test_another_log_under_the_same_key_is_not_the_one_that_the_daemon_named(tmp_path: Path) -> None:
    """It is named in the operational log at each start."""
    (tmp_path / "key").write_text(KEYS[0])
    named = []
    for name in ("one", "one", "two"):
        (tmp_path / name).mkdir(exist_ok=True)
        with running(configure(tmp_path / name, f'key = {{ file = "{tmp_path}/key" }}')) as daemon:
            wait_for(lambda: count(tmp_path / name, "daemon.stopped") < count(tmp_path / name, "daemon.started"))  # noqa: B023
            assert daemon.stop() == 0
        named += [line["audit_log"] for line in daemon.lines() if line["event"] == "started"]

    def code(name: str, log_id: object) -> int:
        done = steno("verify", tmp_path / name / "audit", "--key-file", tmp_path / "key", "--log", str(log_id))
        return done.returncode

    one, again, two = named
    assert (one, len(str(one)), one == two) == (again, 64, False)
    assert [code("one", one), code("two", two), code("two", one), code("one", two)] == [0, 0, 1, 1]


def test_a_head_that_was_reported_is_proved_later_and_shows_a_tail_that_was_cut(tmp_path: Path) -> None:
    """The line of the operational log is what `steno verify --head` takes."""
    with running(configure(tmp_path, "checkpoint_seconds = 0.1")) as daemon:
        heads = wait_for(
            lambda: [str(line["head"]) for line in daemon.lines() if "checkpoint" in str(line["event"])][1:]
        )
        assert daemon.metric("steno_audit_checkpoints_total") >= 1
        assert daemon.stop() == 0
    (segment,) = (tmp_path / "audit").glob("audit-*.jsonl")

    head = heads[-1]  # before the first one there may be nothing that is left when it is cut off
    whole = steno("verify", tmp_path / "audit", "--head", head)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[: int(head.split(":")[0]) - 1]))
    cut = steno("verify", tmp_path / "audit", "--head", head)
    unnoticed = steno("verify", tmp_path / "audit")

    assert (whole.returncode, cut.returncode, unnoticed.returncode) == (0, 1, 0)


def test_a_segment_that_somebody_moves_is_reported_everywhere(tmp_path: Path) -> None:
    """In the log, in the operational log and as a metric; the log goes on, and verification fails at the damage."""
    with running(configure(tmp_path)) as daemon:
        wait_for(lambda: count(tmp_path, "daemon.started"))
        (segment,) = (tmp_path / "audit").glob("audit-*.jsonl")
        segment.rename(tmp_path / "audit" / "rotated-by-logrotate.1")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.metric("steno_audit_damaged_segments_total") == 1)
        assert daemon.stop() == 0

    (body,) = [record["body"] for record in records(tmp_path) if record["fact"] == "log.damaged"]
    assert (body["segment"], body["damage"]) == (segment.name, "renamed")
    (line,) = [line for line in daemon.lines() if line["level"] == "error"]
    assert (line["segment"], line["damage"]) == (segment.name, "renamed")
    failed = steno("verify", tmp_path / "audit")
    assert failed.returncode == 1
    assert b"renamed" in failed.stdout


def test_old_segments_are_deleted_and_the_log_still_verifies(tmp_path: Path) -> None:
    """By their age; the log records which."""
    with running(configure(tmp_path, "segment_seconds = 0.2\nretention_days = 0.00001")) as daemon:
        wait_for(lambda: daemon.metric("steno_audit_retired_segments_total") >= 2)
        assert daemon.stop() == 0

    deleted = [line for line in daemon.lines() if line["event"] == "an old segment of the audit log was deleted"]
    assert {line["level"] for line in deleted} == {"warning"}
    assert str(deleted[0]["segment"]) == "audit-00000000000000000001.jsonl"
    assert count(tmp_path, "log.retired") >= 1
    assert records(tmp_path)[0]["seq"] > 1
    (log_id,) = [line["audit_log"] for line in daemon.lines() if line["event"] == "started"]
    proved = steno("verify", tmp_path / "audit", "--log", str(log_id))
    assert proved.returncode == 0, proved.stdout
    assert b"retired" in proved.stdout
    assert f"log       {log_id}, as the log itself tells".encode() in proved.stdout


@pytest.mark.parametrize("days_off", [14 * 365, 60])
def test_a_clock_that_is_far_ahead_at_the_start_deletes_nothing(tmp_path: Path, days_off: int) -> None:
    """The same log, by a clock that is right, is one whose host was off for long: that is believed after a week."""
    with opened(tmp_path / "audit", at=None, segment_bytes=500) as log:
        for number in range(9):
            log.append(said(number, None))
        log.close(None)
    before = sorted(path.name for path in (tmp_path / "audit").glob("audit-*.jsonl"))
    for number, name in enumerate(before):
        written = time.time() - (days_off - number) * 86_400
        os.utime(tmp_path / "audit" / name, (written, written))

    with running(configure(tmp_path, "checkpoint_seconds = 0.05\nretention_days = 30")) as daemon:
        wait_for(lambda: daemon.metric("steno_audit_checkpoints_total") >= 3)
        held, retired = (daemon.metric(f"steno_audit_{name}") for name in ("held_segments", "retired_segments_total"))
        assert daemon.stop() == 0

    assert (held, retired, count(tmp_path, "log.retired")) == (len(before), 0, 0)
    assert all((tmp_path / "audit" / name).exists() for name in before)
    (line,) = [line for line in daemon.lines() if "clock is doubted" in str(line["event"])]
    assert (line["level"], line["segments"], line["behind"]) == ("warning", len(before), 0)
    assert days_off - 10 < int(str(line["days"])) <= days_off


def test_a_clock_that_is_behind_the_log_deletes_nothing_and_is_reported(tmp_path: Path) -> None:
    with opened(tmp_path / "audit", at=None, segment_bytes=500) as log:
        for number in range(9):
            log.append(said(number, None))
        log.close(None)
    before = sorted(path.name for path in (tmp_path / "audit").glob("audit-*.jsonl"))
    for number, name in enumerate(before):
        written = time.time() + (400 + number) * 86_400
        os.utime(tmp_path / "audit" / name, (written, written))

    with running(configure(tmp_path, "checkpoint_seconds = 0.05\nretention_days = 3")) as daemon:
        wait_for(lambda: daemon.metric("steno_audit_checkpoints_total") >= 3)
        held = daemon.metric("steno_audit_held_segments")
        assert daemon.stop() == 0

    assert (held, count(tmp_path, "log.retired")) == (len(before) - 3, 0)
    (line,) = [line for line in daemon.lines() if "clock is doubted" in str(line["event"])]
    assert (line["segments"], line["behind"]) == (held, 400 + len(before) - 2)


def test_a_second_daemon_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """With one clear line, and the first one goes on."""
    with running(configure(tmp_path)) as daemon:
        wait_for(lambda: count(tmp_path, "daemon.started"))
        second = steno("run", "-c", tmp_path / "steno.toml")
        assert daemon.get("/readyz")[0] == 200
        assert daemon.stop() == 0

    assert second.returncode == 69
    assert second.stderr.decode().splitlines()[-1] == (
        f"steno: another steno writes the audit log in {tmp_path}/audit: stop it, or give this one a folder of its own "
        "(audit.directory, or LogsDirectory= of its unit)"
    )
