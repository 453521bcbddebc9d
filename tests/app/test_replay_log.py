"""The audit log of a replay, where the disk does not take it."""

import errno
from pathlib import Path

import pytest

from steno.app import replay_log
from steno.app.replay_log import ReplayLog
from steno.audit.content_store.files import ContentFiles
from steno.audit.setup import open_log
from steno.config import parse
from steno.errors import UnavailableError


def full() -> None:
    """Fail as a disk does that is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("ends", [True, False], ids=["at the end", "when the replay fails"])
def test_no_record_is_written_whose_content_could_not_be(
    ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ContentFiles(tmp_path)
    with open_log(tmp_path, parse("", "steno.toml"), None) as opened:
        log = ReplayLog(opened, files)
        log.submit(b'"at":null,"fact":"stream.opened","conversation":null,"stream":null,"event_id":null,"body":{}')
        monkeypatch.setattr(files, "flush", full)
        if ends:
            with pytest.raises(UnavailableError, match=r"cannot write the audit log in .*: No space left on device"):
                log.close()
        else:
            log.leave()

    assert b"stream.opened" not in b"".join(path.read_bytes() for path in tmp_path.glob("*.jsonl"))


def test_a_record_that_the_disk_does_not_take_ends_the_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once enough are there to be written."""
    monkeypatch.setattr(replay_log, "FLUSH_BYTES", 1)
    files = ContentFiles(tmp_path)
    with open_log(tmp_path, parse("", "steno.toml"), None) as opened:
        log = ReplayLog(opened, files)
        monkeypatch.setattr(files, "flush", full)
        with pytest.raises(UnavailableError, match=r"cannot write the audit log in .*: No space left on device"):
            log.submit(b'"at":null,"fact":"stream.opened","conversation":null,"stream":null,"event_id":null,"body":{}')
