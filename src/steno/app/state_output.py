"""`--state` of a daemon: written as conversations close, in its place at the end. The daemon goes on where it fails.

What failed is counted, logged once and given up; the daemon says it again by its exit code.

- A regular file is written beside its place, and takes it when it is complete. Where that fails, the former file stays.
- Anything else (a FIFO, a device, standard output) is written at the end, out of a temporary file: its reader may come
  late, read slowly or never.
"""

import errno
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO, Final, Self

import structlog

from steno.app.descriptors import Descriptor
from steno.app.files import STANDARD, STATE_MODE, StateWriter, is_regular, output
from steno.core.conversation import Conversation
from steno.core.stream import Stream
from steno.errors import ConfigError, ConfigFault, UnavailableError
from steno.output_errors import OutputErrors

STANDARD_OUTPUT: Final = 1
CHUNK_BYTES: Final = 1024 * 1024
LOOK_SECONDS: Final = 0.05
"""How often it is looked whether a FIFO has a reader, or its reader room."""


class StateOutput:
    """The state of a daemon on its way to a file. Use `open`; `finish` is called once, and nothing after it."""

    def __init__(self, path: Path, file: IO[bytes], stack: ExitStack, errors: OutputErrors) -> None:
        """Write to `file`; `stack` puts it in its place, or removes it where it is left by an error."""
        self.failure: str | None = None
        """Why there is no state at the end, or None."""
        self._path = path
        self._file = file
        self._stack = stack
        self._errors = errors
        self._writer = StateWriter(file)
        self._hangs = False

    @classmethod
    @contextmanager
    def open(cls, path: Path, errors: OutputErrors) -> Iterator[Self]:
        """Open the output, which is given up where it is not finished in the body; failures count in `errors`.

        An option that cannot be kept is refused at the start. Raises UnavailableError, which names the path, where it
        cannot be written, and ConfigError where it is a folder: no restart mends that.
        """
        stack = ExitStack()
        file = _open(path, stack)
        state = cls(path, file, stack, errors)
        try:
            yield state
        finally:
            state.give_up()

    def closed(self, conversation: Conversation) -> None:
        """Write a conversation that has ended."""
        self._attempt(lambda: self._writer.closed(conversation))

    def ended(self, stream: Stream) -> None:
        """Keep a stream that has ended for `finish`."""
        self._attempt(lambda: self._writer.ended(stream))

    def finish(self, seconds: float) -> None:
        """Write the streams, and put the state in its place; give it up after `seconds`.

        It waits, so it is called in a thread. The disk may hang: that is waited for in another one.
        """
        thread = threading.Thread(
            target=self._attempt, args=(lambda: self._finish(monotonic() + seconds),), name="steno-state", daemon=True
        )
        thread.start()
        thread.join(seconds + 2 * LOOK_SECONDS)  # so that what notices the time by itself is first
        if thread.is_alive():
            self._hangs = True
            self._failed(TimeoutError(errno.ETIMEDOUT, "it took too long"))

    def give_up(self) -> None:
        """Remove what was written, unless it is in its place."""
        if self._hangs:  # to close it would hang too
            return
        with suppress(OSError):
            self._writer.close()
        with suppress(OSError):
            self._stack.__exit__(OSError, OSError(), None)

    def _finish(self, deadline: float) -> None:
        self._writer.finish((), ())
        if not _is_regular(self._path):
            self._file.seek(0)
            with _opened(self._path, deadline) as descriptor:
                while chunk := self._file.read(CHUNK_BYTES):
                    _write(descriptor, chunk, deadline)
        self._stack.close()

    def _attempt(self, action: Callable[[], None]) -> None:
        if self.failure is not None:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001  # a failure of this output is never that of what is reported
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if self.failure is not None:
            return
        log = structlog.get_logger().bind(file=str(self._path))
        if isinstance(error, OSError):
            self.failure = error.strerror or "input/output error"
        else:
            self.failure = "internal error"
            log = log.bind(exc_info=error)
        self._errors.count("state", error)
        log.error("the state is given up: it cannot be written", reason=self.failure)
        self.give_up()


def _is_regular(path: Path) -> bool:
    """Return whether `path` is a regular file, or will be one. Raises OSError."""
    return path != STANDARD and is_regular(path)


def _open(path: Path, stack: ExitStack) -> IO[bytes]:
    """Return the file that the state is written into at first; `stack` ends it."""
    try:
        regular = _is_regular(path)
    except OSError as error:  # a name that is too long, links in a circle
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error
    if regular:
        return stack.enter_context(output(path, STATE_MODE))
    if path.is_dir():
        raise ConfigError([ConfigFault("", "--state", f"{path}: is a folder")])
    if path != STANDARD and not os.access(path, os.W_OK):
        raise UnavailableError(f"cannot write {path}: {os.strerror(errno.EACCES)}")
    try:
        return stack.enter_context(tempfile.TemporaryFile())
    except OSError as error:
        raise UnavailableError(f"cannot make a temporary file: {error.strerror}") from error


@contextmanager
def _opened(path: Path, deadline: float) -> Iterator[Descriptor]:
    """Open what is no regular file; a FIFO as soon as it has a reader. Raises OSError."""
    if path == STANDARD:
        yield Descriptor(STANDARD_OUTPUT)
        return
    number = _descriptor(path, deadline)
    try:
        yield Descriptor(number)
    finally:
        os.close(number)


def _descriptor(path: Path, deadline: float) -> int:
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)  # an open file of its own: nobody shares it
        except OSError as error:
            if error.errno != errno.ENXIO or monotonic() >= deadline:
                raise
        time.sleep(LOOK_SECONDS)


def _write(descriptor: Descriptor, data: bytes, deadline: float) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[descriptor.write(rest, LOOK_SECONDS) :]
        if rest and monotonic() >= deadline:
            raise TimeoutError(errno.ETIMEDOUT, "nobody read it in time")
