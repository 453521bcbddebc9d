"""Failures of the outputs that the daemon goes on without, counted by output and reason.

The audit log is none of them: it has figures of its own, and reading may wait for it.
"""

import errno
from collections.abc import Mapping
from typing import Final, Literal

OutputKind = Literal["state", "recording", "log", "http", "attachments", "notify"]

KINDS: Final[tuple[OutputKind, ...]] = ("state", "recording", "log", "http", "attachments", "notify")
REASONS: Final = ("no_space", "read_only", "permission", "gone", "timeout", "io", "internal")
"""Why an output failed. `gone`: its folder, its reader or its descriptor is no more. `timeout`: nobody read it in time.
`internal`: a mistake of ours."""

DISK_REASONS: Final[Mapping[int | None, str]] = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "no_space",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
}
"""Why a disk did not take a write, the audit log's too. Every other error is `io`."""

_REASONS: Final[Mapping[int | None, str]] = {
    **DISK_REASONS,
    errno.EPIPE: "gone",
    errno.ECONNRESET: "gone",
    errno.ENXIO: "gone",
    errno.ENOENT: "gone",
    errno.ESTALE: "gone",
    errno.EBADF: "gone",
    errno.ETIMEDOUT: "timeout",
}


def reason_of(error: Exception) -> str:
    """Return which of `REASONS` made an output fail."""
    if isinstance(error, OSError):
        return _REASONS.get(error.errno, "io")
    return "internal"


class OutputErrors:
    """The counts. Each kind of output is counted by one thread at a time."""

    def __init__(self) -> None:
        """Begin at zero, every kind and reason."""
        self._counts: dict[tuple[str, ...], float] = {(kind, reason): 0 for kind in KINDS for reason in REASONS}

    def count(self, kind: OutputKind, error: Exception) -> str:
        """Count a failure, and return its reason."""
        reason = reason_of(error)
        self._counts[kind, reason] += 1
        return reason

    def numbers(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the process metric: name to labels to value."""
        return {"steno_output_errors_total": dict(self._counts)}
