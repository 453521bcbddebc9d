"""`--record`: each stream's frames in a file of its own, a line a frame, readable by its owner alone."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from steno.core.frame import Frame
from steno.errors import UnavailableError
from steno.sources.lines import Close, close_line, frame_line


class Recorder:
    """A folder of recordings."""

    def __init__(self, folder: Path) -> None:
        """Record into `folder`, made if it is not there. Raises UnavailableError where that cannot be."""
        self._folder = folder
        self._open: set[Recording] = set()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"cannot record into {folder}: {error.strerror}") from error

    def begin(self, stream: str) -> "Recording":
        """Begin the recording of `stream`."""
        path = self._folder / (stream.replace("/", "-") + ".jsonl")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise UnavailableError(f"cannot record into {path}: {error.strerror}") from error
        recording = Recording(os.fdopen(descriptor, "wb"), self._open.discard)
        self._open.add(recording)
        return recording

    def flush(self) -> None:
        """Hand what was recorded to the system, so that a reader sees it."""
        for recording in self._open:
            recording.flush()


class Recording:
    """The file of one stream."""

    def __init__(self, file: BinaryIO, ended: Callable[["Recording"], None]) -> None:
        """Write to `file`, and say to `ended` when that is over."""
        self._file = file
        self._ended = ended

    def frame(self, frame: Frame) -> None:
        """Write one frame."""
        self._file.write(frame_line(frame))

    def close(self, close: Close) -> None:
        """Write how the connection ended, and end the file."""
        self._file.write(close_line(close))
        self._file.close()
        self._ended(self)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()
