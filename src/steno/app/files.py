"""Files that a command writes because an option names them: `--state`, `--metrics`.

A regular file is written under another name and takes its place when it is complete, so that nobody reads half of it.
Anything else (a pipe, a terminal, `/dev/stdout`) is written in place.
"""

import errno
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from steno.core.conversation import Conversation
from steno.core.export import conversation_line, stream_line
from steno.core.stream import Stream
from steno.errors import UnavailableError

STATE_MODE = 0o600
"""The state shows content, so that it is readable by its owner alone."""
METRICS_MODE = 0o644
STANDARD = Path("-")
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What only writing fails with: the body that writes also does other things, which fail by themselves."""


def is_regular(path: Path) -> bool:
    """Return whether `path` is a regular file, or can become one. Raises OSError where it can be nothing at all."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


@contextmanager
def output(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Open `path`, or standard output where it is `-`, for the body to write all of it.

    A regular file stays as it was if the body fails. Raises UnavailableError, which names the path, where it cannot be
    written.
    """
    if path == STANDARD:
        with standard_output() as stream:
            yield stream
        return
    try:
        if not is_regular(path):
            with path.open("wb") as file:
                yield file
            return
        target = path.resolve()
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(mode)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def written(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """Open `path` as `output` does. Raises UnavailableError also where there is no room for what the body writes."""
    with _or_unavailable(str(path)), output(path, mode) as file:
        yield file


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Give standard output, for the body to write to.

    Raises UnavailableError where it is closed or cannot be written, and BrokenPipeError where its reader has gone.
    """
    if sys.stdout is None:  # the descriptor was closed by whoever started the process
        raise UnavailableError("cannot write standard output: it is closed")
    with _or_unavailable("standard output"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()


@contextmanager
def _or_unavailable(name: str) -> Iterator[None]:
    """Raise UnavailableError, which names the output, where the body has no room to write. Other errors are its own."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise UnavailableError(f"cannot write {name}: {error.strerror}") from error


class StateWriter:
    """Writes the state: conversations as they close, at the end those that are still open, then the streams.

    What has ended goes to the disk at once, so that a daemon that runs for long does not keep it in memory.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Write to `file`."""
        self._file = file
        self._streams = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `finish`

    def closed(self, state: Conversation) -> None:
        """Write a conversation that has ended."""
        self._file.write(conversation_line(state))

    def ended(self, stream: Stream) -> None:
        """Keep a stream that has ended for `finish`, on the disk."""
        self._streams.write(stream_line(stream))

    def finish(self, conversations: Iterable[Conversation], streams: Iterable[Stream]) -> None:
        """Write `conversations`, which are still open, in the order in which they opened, and then all streams."""
        for state in sorted(conversations, key=lambda each: each.number):
            self._file.write(conversation_line(state))
        with self._streams:
            self._streams.seek(0)
            shutil.copyfileobj(self._streams, self._file)
        for stream in streams:
            self._file.write(stream_line(stream))

    def close(self) -> None:
        """Give up what is kept for `finish`, where that is not called."""
        self._streams.close()
