"""The calls that a running daemon follows: the register, and where it is asked (HTTP, control socket, webhooks)."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from steno.admin.attachments import attachment_routes
from steno.admin.operations import DescribedRoute
from steno.admin.webhooks import WebhookReceiver
from steno.audit.service import AuditService
from steno.config import AttachSource, Config
from steno.output_errors import OutputErrors
from steno.shards import Shard
from steno.sources.attach.journal import Journal
from steno.sources.attach.register import Attachments, CallFact
from steno.sources.clock import Clock


class Calls:
    """The register of a daemon with its faces."""

    def __init__(
        self, config: Config, clock: Clock, audit: AuditService, journal: Journal, shard: Shard | None = None
    ) -> None:
        """Go on with the calls of `journal`, record in `audit` what happens to calls, and take those of `shard`."""

        def note(fact: CallFact, source: str, call_id: str, body: Mapping[str, object]) -> None:
            audit.call_noted(clock.now(), fact, source, call_id, body)

        self.attachments = Attachments(clock.now, journal, note)
        self.attachments.shard = shard
        self.attachments.keep({source.name for source in _sources(config)}, starting=True)
        self._webhooks = WebhookReceiver(self.attachments, _sources(config))
        self._kept = journal.path is not None

    def http_routes(self) -> list[DescribedRoute]:
        """Return the routes of the HTTP face."""
        return [*attachment_routes(self.attachments, "http"), self._webhooks.route()]

    def control_routes(self) -> list[DescribedRoute]:
        """Return the routes of the control socket."""
        return attachment_routes(self.attachments, "control")

    def numbers(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the process metrics: name to labels to value."""
        return {**self.attachments.numbers(), **self._webhooks.numbers()}

    def reload(self, config: Config) -> None:
        """Let who signs webhooks, and whose calls are followed be as `config` says."""
        self._webhooks.sources = _sources(config)
        self.attachments.keep({source.name for source in _sources(config)})

    def log_start(self, config: Config) -> None:
        """Warn where calls would be forgotten."""
        if _sources(config) and not self._kept:
            structlog.get_logger().warning(
                "the calls that are followed are forgotten at a restart: set audit.directory or $STATE_DIRECTORY"
            )


def _sources(config: Config) -> tuple[AttachSource, ...]:
    return tuple(source for source in config.sources if isinstance(source, AttachSource))


def journal_of(audit: Path | None, environ: Mapping[str, str], errors: OutputErrors) -> Journal:
    """Return what keeps calls: in the folder `audit` of the log, else in systemd's `$STATE_DIRECTORY`.

    The folder of the log is locked for one daemon. Without either a restart forgets the calls.
    """
    first = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Journal(audit or (Path(first) if first else None), errors)
