"""Erases the content of a conversation beside an audit log, with the key that confirms it, and records that. I/O.

Only content files can be erased. A text or a digest in a record stays, since the chain does not hold without the
record. Where there is one, nothing is erased, unless a partial erasure is asked for.

The steps are apart, since a running daemon takes them in two threads: the log is searched, then the thread that owns
the log removes the file and appends the record. `erase_content` does all of it where no daemon runs.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from steno.amounts import amount
from steno.audit.content_store.files import ContentFiles, file_name
from steno.audit.content_store.references import ERASED, ContentReferences, content_references
from steno.audit.record import entry
from steno.audit.writing.log import AuditLog
from steno.errors import UnavailableError, UsageError
from steno.timestamps import Micros
from steno.wire.secrets import mask_text


class Erasure(Struct, frozen=True):
    """What was erased."""

    file: str
    """The name of the file that was removed."""
    texts: int
    size: int
    """In bytes."""
    held: bool
    """Whether there was a file, or a record names one that no later record says was erased."""
    chained: int
    """Records that still hold content, or confirm a guess at it."""
    in_memory: bool = False
    """Whether the conversation was open, so that content in memory was erased too."""

    @property
    def found(self) -> bool:
        """Whether there was anything to erase."""
        return self.held or self.in_memory

    @property
    def complete(self) -> bool:
        """Whether something was erased, and no record holds more."""
        return self.found and not self.chained

    def entry(self, at: Micros, conversation: str) -> bytes:
        """Return the record of it, without its number."""
        body = {"file": self.file, "texts": self.texts, "bytes": self.size, "chained": self.chained}
        return entry(at, ERASED, mask_text(conversation), None, None, msgspec.json.encode(body))


def find_erasable(directory: Path, conversation: str, *, partial: bool) -> ContentReferences:
    """Return where the log in `directory` has the content of a conversation.

    Raises UsageError where records hold some of it, unless `partial`; DataError where a segment cannot be searched.
    """
    references = content_references(directory, conversation)
    if references.chained and not partial:
        raise UsageError(
            f"words of {conversation} stand in {amount(references.chained, 'record')} of the log itself, from record "
            f"{references.first_seq} on, where they cannot be erased: retention alone lets them go. With --partial, "
            "what stands in files is erased. With audit.content_files, words are kept in files from then on"
        )
    return references


def remove(files: ContentFiles, conversation: str, references: ContentReferences) -> Erasure:
    """Remove the content file of a conversation. Raises OSError where that cannot be done."""
    held = references.in_files or files.holds(conversation)
    removed = files.erase(conversation)
    return Erasure(removed.file, removed.texts, removed.bytes, held=held, chained=references.chained)


def erase_content(
    directory: Path, open_log: Callable[[], AuditLog], conversation: str, at: Micros, *, partial: bool
) -> Erasure:
    """Erase the content of a conversation beside the log in `directory`, which nobody writes, and record that.

    Where there is none, the log is not opened. Raises what `find_erasable` and `open_log` raise, and
    UnavailableError where the file cannot be removed.
    """
    references = find_erasable(directory, conversation, partial=partial)
    files = ContentFiles(directory)
    if not references.in_files and not files.holds(conversation):
        return Erasure(file_name(conversation), 0, 0, held=False, chained=references.chained)
    try:
        with open_log() as log:
            erasure = remove(files, conversation, references)
            log.append(erasure.entry(at, conversation))
            log.close(at)
    except OSError as error:
        raise UnavailableError(f"cannot erase in {directory}: {error.strerror}") from error
    return erasure


def describe(conversation: str, erasure: Erasure) -> str:
    """Return `erasure` as a line for a terminal."""
    if not erasure.found:
        return f"no words of {conversation} are kept: nothing was erased"
    one = erasure.texts == 1
    gone = f"{amount(erasure.texts, 'text')} of {conversation} {'is' if one else 'are'} erased"
    gone += f", and the key that proved {'it' if one else 'them'}"
    memory = "; so are those in the memory of the daemon" if erasure.in_memory else ""
    hold = "holds" if erasure.chained == 1 else "hold"
    left = f"; {amount(erasure.chained, 'record')} of the log itself still {hold} words" if erasure.chained else ""
    return gone + memory + left
