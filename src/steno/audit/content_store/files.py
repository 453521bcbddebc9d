"""Content beside the log: one file a conversation, with a key of its own, so that it can be erased. I/O.

    words/<32 hex digits>.jsonl
    {"schema":"steno.words/1","conversation":"relay/call-1","key":"<64 hex digits>"}
    {"hmac":"<64 hex digits>","kind":"transcript","text":"..."}

A record of the log holds the name of the file, and an HMAC of the text under the file's key. The text and the key are
in the file alone. When the file is removed, the record still says that there was a text, when, and how long it was, but
without the key its HMAC confirms no guess at the text.

A file is flushed before the record that names it. So a line that a crash tore is named by no record. It is cut off when
the file is written next.

A write or a sync may fail, and is tried again. After a failure nobody knows what stands behind the bytes that were
synced before: the file has a dirty tail. Another sync of the same file might succeed without having written. So the
bytes that are certain are copied into a new file, which takes the place of the old one, and the write goes there.
"""

import errno
import hashlib
import hmac
import os
import re
import secrets
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from steno.audit.directory import sync_folder, whole_bytes
from steno.regular_files import NotRegularError, open_regular
from steno.wire.secrets import mask_text

SCHEMA: Final = "steno.words/1"
FILE_NAME: Final = re.compile(r"[0-9a-f]{32}\.jsonl")
FOLDER: Final = "words"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
"""Content is for its owner alone. The log may be read by its group."""
KEY_BYTES: Final = 32
SLACK_NS: Final = 3_600 * 1_000_000_000
"""How much later than its text a record may be written: as long as a disk may have been full."""
STORED_LINE_BYTES: Final = 64 * 1024 * 1024
"""Longest line that is read: a text is no longer than the frame that it came in, by default 16 MiB."""
PIECE_BYTES: Final = 1024 * 1024
"""How much of a file is read at once where its lines are counted."""
KEYS_KEPT: Final = 10_000
"""Files whose keys are remembered. The key of another one is read from its file again."""


class FileHeader(Struct, frozen=True):
    """The first line of a file."""

    schema: str
    conversation: str
    key: str
    """32 bytes in hex."""


class StoredText(Struct, frozen=True):
    """Each further line of a file."""

    hmac: str
    """HMAC-SHA256 under the file's key, over the UTF-8 of `text`, in hex."""
    kind: str
    text: str


class RemovedFile(Struct, frozen=True):
    """What was in a file that was removed."""

    file: str
    """Its name."""
    texts: int
    """0 where there was no file."""
    bytes: int


def file_name(conversation: str) -> str:
    """Return the name of the file of a conversation. It is a hash, since a key may hold what no file name can."""
    return hashlib.sha256(conversation.encode(errors="replace")).hexdigest()[:32] + ".jsonl"


def content_hmac(key: bytes, text: str) -> str:
    """Return what a record holds of `text`: its HMAC-SHA256 under the key of its file, in hex."""
    return hmac.digest(key, text.encode(), "sha256").hex()


class _ContentFile:
    """A file that is written."""

    def __init__(self, path: Path, key: bytes, flushed_bytes: int, *, dirty_tail: bool) -> None:
        self.path = path
        self.key = key
        self.flushed_bytes = flushed_bytes
        """How much of it is on the disk for certain; 0 where not even its header is."""
        self.dirty_tail = dirty_tail
        """Whether there may be bytes behind these."""
        self.waiting: list[bytes] = []
        """Lines that are to be written."""

    def flushed(self) -> bytes:
        """Return the bytes that are on the disk for certain."""
        if not self.flushed_bytes or not self.path.exists():
            return b""
        with open_regular(self.path, follow=False) as file:
            return file.read(self.flushed_bytes)

    def measured(self) -> tuple[int, int]:
        """Return how many lines and bytes there are for certain or wait."""
        waiting = b"".join(self.waiting)
        lines, size = waiting.count(b"\n"), len(waiting)
        if self.flushed_bytes and self.path.exists():
            with open_regular(self.path, follow=False) as file:
                rest = self.flushed_bytes
                while piece := file.read(min(rest, PIECE_BYTES)):
                    lines, size, rest = lines + piece.count(b"\n"), size + len(piece), rest - len(piece)
        return lines, size


