"""Failures of outputs: each has a reason of a closed list, and all counts stand at zero from the start."""

import errno

import pytest

from steno.output_errors import KINDS, REASONS, OutputErrors, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, ""), "no_space"),
        (OSError(errno.EDQUOT, ""), "no_space"),
        (OSError(errno.EROFS, ""), "read_only"),
        (PermissionError(errno.EACCES, ""), "permission"),
        (BrokenPipeError(errno.EPIPE, ""), "gone"),
        (OSError(errno.EBADF, ""), "gone"),
        (TimeoutError(errno.ETIMEDOUT, ""), "timeout"),
        (OSError(errno.EIO, ""), "io"),
        (OSError("of no number"), "io"),
        (ValueError("of ours"), "internal"),
    ],
)
def test_reasons(error: Exception, reason: str) -> None:
    """What the operating system says, in the words of the metric."""
    assert reason_of(error) == reason


def test_counts() -> None:
    """Every kind and reason is there at zero, and one failure counts once."""
    errors = OutputErrors()

    reason = errors.count("log", OSError(errno.ENOSPC, ""))

    counts = errors.numbers()["steno_output_errors_total"]
    assert (reason, list(counts)) == ("no_space", [(kind, each) for kind in KINDS for each in REASONS])
    assert {labels: count for labels, count in counts.items() if count} == {("log", "no_space"): 1}
