"""Facts written down: each becomes one record of the audit log."""

from typing import Protocol

from steno.audit.content import body
from steno.audit.format import entry
from steno.core.facts import NAMES, Fact, Origin


class Submit(Protocol):
    """Where records go: a log that is written at once, or the thread that writes it."""

    def submit(self, entry: bytes) -> None:
        """Take one record without its number. Does not wait."""


class AuditSink:
    """The sink that writes down. All facts are recorded: no record means that nothing happened."""

    def __init__(self, log: Submit) -> None:
        """Record into `log`."""
        self._log = log

    def tell(self, origin: Origin, fact: Fact) -> None:
        """Record `fact`, its words as the content policy has them."""
        self._log.submit(
            entry(
                origin.at,
                NAMES[type(fact)],
                origin.conversation,
                origin.stream,
                origin.event_id,
                body(fact),
            )
        )
