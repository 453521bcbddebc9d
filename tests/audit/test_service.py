"""The log of a running daemon: its key, its checkpoints, and what it says of what somebody else does to it."""

import json
import signal
from pathlib import Path
from typing import Any

from tests.processes import running, steno, wait_for

KEYS = ("0123456789abcdef" * 2, "fedcba9876543210" * 2)


def configure(folder: Path, audit: str = "") -> Path:
    config = folder / "steno.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[audit]\ndirectory = "{folder}/audit"\n{audit}')
    return config


def records(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "audit").glob("audit-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def count(folder: Path, fact: str) -> int:
    return [record["fact"] for record in records(folder)].count(fact)


def test_a_key_that_was_replaced_holds_from_the_next_segment_on(tmp_path: Path) -> None:
    """SIGHUP reads it again; both are needed to prove the log. One that is gone is told, and the old one stays."""
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


def test_a_head_that_was_told_is_proved_later_and_misses_a_tail_that_was_cut(tmp_path: Path) -> None:
    """The line of the operational log is what `steno verify --head` takes."""
    with running(configure(tmp_path, "flush_seconds = 0.05\ncheckpoint_seconds = 0.1")) as daemon:
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


def test_a_segment_that_somebody_moves_is_told_everywhere(tmp_path: Path) -> None:
    """In the log, in the operational log and as a metric; the log goes on, and verification fails at the damage."""
    with running(configure(tmp_path, "flush_seconds = 0.05")) as daemon:
        wait_for(lambda: count(tmp_path, "daemon.started"))
        (segment,) = (tmp_path / "audit").glob("audit-*.jsonl")
        segment.rename(tmp_path / "audit" / "rotated-by-logrotate.1")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: count(tmp_path, "log.damaged"))
        assert daemon.metric("steno_audit_damaged_segments_total") == 1
        assert daemon.stop() == 0

    (body,) = [record["body"] for record in records(tmp_path) if record["fact"] == "log.damaged"]
    assert (body["segment"], body["damage"]) == (segment.name, "renamed")
    (line,) = [line for line in daemon.lines() if line["level"] == "error"]
    assert (line["segment"], line["damage"]) == (segment.name, "renamed")
    failed = steno("verify", tmp_path / "audit")
    assert failed.returncode == 1
    assert b"renamed" in failed.stdout


def test_old_segments_go_and_the_log_still_holds(tmp_path: Path) -> None:
    """By their age; what went is told."""
    with running(configure(tmp_path, "segment_seconds = 0.2\nretention_days = 0.00001")) as daemon:
        wait_for(lambda: daemon.metric("steno_audit_retired_segments_total") >= 2)
        assert daemon.stop() == 0

    assert count(tmp_path, "log.retired") >= 1
    assert records(tmp_path)[0]["seq"] > 1
    proved = steno("verify", tmp_path / "audit")
    assert proved.returncode == 0, proved.stdout
    assert b"retired" in proved.stdout


def test_a_second_daemon_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """With one clear line, and the first one goes on."""
    with running(configure(tmp_path)) as daemon:
        wait_for(lambda: count(tmp_path, "daemon.started"))
        second = steno("run", "-c", tmp_path / "steno.toml")
        assert daemon.get("/readyz")[0] == 200
        assert daemon.stop() == 0

    assert second.returncode == 69
    assert second.stderr.decode().splitlines()[-1] == (
        f"steno: another steno writes the audit log in {tmp_path}/audit: stop it, or choose another folder"
    )
