"""What a running daemon shows of its conversations: the sink that remembers, and the routes that answer."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

import structlog

from steno.admin.authorization import Authorization
from steno.admin.operations import DescribedRoute
from steno.admin.streaming import ChangeStream
from steno.admin.views import Workers, view_routes
from steno.app.rests import rested
from steno.audit.content_policy import BodyEncoder, ContentPolicy, Redacts
from steno.audit.setup import policy_of, redactor_of
from steno.audit.sink import AuditSink
from steno.audit.writing.queue import Submission
from steno.config import Config
from steno.core.conversation import Conversation
from steno.core.facts import Fact, Origin
from steno.errors import ConfigError
from steno.pipeline import Pipeline
from steno.sources.supervisor import SourceSupervisor
from steno.timestamps import Micros
from steno.view.live import LiveView, RecordMaker
from steno.view.recent import RecentFacts
from steno.view.rows import unix
from steno.view.sources import SourceRow, counted_by_source
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


class LiveSources:
    """The sources of a running daemon as rows."""

    def __init__(
        self, pipeline: Pipeline, supervisor: SourceSupervisor, labels: Callable[[str], Mapping[str, str]]
    ) -> None:
        """Read from both; `labels` returns those of a source."""
        self._labels = labels
        self._pipeline = pipeline
        self._supervisor = supervisor

    def rows(self) -> list[SourceRow]:
        """Return a row a configured source. For any thread."""
        pipeline, supervisor = self._pipeline, self._supervisor
        problems = supervisor.problems()
        streams = counted_by_source(stream.source for stream in list(pipeline.streams.values()))
        states = counted_by_source(state.source for state in list(pipeline.registry.conversations.values()))
        return [
            SourceRow(
                name=name,
                kind=supervisor.kind(name),
                labels=dict(self._labels(name)),
                ready=ready,
                problem=problems[name].reason if name in problems else None,
                streams=streams.get(name, 0),
                conversations=states.get(name, 0),
                last_event_at=unix(counts.last_event_at) if (counts := pipeline.sources.get(name)) else None,
            )
            for name, ready in supervisor.ready().items()
        ]


class Views:
    """The recent facts of a daemon with their face."""

    def __init__(self, config: Config) -> None:
        """Remember as much as `config` allows; of texts only what its content policy keeps."""
        self._policy = policy_of(config.audit)
        kept = [kind for kind, rule in self._policy.rules.items() if rule != "none"]
        self.recent: Final = RecentFacts(config.limits.recent_bytes, kept)
        self._records = RecordMaker(Entries(config).entry)
        self.labels: Mapping[str, Mapping[str, str]] = {}
        """The operator's labels, by source. They may be set anew."""
        self.workers: Final = Workers()
        self._library: LiveView
        self.changes: ChangeStream

    def attach(self, pipeline: Pipeline, supervisor: SourceSupervisor, now: Callable[[], Micros]) -> None:
        """Show the states of `pipeline` and the sources of `supervisor`; `now` returns the time."""
        sources = LiveSources(pipeline, supervisor, self._labels_of)
        library = LiveView(
            self.recent,
            pipeline.registry,
            now,
            self._records,
            shown_by(self._policy),
            self._labels_of,
            sources.rows,
            rested,
        )
        self._library = library
        self.changes = ChangeStream(library, Workers(1))  # who listens does not wait for who asks

    def _labels_of(self, source: str) -> Mapping[str, str]:
        return self.labels.get(source, {})

    def routes(self, authorization: Authorization) -> list[DescribedRoute]:
        """Return the routes of the HTTP face."""
        return [*view_routes(self._library, authorization, self.workers), self.changes.route(authorization)]

    def closed(self, state: Conversation) -> None:
        """Remember the totals of a conversation that has ended."""
        self.recent.ended(state)

    def erase(self, conversation: str) -> bool:
        """Hold no text of a conversation any more; return whether any was held."""
        held = self.recent.erase(conversation)
        self._records.forget()
        return held
