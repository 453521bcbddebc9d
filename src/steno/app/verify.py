"""`steno verify`: an audit log held against its format, against keys and heads, and against its content files."""

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from steno.audit.content_store.verify import ContentReport, verify_content
from steno.audit.content_store.verify import describe as describe_content
from steno.audit.verification.files import read_keys
from steno.audit.verification.files import verify as verify_files
from steno.audit.verification.report import Report, describe
from steno.audit.verification.trust import Trust, parse_head
from steno.errors import UsageError


class Verification(Struct, frozen=True):
    """What was found."""

    log: Report
    content: ContentReport | None
    """Of the content files; None where they were not asked for."""

    @property
    def ok(self) -> bool:
        """Whether all of it holds."""
        return self.log.ok and (self.content is None or self.content.ok)

    def lines(self) -> list[str]:
        """Return it as lines for a terminal, the verdict first."""
        return [*describe(self.log), *(describe_content(self.content) if self.content else ())]


def verify(
    paths: Sequence[Path], trust: Trust, *, content: bool, progress: Callable[[int], None] | None = None
) -> Verification:
    """Verify an audit log.

    Args:
        paths: its folder, or some of its segments.
        trust: keys and heads that it is held against.
        content: whether the content files beside it are held against it too.
        progress: called with the number of bytes read since its last call.

    Raises:
        UsageError: `content` without a folder, or a folder beside other paths.
        DataError: a path cannot be read, is no segment, or holds none.
    """
    if content and not paths[0].is_dir():
        raise UsageError("--words looks at the whole of a log: give its folder")
    return Verification(verify_files(paths, progress, trust=trust), verify_content(paths[0]) if content else None)


def trust_of(key_files: Sequence[Path], keyed_from: int | None, heads: Sequence[str]) -> Trust:
    """Return what the options of the command hold a log against.

    Args:
        key_files: the keys that the log is hashed under, each in a file of its own.
        keyed_from: the record from which on it is hashed under one; None: from its first.
        heads: records that it must have, each as `SEQ:HASH`.

    Raises:
        UsageError: `keyed_from` without a key, or a head that is none.
        DataError: a key cannot be read.
    """
    if keyed_from is not None and not key_files:
        raise UsageError("--keyed-from says where a key came into use: give the key with --key-file")
    try:
        known = tuple(map(parse_head, heads))
    except ValueError as error:
        raise UsageError(f"--head: {error}") from None
    return Trust(keys=read_keys(key_files), keyed_from=keyed_from or 1, heads=known)
