"""What upstream can have reported of its limits, and of errors."""

from typing import ClassVar

from steno.core.facts.base import Content, Fact

# Limits and errors ----------------------------------------------------------------------------------------


class RateLimitReported(Fact, frozen=True):
    """Upstream reported what is left of a rate limit."""

    tag: ClassVar = "rate_limit.reported"
    kind: str
    limit: float | None
    remaining: float | None
    reset_seconds: float | None


class UpstreamErred(Fact, frozen=True):
    """Upstream reported an error."""

    tag: ClassVar = "upstream.erred"
    code: str
    kind: str | None
    message: Content | None
    effect: str = "unknown"
    """What the error means for what comes after it: benign, ends_session, final, unknown."""
