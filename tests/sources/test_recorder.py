"""Recordings on disk: a file a stream, readable by its owner alone."""

import stat
from pathlib import Path

import pytest

from steno.core.frame import Frame
from steno.errors import UnavailableError
from steno.output_errors import OutputErrors
from steno.sources.recorder import Recorder, Recording
from steno.sources.recording import Close


def test_records_frames_and_the_close(tmp_path: Path) -> None:
    """A recording has the frames in order, and how the connection ended."""
    recorder = Recorder(tmp_path / "made" / "here", OutputErrors())
    recording = recorder.begin("relay/17/1")
    recording.frame(Frame(b'{"type":"ping"}', 0))
    recording.close(Close(1, 1000, ""))

    path = tmp_path / "made" / "here" / "relay-17-1.jsonl"

    assert path.read_bytes() == (
        b'{"dir":"received","at":"1970-01-01T00:00:00.000000Z","data":{"type":"ping"}}\n'
        b'{"dir":"close","at":"1970-01-01T00:00:00.000001Z","code":1000,"reason":""}\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_flush_shows_what_was_recorded(tmp_path: Path) -> None:
    """A recording can be read while it grows."""
    recorder = Recorder(tmp_path, OutputErrors())
    recording = recorder.begin("relay/17/1")
    recording.frame(Frame(b'{"type":"ping"}', None))

    recorder.flush()

    assert (tmp_path / "relay-17-1.jsonl").read_bytes() == b'{"dir":"received","data":{"type":"ping"}}\n'
    recording.close(Close(None, None, ""))
    recorder.flush()


def test_disk_that_is_full_ends_the_recording_and_not_the_reader(tmp_path: Path) -> None:
    """A write that fails is logged, and ends the recording once; the rest of the stream is ignored."""
    ended: list[Recording] = []
    recording = Recording(Path("/dev/full").open("wb"), ended.append, OutputErrors())  # noqa: SIM115  # the recording closes it

    recording.frame(Frame(b"{}", None))
    recording.flush()
    recording.frame(Frame(b"{}", None))
    recording.close(Close(None, None, ""))

    assert set(ended) == {recording}


def test_disk_that_is_full_is_noticed_at_the_end_at_the_latest() -> None:
    """A stream that was short stood in a buffer. That it is in no file is counted, once."""
    errors = OutputErrors()
    recording = Recording(Path("/dev/full").open("wb"), lambda _: None, errors)  # noqa: SIM115  # as above

    recording.frame(Frame(b"{}", None))
    recording.close(Close(None, None, ""))

    assert errors.numbers()["steno_output_errors_total"]["recording", "no_space"] == 1


def test_never_overwrites(tmp_path: Path) -> None:
    """A file that exists is not touched."""
    (tmp_path / "relay-17-1.jsonl").write_text("mine")

    with pytest.raises(UnavailableError, match="relay-17-1"):
        Recorder(tmp_path, OutputErrors()).begin("relay/17/1")

    assert (tmp_path / "relay-17-1.jsonl").read_text() == "mine"


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The error names the path."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UnavailableError, match="cannot record into"):
        Recorder(tmp_path / "file", OutputErrors())
