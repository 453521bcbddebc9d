"""`steno erase`: the words of a conversation removed from beside an audit log, and with them the key that proves them.

A running daemon is asked, since the log is its own and it holds words in memory; where none runs, the command takes
the log itself. Either way the log says that it was done.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from steno.audit.content_store.files import ContentFiles, file_name
from steno.audit.content_store.references import ERASED, ContentReferences, trace
from steno.audit.record import entry
from steno.audit.writing.log import AuditLog
from steno.errors import UnavailableError, UsageError
from steno.timestamps import Micros
from steno.wire.secrets import mask_text


class Erasure(Struct, frozen=True):
    """What was removed."""

    file: str
    """The name of the file that went."""
    texts: int
    size: int
    """In bytes."""
    held: bool
    """Whether there was a file, or a record names one that no later record says was erased."""
    chained: int
    """Records that still hold words, or by which a guess at them can be proved."""
    in_memory: bool = False
    """Whether the conversation was open, so that words in memory went too."""

    @property
    def found(self) -> bool:
        """Whether there was anything to remove."""
        return self.held or self.in_memory

    @property
    def complete(self) -> bool:
        """Whether something was removed, and no record holds more."""
        return self.found and not self.chained

    def entry(self, at: Micros, conversation: str) -> bytes:
        """Return the record that says so."""
        body = {"file": self.file, "texts": self.texts, "bytes": self.size, "chained": self.chained}
        return entry(at, ERASED, mask_text(conversation), None, None, msgspec.json.encode(body))


def examined(directory: Path, conversation: str, *, partial: bool) -> ContentReferences:
    """Return what the log in `directory` holds of the words of a conversation.

    Raises UsageError where words stand in the records themselves, unless what can be erased is to be erased.
    """
    traces = trace(directory, conversation)
    if traces.chained and not partial:
        raise UsageError(
            f"words of {conversation} stand in {traces.chained} records of the log itself, from record "
            f"{traces.first_seq} on, where they cannot be erased: retention alone lets them go. With --partial, what "
            f"stands in files is erased. With audit.content_files, words are kept in files from then on"
        )
    return traces


def remove(files: ContentFiles, conversation: str, traces: ContentReferences) -> Erasure:
    """Remove the file of a conversation. Raises OSError where that cannot be done."""
    held = traces.in_files or files.holds(conversation)
    erased = files.erase(conversation)
    return Erasure(erased.file, erased.texts, erased.bytes, held=held, chained=traces.chained)


def erase(
    directory: Path, open_log: Callable[[], AuditLog], conversation: str, at: Micros, *, partial: bool
) -> Erasure:
    """Remove the words of a conversation beside the log in `directory`, which nobody writes, and record it.

    Where there are none, the log is not opened. Raises what `examined` and `open_log` raise, and UnavailableError where
    the file cannot be removed.
    """
    traces = examined(directory, conversation, partial=partial)
    files = ContentFiles(directory)
    if not traces.in_files and not files.holds(conversation):
        return Erasure(file_name(conversation), 0, 0, held=False, chained=traces.chained)
    try:
        with open_log() as log:
            erasure = remove(files, conversation, traces)
            log.append(erasure.entry(at, conversation))
            log.close(at)
    except OSError as error:
        raise UnavailableError(f"cannot erase in {directory}: {error.strerror}") from error
    return erasure


def describe(conversation: str, erasure: Erasure) -> str:
    """Return what a person is told of it."""
    if not erasure.found:
        return f"no words of {conversation} are kept: nothing was erased"
    gone = f"{erasure.texts} texts of {conversation} are erased, and the key that proved them"
    memory = "; so are those in the memory of the daemon" if erasure.in_memory else ""
    left = f"; {erasure.chained} records of the log itself still hold words" if erasure.chained else ""
    return gone + memory + left
