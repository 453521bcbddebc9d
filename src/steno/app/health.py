"""Whether a daemon makes progress and is ready: what `/healthz`, `/readyz` and the service manager are told."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import anyio

from steno.admin.http import CheckResult
from steno.audit.service import AuditService
from steno.sources.supervisor import SourceSupervisor

STALLED_SECONDS: Final = 10.0
"""How long the event loop or the audit writer may make no progress before `/healthz` reports it."""

READY_POLICIES: Final[Mapping[str, Callable[[Iterable[bool]], bool]]] = {
    "all": all,
    "any": any,
    "none": lambda _: True,
}
"""`http.ready`: how many sources must be ready before the daemon is."""


class Health:
    """Looks at the parts of a daemon when it is asked."""

    def __init__(self, audit: AuditService, sources: SourceSupervisor, policy: str) -> None:
        """Be ready by `policy`, one of `READY_POLICIES`. The attribute may be changed."""
        self.policy = policy
        self.stopping = False
        """Whether the daemon begins nothing new."""
        self._audit = audit
        self._sources = sources
        self._ticked_at = 0.0
        """When the loop turned last, by its own clock."""

    def ticked(self) -> None:
        """Note that the event loop turns."""
        self._ticked_at = anyio.current_time()

    def healthy(self) -> CheckResult:
        """Return whether the event loop and the audit writer make progress. Upstream does not matter here."""
        loop = anyio.current_time() - self._ticked_at < STALLED_SECONDS
        writer = self._audit.progressing(STALLED_SECONDS)
        return CheckResult(loop and writer, {"loop": loop, "audit_writer": writer})

    def ready(self, *, detailed: bool = False) -> CheckResult:
        """Return whether the audit log can be written, enough sources are ready, and the daemon is not stopping.

        Why a source is not ready is of a closed list, and so is the word on the audit log. What is `detailed` names
        files, headers and answers of servers.
        """
        sources = self._sources.ready()
        enough = not sources or READY_POLICIES[self.policy](sources.values())
        problems = self._sources.problems()
        detail: dict[str, Any] = {"audit": self._audit.status, "sources": sources, "stopping": self.stopping}
        detail["problems"] = {name: problem.reason for name, problem in problems.items()}
        if detailed:
            detail["details"] = {name: problem.detail for name, problem in problems.items() if problem.detail}
        return CheckResult(enough and self._audit.writable() and not self.stopping, detail)
