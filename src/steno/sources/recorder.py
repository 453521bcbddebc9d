"""`--record`: the frames of each stream in a file of their own, a line a frame, readable by its owner alone."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import structlog

from steno.core.frame import Frame
from steno.errors import UnavailableError
from steno.output_errors import OutputErrors
from steno.sources.recording import Close, Missed, close_line, frame_line, gap_line


class Recorder:
    """A folder of recordings."""

    def __init__(self, folder: Path, errors: OutputErrors) -> None:
        """Record into `folder`, which is made where it does not exist; failures count in `errors`.

        Raises UnavailableError where the folder cannot be made.
        """
        self._folder = folder
        self._errors = errors
        self._open: set[Recording] = set()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"cannot record into {folder}: {error.strerror}") from error

    def begin(self, stream: str, conversation: str | None = None, *, reply: bool = False) -> "Recording":
        """Begin the recording of `stream`, whose `conversation` may have a name, and which may be a `reply`.

        Raises UnavailableError where its file cannot be made, or exists: a file is never overwritten.
        """
        path = self._folder / (stream.replace("/", "-") + ".jsonl")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            self._errors.count("recording", error)
            raise UnavailableError(f"cannot record into {path}: {error.strerror}") from error
        recording = Recording(os.fdopen(descriptor, "wb"), self._open.discard, self._errors, conversation, reply=reply)
        self._open.add(recording)
        return recording

    def flush(self) -> None:
        """Hand what was recorded to the operating system, so that readers of the files see it."""
        for recording in tuple(self._open):
            recording.flush()


class Recording:
    """The file of one stream. A write that fails ends the recording, not the stream."""

    def __init__(
        self,
        file: BinaryIO,
        ended: Callable[["Recording"], None],
        errors: OutputErrors,
        conversation: str | None = None,
        *,
        reply: bool = False,
    ) -> None:
        """Write to `file`, and call `ended` when the recording is over.

        The first line names the `conversation`, and says whether the stream is a `reply`.
        """
        self._errors = errors
        self.conversation = conversation
        self.reply = reply
        self._file = file
        self._ended = ended

    def frame(self, frame: Frame) -> None:
        """Write one frame."""
        try:
            self._write(frame_line(frame, self.conversation, reply=self.reply))
        except Exception:  # noqa: BLE001  # a recording is an extra: a mistake of ours in it must not end the stream
            structlog.get_logger().exception("internal error: recording ends early", file=self._file.name)
            self._end()
        self.conversation, self.reply = None, False

    def gap(self, missed: Missed) -> None:
        """Write where frames are missing."""
        self._write(gap_line(missed))

    def close(self, close: Close) -> None:
        """Write how the connection ended, and close the file."""
        self._write(close_line(close), flush=True)  # so that a disk that is full is noticed here at the latest
        self._end()

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._write(b"", flush=True)

    def _write(self, line: bytes, *, flush: bool = False) -> None:
        if self._file.closed:
            return
        try:
            self._file.write(line)
            if flush:
                self._file.flush()
        except OSError as error:
            self._errors.count("recording", error)
            structlog.get_logger().error(
                "recording ends early: its file cannot be written", file=self._file.name, reason=error.strerror
            )
            self._end()

    def _end(self) -> None:
        with suppress(OSError):  # the rest of a write that failed is tried once more here, and fails again
            self._file.close()
        self._ended(self)
