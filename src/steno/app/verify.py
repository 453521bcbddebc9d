"""`steno verify`: an audit log held against its format, against keys and heads, and against its content files."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from steno.audit.content_store.verify import ContentReport, verify_content
from steno.audit.content_store.verify import describe as describe_content
from steno.audit.verification.files import read_keys
from steno.audit.verification.files import verify as verify_files
from steno.audit.verification.report import Report, describe
from steno.audit.verification.trust import Trust, parse_head, parse_log_id
from steno.errors import UsageError
from steno.regular_files import is_folder


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


def logs_of(paths: Sequence[Path], trust: Trust) -> list[Sequence[Path]]:
    """Return the paths of each log: where all are folders each is one, else all are of one log.

    Raises UsageError where `trust` says of several logs what can be true of one alone.
    """
    if len(paths) == 1 or not all(map(is_folder, paths)):
        return [paths]
    if trust.heads or trust.log_id or trust.keyed_from != 1 or trust.key_ranges:
        raise UsageError("--head, --log and --keyed-from are about one log: prove each log by itself")
    return [[path] for path in paths]


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
    if content and not is_folder(paths[0]):
        raise UsageError("--words looks at the whole of a log: give its folder")
    return Verification(verify_files(paths, progress, trust=trust), verify_content(paths[0]) if content else None)


def trust_of(
    key_files: Sequence[Path], keyed_from: Sequence[int], heads: Sequence[str], log_id: str | None = None
) -> Trust:
    """Return what the options of the command hold a log against.

    Args:
        key_files: the keys that the log is hashed under, each in a file of its own, in the order of their use.
        keyed_from: the record from which on it is hashed under one of them, none meaning its first; or for each of the
            keys the record from which on it is in use.
        heads: records that it must have, each as `SEQ:HASH`.
        log_id: which log it must be.

    Raises:
        UsageError: `keyed_from` that does not fit the keys; a head or an id that is none.
        DataError: a key cannot be read.
    """
    ranges = _ranges(len(key_files), keyed_from)
    try:
        known = tuple(map(parse_head, heads))
    except ValueError as error:
        raise UsageError(f"--head: {error}") from None
    try:
        wanted = None if log_id is None else parse_log_id(log_id)
    except ValueError as error:
        raise UsageError(f"--log: {error}") from None
    first = keyed_from[0] if keyed_from else 1
    return Trust(keys=read_keys(key_files), keyed_from=first, key_ranges=ranges, heads=known, log_id=wanted)


def _ranges(keys: int, keyed_from: Sequence[int]) -> tuple[int, ...]:
    """Return where each key comes into use, where that is said of each of several."""
    if keyed_from and not keys:
        raise UsageError("--keyed-from says where a key came into use: give the key with --key-file")
    if len(keyed_from) <= 1:
        return ()
    if len(keyed_from) != keys:
        raise UsageError("--keyed-from is given once, or once for each --key-file, in their order")
    if any(after <= before for before, after in pairwise(keyed_from)):
        raise UsageError("--keyed-from: each key comes into use after the one before")
    return tuple(keyed_from)
