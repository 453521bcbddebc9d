"""`steno erase`: asks the daemon that writes the audit log to erase content, or erases it where no daemon runs.

A running daemon must be asked: it alone writes the log, and it holds content in memory. Where none listens, the command
opens the log itself. Its lock keeps the two apart, also where the daemon's socket was removed.
"""

from collections.abc import Mapping
from pathlib import Path

from steno.app.control_client import EraseRequest, ask_to_erase
from steno.audit.content_store.erase import Erasure, erase_content
from steno.audit.setup import open_log
from steno.config import Config, audit_directory
from steno.errors import UsageError
from steno.regular_files import is_folder
from steno.sources.clock import Clock


def erase(config: Config, directory: Path, conversation: str, *, partial: bool) -> Erasure:
    """Erase what the log in `directory` keeps of the content of a conversation, and record that.

    Args:
        config: how the log is written, for a record of this command's own.
        directory: the folder of the log.
        conversation: its key, as the log has it.
        partial: whether to erase what is in files even where records hold content that stays.

    Raises:
        UsageError: records hold content, and not `partial`; or the daemon refuses.
        UnavailableError: the daemon does not answer, or a file cannot be removed.
    """
    erased = ask_to_erase(directory, EraseRequest(conversation, partial))
    if erased is not None:
        return erased
    now = Clock().now()
    return erase_content(directory, lambda: open_log(directory, config, now), conversation, now, partial=partial)


def log_directory(config: Config, named: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the folder of the audit log: the one that was named, or that of the configuration.

    Raises UsageError where there is none.
    """
    directory = named or audit_directory(config.audit, environ)
    if directory is None or not is_folder(directory):
        where = "no audit log is configured" if directory is None else f"there is no audit log in {directory}"
        raise UsageError(f"{where}: name its folder by --audit")
    return directory
