"""`steno verify`: an audit log held against its format, against keys and heads, and against its content files."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from steno.audit.content_store.verify import ContentReport, verify_content
from steno.audit.content_store.verify import describe as describe_content
from steno.audit.directory import segment_names
from steno.audit.record import segment_seq
from steno.audit.signed_heads import HeadError, read_head_keys, read_roots
from steno.audit.verification.files import read_keys
from steno.audit.verification.files import verify as verify_files
from steno.audit.verification.kept_heads import HeadProofs, KeptHeads, read_kept_heads
from steno.audit.verification.report import Report, describe
from steno.audit.verification.trust import Trust, parse_head, parse_log_id
from steno.errors import DataError, UsageError
from steno.regular_files import is_folder


class Verification(Struct, frozen=True):
    """What was found."""

    log: Report
    content: ContentReport | None
    """Of the content files; None where they were not asked for."""
    kept: KeptHeads | None = None
    """Of the files of heads; None where there were none."""

    @property
    def ok(self) -> bool:
        """Whether all of it holds."""
        return self.log.ok and (self.content is None or self.content.ok)

    def lines(self) -> list[str]:
        """Return it as lines for a terminal, the verdict first."""
        return [
            *describe(self.log),
            *(self.kept.lines() if self.kept else ()),
            *(describe_content(self.content) if self.content else ()),
        ]


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
    paths: Sequence[Path],
    trust: Trust,
    *,
    content: bool,
    checkpoints: "Checkpoints | None" = None,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Verify an audit log.

    Args:
        paths: its folder, or some of its segments.
        trust: keys and heads that it is held against.
        content: whether the content files beside it are held against it too.
        checkpoints: files of heads that it is held against.
        progress: called with the number of bytes read since its last call.

    Raises:
        UsageError: `content` without a folder, or a folder beside other paths.
        DataError: a path cannot be read, is no segment, or holds none; a file of heads is none, or a proof in it fails.
    """
    if content and not is_folder(paths[0]):
        raise UsageError("--words looks at the whole of a log: give its folder")
    kept = checkpoints.read(trust.log_id, _first_seq(paths)) if checkpoints else None
    if kept:
        trust = replace(trust, heads=(*trust.heads, *kept.heads), log_id=kept.log_id)
    log = verify_files(paths, progress, trust=trust)
    return Verification(log, verify_content(paths[0]) if content else None, kept)


def _first_seq(paths: Sequence[Path]) -> int:
    """Return the number of the oldest record that is left, by the names of the segments; 1 where that is not known."""
    try:
        names = segment_names(paths[0]) if is_folder(paths[0]) else [path.name for path in paths]
    except OSError:
        return 1  # whoever reads the log says so
    return min((seq for name in names if (seq := segment_seq(name)) is not None), default=1)


class Checkpoints(Struct, frozen=True):
    """Files of heads, and what each head in them must be signed and stamped by."""

    files: tuple[Path, ...]
    keys: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = ()

    def read(self, log_id: str | None, first_seq: int) -> KeptHeads:
        """Return the heads of a log; see `read_kept_heads`. Raises DataError and UsageError."""
        try:
            proofs = HeadProofs(
                read_head_keys(self.keys) if self.keys else None, read_roots(self.roots) if self.roots else None
            )
            return read_kept_heads(self.files, proofs, log_id=log_id, first_seq=first_seq)
        except HeadError as error:
            raise DataError(str(error)) from None
        except ModuleNotFoundError:
            raise UsageError('signatures and time stamps need: pip install "steno[anchor]"') from None


def checkpoints_of(files: Sequence[Path], keys: Sequence[Path], roots: Sequence[Path]) -> Checkpoints | None:
    """Return what the options of the command name; None where they name no file of heads. Raises UsageError."""
    if files:
        return Checkpoints(tuple(files), tuple(keys), tuple(roots))
    if keys or roots:
        raise UsageError("--checkpoint-key and --timestamp-root are about the heads in a file: name it by --checkpoint")
    return None


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