class ContentFiles:
    """The content of a log's conversations. For one thread at a time."""

    def __init__(self, directory: Path) -> None:
        """Keep content in the folder `words` of the log in `directory`, which is made when it is needed."""
        self.folder = directory / FOLDER
        self._files: OrderedDict[str, _ContentFile] = OrderedDict()
        """Files whose keys are remembered, the one that was used last at the end."""
        self._unflushed: dict[str, _ContentFile] = {}
        """Files with lines that are to be written."""
        self._unsynced = False
        """Whether a file was made whose name may not be on the disk."""

    def keep(self, conversation: str, kind: str, text: str) -> tuple[str, str]:
        """Keep `text` until `flush` writes it; return the name of its file, and its `content_hmac`.

        Args:
            conversation: the key of its conversation.
            kind: its kind, as `Content` has it.
            text: what is kept.

        Raises OSError where the file cannot be read.
        """
        name = file_name(conversation)
        file = self._unflushed.get(name) or self._open(name, conversation)
        keyed = content_hmac(file.key, text)
        file.waiting.append(msgspec.json.encode(StoredText(keyed, kind, text)) + b"\n")
        self._unflushed[name] = file
        return name, keyed

    def flush(self) -> None:
        """Return when all that was kept is on the disk. Raises OSError where a write fails; it may be called again."""
        for name, file in list(self._unflushed.items()):
            if not file.flushed_bytes or file.path.exists():
                self._write(file)
            else:  # somebody removed it meanwhile: the lines that wait are older than that, and go too
                self._files.pop(name, None)
            del self._unflushed[name]
        if self._unsynced:
            sync_folder(self.folder)
            sync_folder(self.folder.parent)
            self._unsynced = False

    def erase(self, conversation: str) -> RemovedFile:
        """Remove the file of a conversation, with its key; return when that would survive a loss of power.

        Texts that were kept and not flushed go too. Raises OSError where the file cannot be read or removed.
        """
        name = file_name(conversation)
        self._files.pop(name, None)
        file = self._unflushed.pop(name, None) or _read(self.folder / name, conversation)
        lines, size = file.measured()
        for path in (file.path, _damaged(file.path), _copy(file.path)):
            path.unlink(missing_ok=True)
        if self.folder.is_dir():
            sync_folder(self.folder)
        return RemovedFile(name, lines - 1, size if lines > 1 else 0)

    def holds(self, conversation: str) -> bool:
        """Return whether there is a file of a conversation, or what is left of one."""
        path = self.folder / file_name(conversation)
        return any(each.exists() for each in (path, _damaged(path), _copy(path)))

    def retire(self, newest_ns: int) -> None:
        """Remove the files that no record names any more, after old segments were deleted.

        Args:
            newest_ns: when the newest record that is gone was written, in nanoseconds since 1970. A file whose last
                write is well before that is named by records that are gone alone.

        Raises OSError, with the name of the file, where one cannot be removed.
        """
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            old = [each.name for each in entries if each.stat(follow_symlinks=False).st_mtime_ns < newest_ns - SLACK_NS]
        for name in old:
            self._files.pop(name, None)
            if not (self.folder / name).is_dir():  # somebody else's: it must not keep the rest from going
                (self.folder / name).unlink()
        sync_folder(self.folder)

    # One file -------------------------------------------------------------------------------------------

    def _open(self, name: str, conversation: str) -> _ContentFile:
        file = self._files.pop(name, None)
        if file is None or (file.flushed_bytes and not file.path.exists()):
            file = _read(self.folder / name, conversation)
        self._files[name] = file
        if len(self._files) > KEYS_KEPT:
            self._files.popitem(last=False)
        return file

    def _write(self, file: _ContentFile) -> None:
        """Append the lines that wait to the bytes that are certain."""
        if not file.flushed_bytes:
            self._make_folder()
        if file.dirty_tail:
            self._renew(file)
        data = b"".join(file.waiting)
        file.dirty_tail = True
        _put(file.path, os.O_APPEND, data)
        file.dirty_tail = False
        file.flushed_bytes += len(data)
        file.waiting.clear()

    def _make_folder(self) -> None:
        self._unsynced = True
        if not self.folder.is_dir():
            self.folder.mkdir(mode=FOLDER_MODE)
            self.folder.chmod(FOLDER_MODE)

    def _renew(self, file: _ContentFile) -> None:
        """Put the bytes that are certain into a new file in its place: after a sync that failed, another may lie."""
        copy = _copy(file.path)
        try:
            _put(copy, os.O_TRUNC, file.flushed())
        except OSError:
            with suppress(OSError):
                copy.unlink()
            raise
        copy.replace(file.path)
        self._unsynced = True


def _put(path: Path, how: int, data: bytes) -> None:
    """Write `data` into a file of mode 0600, whatever the umask; return when it is on the disk.

    `how` is O_APPEND or O_TRUNC.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, conversation: str) -> _ContentFile:
    """Return the file at `path`, to be gone on with, or a new one where there is none."""
    try:
        with open_regular(path, follow=False) as file:
            header = file.readline(STORED_LINE_BYTES)
            end = file.seek(0, os.SEEK_END)
            size = whole_bytes(file, end, STORED_LINE_BYTES)
    except FileNotFoundError:
        return _new(path, conversation, dirty_tail=False)
    except NotRegularError:
        if path.is_dir():  # it may hold what somebody needs: an operator has to look first
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        return _set_aside(path, conversation)
    if size == 0:
        return _new(path, conversation, dirty_tail=True)
    key = None if size is None else _key(header, conversation)
    if size is None or key is None:
        return _set_aside(path, conversation)
    return _ContentFile(path, key, size, dirty_tail=size < end)


def _set_aside(path: Path, conversation: str) -> _ContentFile:
    """Return a new file in the place of one that somebody else made, which is kept for an operator to look at."""
    path.replace(_damaged(path))
    return _new(path, conversation, dirty_tail=False)


def _new(path: Path, conversation: str, *, dirty_tail: bool) -> _ContentFile:
    file = _ContentFile(path, secrets.token_bytes(KEY_BYTES), 0, dirty_tail=dirty_tail)
    header = FileHeader(SCHEMA, _recorded(conversation), file.key.hex())
    file.waiting.append(msgspec.json.encode(header) + b"\n")
    return file


def _key(line: bytes, conversation: str) -> bytes | None:
    """Return the key of a file that begins with `line`; None where it is not the file of that conversation."""
    try:
        header = msgspec.json.decode(line, type=FileHeader)
        key = bytes.fromhex(header.key)
    except (ValueError, RecursionError):
        return None
    ours = (header.schema, header.conversation) == (SCHEMA, _recorded(conversation)) and len(key) == KEY_BYTES
    return key if ours else None


def _recorded(conversation: str) -> str:
    """Return the key of a conversation as records have it: the name of a recording need not be UTF-8."""
    return mask_text(conversation.encode(errors="replace").decode())


def _damaged(path: Path) -> Path:
    return path.with_suffix(".damaged")


def _copy(path: Path) -> Path:
    return path.with_suffix(".copy")
