"""The file that keeps over a restart which calls are followed, and which webhooks were accepted. I/O.

Lines of JSON are appended and flushed before what they say takes effect. When much of the file is no longer true, or
lines are missing in it, it is written anew and takes the place of the former one. A line that a crash has torn is left
out.

The daemon goes on where the file cannot be written. That is counted and logged; until it is written again, a restart
forgets the last calls, and would accept a webhook again.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog
from msgspec import Struct

from steno.attachments import CallId, Labels, Requester
from steno.output_errors import OutputErrors, reason_of
from steno.regular_files import open_regular
from steno.timestamps import Micros

FILE: Final = ".attachments"
FILE_MODE: Final = 0o600
FILE_BYTES: Final = 64 * 1024 * 1024
"""How much of the file is read: calls and ids of webhooks within their limits have some MB."""
SPARE_BYTES: Final = 1024 * 1024
"""How much is appended before the file is written anew."""


class Attached(Struct, frozen=True):
    """A call that is to be followed."""

    source: str
    call_id: CallId
    by: Requester
    since: Micros
    labels: Labels = {}


class Line(Struct, frozen=True, omit_defaults=True):
    """A line of the file. What of it is present took effect together."""

    attached: Attached | None = None
    ended: str | None = None
    """The id of a call that is followed no more."""
    delivery: str | None = None
    """The id of a webhook that was accepted."""


_DECODER: Final = msgspec.json.Decoder(Line)
_ENCODER: Final = msgspec.json.Encoder()


class Journal:
    """The file in a folder. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, errors: OutputErrors) -> None:
        """Keep the file in `folder`, and count failures in `errors`."""
        self._path = folder / FILE if folder else None
        self._errors = errors
        self._log = structlog.get_logger()
        self._waiting: list[bytes] = []
        self._lock = anyio.Lock()
        self._appended = 0
        """Bytes since the file was written anew."""
        self._spoilt = False
        """Whether lines are missing in the file or wrong, or a part of one is at its end: it is to be written anew."""
        self._failing = False

    @property
    def path(self) -> Path | None:
        """Where the file is."""
        return self._path

    def read(self) -> list[Line]:
        """Return what the file says, oldest first; nothing where there is none. Called once, before the first write."""
        if self._path is None:
            return []
        try:
            with open_regular(self._path, follow=False) as file:
                content = file.read(FILE_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._failed(error)
            return []
        self._appended, self._spoilt = len(content), not content.endswith(b"\n")
        return [line for text in content.split(b"\n") if text and (line := _decoded(text))]

    def renew(self) -> None:
        """Write the file anew at the next `append`: some of it is no longer true."""
        self._spoilt = True

    async def append(self, line: Line, everything: Callable[[], Iterable[Line]]) -> None:
        """Return when `line` is on the disk, or cannot be written.

        Lines that come while others are written go together. `everything` returns all lines that are true now, for when
        the file is written anew.
        """
        if self._path is None:
            return
        self._waiting.append(_ENCODER.encode(line) + b"\n")
        async with self._lock:
            waiting, self._waiting = self._waiting, []
            if not waiting:  # somebody else has written it
                return
            data = b"".join(waiting)
            anew = self._spoilt or self._appended + len(data) > SPARE_BYTES
            if anew:
                data = b"".join(_ENCODER.encode(each) + b"\n" for each in everything())
            await self._write(self._path, data, anew=anew)

    async def _write(self, path: Path, data: bytes, *, anew: bool) -> None:
        try:
            await anyio.to_thread.run_sync(_replace if anew else _append, path, data)
        except OSError as error:
            self._spoilt = True
            self._failed(error)
            return
        self._spoilt = self._failing = False
        self._appended = 0 if anew else self._appended + len(data)

    def _failed(self, error: OSError) -> None:
        self._errors.count("attachments", error)
        if not self._failing:
            self._failing = True
            self._log.error(
                "the calls that are followed cannot be kept over a restart",
                file=str(self._path),
                reason=reason_of(error),
            )


def _decoded(text: bytes) -> Line | None:
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _append(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(path, flags, FILE_MODE), "wb", buffering=0) as file:  # noqa: PTH123  # of a descriptor
        _write_all(file.fileno(), data)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{FILE}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(beside, flags, FILE_MODE), "wb", buffering=0) as file:  # noqa: PTH123  # of a descriptor
        _write_all(file.fileno(), data)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)
