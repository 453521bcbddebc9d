"""Words beside the log: a file a conversation, with a key of its own, so that they can be erased. I/O.

The chained record holds the name of the file and an HMAC under its key; the words and the key are in the file
alone. With the file go the words, and with the key the proof of a guess: what is left in the chain says that
something was said, when, and how long it was.

    words/<32 hex digits>.jsonl
    {"schema":"steno.words/1","conversation":"relay/call-1","key":"<64 hex digits>"}
    {"hmac":"<64 hex digits>","kind":"transcript","text":"..."}

A file is flushed before the record that names it. What a crash cut off in the middle of a line was therefore
named by no record, and is cut off when the file is written next.
"""

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

from steno.audit.directory import sync_folder
from steno.wire.secrets import mask_text

SCHEMA: Final = "steno.words/1"
FILE_NAME: Final = re.compile(r"[0-9a-f]{32}\.jsonl")
FOLDER: Final = "words"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
"""Words are their owner's alone, where the log may be read by its group."""
KEY_BYTES: Final = 32
SLACK_NS: Final = 3_600 * 1_000_000_000
"""How long a record may be written after the words that it names: as long as a disk may have been full."""
KEYS_KEPT: Final = 10_000
"""Keys remembered; another one is read from its file again."""


class Header(Struct, frozen=True):
    """The first line of a file."""

    schema: str
    conversation: str
    key: str
    """32 bytes in hex."""


class Text(Struct, frozen=True):
    """A line of a file."""

    hmac: str
    """HMAC-SHA256 under the file's key, over the UTF-8 of `text`, in hex."""
    kind: str
    text: str


class Erased(Struct, frozen=True):
    """What an erasure took away."""

    file: str
    texts: int
    """How many; 0 where there was no file."""
    bytes: int


def file_name(conversation: str) -> str:
    """Return the name of the file of a conversation: its key may hold what no name of a file may."""
    return hashlib.sha256(conversation.encode(errors="replace")).hexdigest()[:32] + ".jsonl"


def proof(key: bytes, text: str) -> str:
    """Return what the chain holds of `text`, in hex."""
    return hmac.digest(key, text.encode(), "sha256").hex()


class _File:
    """A file while it is written."""

    def __init__(self, path: Path, key: bytes, size: int, *, frayed: bool) -> None:
        self.path = path
        self.key = key
        self.size = size
        """How much of it is on the disk for certain; 0 where not even its header is."""
        self.frayed = frayed
        """Whether there may be more in it than that."""
        self.waiting: list[bytes] = []

    def certain(self) -> bytes:
        """Return what is on the disk for certain."""
        return self.path.read_bytes()[: self.size] if self.size and self.path.exists() else b""


