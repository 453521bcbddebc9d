"""What a running daemon shows of its conversations: the sink that remembers, and the routes that answer."""

from collections.abc import Callable
from functools import cached_property
from typing import Final

import structlog
from starlette.routing import Route

from steno.admin.authorization import Authorization
from steno.admin.views import Workers, view_routes
from steno.audit.content_policy import BodyEncoder, ContentPolicy, Redacts
from steno.audit.setup import policy_of, redactor_of
from steno.audit.sink import AuditSink
from steno.audit.writing.queue import Submission
from steno.config import Config
from steno.core.conversation import Conversation
from steno.core.facts import Fact, Origin
from steno.errors import ConfigError
from steno.timestamps import Micros
from steno.view.live import LiveView, RecordMaker, Registry
from steno.view.recent import RecentFacts
from steno.view.timeline import ContentShown


class Entries:
    """Makes the entries of facts as the audit log has them; texts stand in the entry itself. For one thread."""

    def __init__(self, config: Config) -> None:
        """Make them under the content policy of `config`, whether there is an audit log or not."""
        self._config = config

    @cached_property
    def _sink(self) -> AuditSink:
        """Made when it is first asked for, since the tables of the redactor take a tenth of a second."""
        audit = self._config.audit
        bodies = BodyEncoder(ContentPolicy(policy_of(audit).rules), redactor=self._redactor())
        return AuditSink(_Nowhere(), bodies, audit.record_bytes)

    def _redactor(self) -> Redacts | None:
        try:
            return redactor_of(self._config.audit)
        except ConfigError as error:  # without an audit log nobody has asked for it yet
            structlog.get_logger().warning("texts cannot be redacted, and are not shown", reason=str(error))
            return None

    def entry(self, origin: Origin, fact: Fact) -> bytes:
        """Return the entry of a fact."""
        return self._sink.entry(origin, fact)


class _Nowhere:
    """Takes no record: entries alone are asked for."""

    def submit(self, record: Submission, /) -> None:
        """Drop it."""


def shown_by(policy: ContentPolicy) -> ContentShown:
    """Return how much of texts is shown at most."""
    rules = set(policy.rules.values())
    return "full" if rules == {"full"} else "redacted" if rules & {"full", "redacted"} else "none"


class Views:
    """The recent facts of a daemon with their face."""

    def __init__(self, config: Config) -> None:
        """Remember as much as `config` allows; of texts only what its content policy keeps."""
        self._policy = policy_of(config.audit)
        kept = [kind for kind, rule in self._policy.rules.items() if rule != "none"]
        self.recent: Final = RecentFacts(config.limits.recent_bytes, kept)
        self._records = RecordMaker(Entries(config).entry)

    def routes(self, registry: Registry, now: Callable[[], Micros], authorization: Authorization) -> list[Route]:
        """Return the routes of the HTTP face."""
        view = LiveView(self.recent, registry, now, self._records, shown_by(self._policy))
        return view_routes(view, authorization, Workers())

    def closed(self, state: Conversation) -> None:
        """Remember the totals of a conversation that has ended."""
        self.recent.ended(state)

    def erase(self, conversation: str) -> bool:
        """Hold no text of a conversation any more; return whether any was held."""
        held = self.recent.erase(conversation)
        self._records.forget()
        return held