class ContentFiles:
    """The words of a log's conversations. For one thread at a time."""

    def __init__(self, directory: Path) -> None:
        """Keep words in the folder `words` of the log in `directory`; it is made when it is needed."""
        self.folder = directory / FOLDER
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._dirty: dict[str, _File] = {}
        self._unsynced = False
        """Whether a file was made that its folder may not hold for certain."""

    def keep(self, conversation: str, kind: str, text: str) -> tuple[str, str]:
        """Keep `text` until `flush` puts it on the disk; return the name of its file, and its proof in hex.

        Raises OSError where the file cannot be read.
        """
        name = file_name(conversation)
        file = self._dirty.get(name) or self._open(name, conversation)
        told = proof(file.key, text)
        file.waiting.append(msgspec.json.encode(Text(told, kind, text)) + b"\n")
        self._dirty[name] = file
        return name, told

    def flush(self) -> None:
        """Return when all that was kept is on the disk. When this raises OSError it may be called again."""
        for name, file in list(self._dirty.items()):
            if not file.size or file.path.exists():
                self._write(file)
            else:  # somebody erased it meanwhile: what it was to hold was said before that
                self._files.pop(name, None)
            del self._dirty[name]
        if self._unsynced:
            sync_folder(self.folder)
            sync_folder(self.folder.parent)
            self._unsynced = False

    def erase(self, conversation: str) -> Erased:
        """Remove the file of a conversation, with its key; return when that would survive a loss of power.

        What was kept and not flushed is forgotten too. Raises OSError where the file cannot be read or removed.
        """
        name = file_name(conversation)
        self._files.pop(name, None)
        file = self._dirty.pop(name, None) or _read(self.folder / name, conversation)
        lines = file.certain() + b"".join(file.waiting)
        for path in (file.path, _damaged(file.path), _copy(file.path)):
            path.unlink(missing_ok=True)
        if self.folder.is_dir():
            sync_folder(self.folder)
        texts = lines.count(b"\n") - 1
        return Erased(name, texts, len(lines) if texts else 0)

    def holds(self, conversation: str) -> bool:
        """Tell whether anything is kept of a conversation."""
        path = self.folder / file_name(conversation)
        return any(each.exists() for each in (path, _damaged(path), _copy(path)))

    def retire(self, newest_ns: int) -> None:
        """Remove the files that no record can name any more.

        Args:
            newest_ns: when the last record was written that is gone, in nanoseconds since 1970. A file that was written
                well before that is named by records before it alone.

        Raises OSError, with the name of the file, where one cannot be removed.
        """
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path.stat().st_mtime_ns < newest_ns - SLACK_NS:
                self._files.pop(path.name, None)
                path.unlink()
        sync_folder(self.folder)

    # One file -------------------------------------------------------------------------------------------

    def _open(self, name: str, conversation: str) -> _File:
        file = self._files.pop(name, None)
        if file is None or (file.size and not file.path.exists()):
            file = _read(self.folder / name, conversation)
        self._files[name] = file
        if len(self._files) > KEYS_KEPT:
            self._files.popitem(last=False)
        return file

    def _write(self, file: _File) -> None:
        """Append what waits, behind what is certain."""
        if not file.size:
            self._make_folder()
        if file.frayed:
            self._renew(file)
        data = b"".join(file.waiting)
        file.frayed = True
        _put(file.path, os.O_APPEND, data)
        file.frayed = False
        file.size += len(data)
        file.waiting.clear()

    def _make_folder(self) -> None:
        self._unsynced = True
        if not self.folder.is_dir():
            self.folder.mkdir(mode=FOLDER_MODE)
            self.folder.chmod(FOLDER_MODE)

    def _renew(self, file: _File) -> None:
        """Put what is certain into another file: where a sync failed once, the next one may not tell the truth."""
        copy = _copy(file.path)
        try:
            _put(copy, os.O_TRUNC, file.certain())
        except OSError:
            with suppress(OSError):
                copy.unlink()
            raise
        copy.replace(file.path)
        self._unsynced = True


def _put(path: Path, how: int, data: bytes) -> None:
    """Write `data` into a file of mode 0600, whatever the umask; return when it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, FILE_MODE)
    try:
        os.fchmod(descriptor, FILE_MODE)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, conversation: str) -> _File:
    """Go on with the file at `path`, or begin it."""
    try:
        held = path.read_bytes()
    except FileNotFoundError:
        return _new(path, conversation, frayed=False)
    size = held.rfind(b"\n") + 1
    if not size:
        return _new(path, conversation, frayed=True)
    key = _key(held, conversation)
    if key is None:  # somebody wrote in it: what it holds is left to be looked at
        path.replace(_damaged(path))
        return _new(path, conversation, frayed=False)
    return _File(path, key, size, frayed=size < len(held))


def _new(path: Path, conversation: str, *, frayed: bool) -> _File:
    file = _File(path, secrets.token_bytes(KEY_BYTES), 0, frayed=frayed)
    header = Header(SCHEMA, _told(conversation), file.key.hex())
    file.waiting.append(msgspec.json.encode(header) + b"\n")
    return file


def _key(held: bytes, conversation: str) -> bytes | None:
    """Return the key of a file; None where it is not the file of that conversation."""
    try:
        header = msgspec.json.decode(held[: held.index(b"\n")], type=Header)
        key = bytes.fromhex(header.key)
    except (ValueError, RecursionError):
        return None
    ours = (header.schema, header.conversation) == (SCHEMA, _told(conversation)) and len(key) == KEY_BYTES
    return key if ours else None


def _told(conversation: str) -> str:
    """Return the key of a conversation as records have it: the name of a recording need not be text."""
    return mask_text(conversation.encode(errors="replace").decode())


def _damaged(path: Path) -> Path:
    return path.with_suffix(".damaged")


def _copy(path: Path) -> Path:
    return path.with_suffix(".copy")
