"""The tables of the configuration as frozen Structs: every key, its default, and the reason for it.

Every key has a default, except a source's name, kind and address. The tables of sources are in `sources`. Sizes are in
bytes and times in seconds; the unit is in the name. `validators` and `must` are no keys: `validation` reads them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta, Struct

from steno.addresses import is_loopback
from steno.config.fields import (
    HTTP_LISTEN_DEFAULT,
    QUEUE_BYTES_DEFAULT,
    AttributeName,
    AttributeValue,
    Days,
    FilePath,
    FlushBytes,
    FlushSeconds,
    HeaderName,
    HostName,
    HttpUrl,
    Listen,
    LongSeconds,
    Pattern,
    PatternName,
    QueueBytes,
    RecordBytes,
    Region,
    WaitSeconds,
    split_listen,
)
from steno.config.secret_ref import SecretRef
from steno.config.sources import Source
from steno.config.validators import (
    ANCHOR_VALIDATORS,
    AUDIT_VALIDATORS,
    CONFIG_VALIDATORS,
    OTEL_VALIDATORS,
    Validator,
)
from steno.limits import Count, Limits

KIB: Final = 1024
MIB: Final = 1024 * KIB


class Http(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[http]`: the daemon's own HTTP server, `/metrics`, `/healthz` and `/readyz`."""

    listen: Listen = HTTP_LISTEN_DEFAULT
    """Address and port. On loopback whoever is on the machine may read; 9464 is OpenTelemetry's exporter port."""

    ready: Literal["all", "any", "none"] = "all"
    """How many sources must be connected for `/readyz` to answer that the daemon is ready."""

    hosts: tuple[HostName, ...] = ()
    """Names under which the server is asked for, besides addresses and `localhost`; `*` for any."""

    exemplars: bool = False
    """Whether latencies in OpenMetrics show the key of the conversation that was counted last, to anyone who reads."""

    token: SecretRef | None = None
    """The bearer token of requests that act or that are shown details. Without it nobody may act over HTTP."""

    anonymous: bool | None = None
    """Whether anybody may read where `listen` is not loopback. Absent: no, but for `/metrics` in this version."""

    web_config: FilePath | None = None
    """TLS: a web configuration file in the form of Prometheus' exporter-toolkit. It is read again when it changes."""

    @property
    def private(self) -> bool:
        """Whether it listens on loopback alone."""
        return is_loopback(self.address[0])

    @property
    def lenient(self) -> bool:
        """Whether `/metrics` is still answered to anybody, as nothing else is said. The next version refuses."""
        return not self.private and self.anonymous is None and self.web_config is None

    @property
    def address(self) -> tuple[str, int]:
        """Host (IPv6 without brackets) and port of `listen`; port 0 stands for any free port.

        Raises ValueError where `listen` is no address. Validation makes sure that it is one.
        """
        address = split_listen(self.listen)
        if address is None:
            raise ValueError("listen is not an address and a port")
        return address


ContentRule = Literal["none", "redacted", "full"]
"""How much of a text is kept: its length alone; the text without what redaction finds; all of it."""


class Content(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`audit.content` as a table: a rule for each kind of content. `default` applies to the kinds that are absent."""

    default: ContentRule = "none"
    """The rule of all kinds that are not named."""

    transcript: ContentRule | None = None
    """Speech of the caller and of the model, as text."""

    text: ContentRule | None = None
    """Written messages."""

    arguments: ContentRule | None = None
    """Arguments of tool calls."""

    output: ContentRule | None = None
    """Outputs of tools."""

    instructions: ContentRule | None = None
    """Instructions to the model."""

    user: ContentRule | None = None
    """Upstream's identifier of the end user."""

    metadata: ContentRule | None = None
    """Metadata that the client attached to responses, runs and sessions."""

    message: ContentRule | None = None
    """Messages of upstream errors, which may repeat what was sent."""


class Anchor(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[audit.anchor]`: where the heads of the log are kept, out of reach of whoever can write the log."""

    validators: ClassVar[tuple[Validator, ...]] = ANCHOR_VALIDATORS

    file: FilePath | None = None
    """A file that each head is added to. It belongs on another machine, or on a medium that takes no change."""

    webhook: HttpUrl | None = None
    """A URL that each head is posted to."""

    headers: dict[HeaderName, SecretRef] = {}
    """Headers for the webhook, each with the place of its value."""

    signing_key: FilePath | None = None
    """A file with the private key (Ed25519, PEM) that heads are signed with."""

    timestamp_authority: HttpUrl | None = None
    """The URL of an authority (RFC 3161) that stamps each head with the time."""


class Audit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[audit]`: the log that can be proved."""

    validators: ClassVar[tuple[Validator, ...]] = AUDIT_VALIDATORS

    directory: FilePath | None = None
    """Folder of the segments. Absent: `$LOGS_DIRECTORY`; without either there is no audit log."""

    content: ContentRule | Content = "none"
    """How much content is kept: `none` (lengths alone), `redacted`, `full`, or a table by kind."""

    content_files: bool = False
    """Keep content in files beside the log, a file a conversation, where it can be erased."""

    patterns: dict[PatternName, Pattern] = {}
    """What `redacted` takes out besides the built-in classes: a name, and a regular expression."""

    regions: tuple[Region, ...] = ()
    """Countries whose telephone and national numbers are found in their national forms too."""

    key: SecretRef | None = None
    """The secret that the chain is keyed by. Nobody without it can write the log anew."""

    digest_key: SecretRef | None = None
    """The secret for digests of content. Who has it and knows a text can find out whether it was said."""

    flush: Literal["grouped", "always"] = "grouped"
    """`always`: records are flushed as they come. `grouped`: they wait for others, as the next two keys allow."""

    flush_seconds: FlushSeconds = 1.0
    """Longest time a record waits before it is flushed: what a power failure may lose."""

    flush_bytes: FlushBytes = 256 * KIB
    """Size of the waiting records at which they are flushed before that time."""

    record_bytes: RecordBytes = 16 * KIB
    """Longest record. Log shippers split longer lines. Content that does not fit is cut; its length and digest stay."""

    segment_bytes: QueueBytes = 64 * MIB
    """Size at which a segment is closed and the next one opened: small enough to ship and to verify alone."""

    segment_seconds: LongSeconds = 86_400.0
    """Age at which a segment is closed and the next one opened, so that a day's log is complete the day after."""

    retention_days: Days | None = None
    """Age past which closed segments are deleted, some at a time; a clock is doubted. Absent: they are kept."""

    retention_bytes: QueueBytes | None = None
    """Size of the log past which the oldest closed segments are deleted. Absent: they are kept."""

    checkpoint_records: Count = 10_000
    """Records after which the head of the log is written to the operational log."""

    checkpoint_seconds: WaitSeconds = 300.0
    """Time after which the head of the log is written to the operational log, if it is a new one."""

    anchor: Anchor | None = None
    """Where checkpoints go besides the operational log. Absent: nowhere."""

    queue_bytes: QueueBytes = QUEUE_BYTES_DEFAULT
    """Size of the records waiting for the disk, past which `when_full` applies."""

    when_full: Literal["block", "shed"] = "block"
    """`block`: the sources wait, and no record is dropped. `shed`: records are dropped, and the log declares a gap."""


def audit_directory(audit: Audit, environ: Mapping[str, str]) -> Path | None:
    """Return the folder of the audit log: the configured one, else systemd's `$LOGS_DIRECTORY`, else None.

    systemd joins several folders with colons; the first is the unit's main one.
    """
    folder = audit.directory or environ.get("LOGS_DIRECTORY", "").split(":")[0]
    return Path(folder) if folder else None


class Log(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[log]`: the operational log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe line that is written."""

    format: Literal["auto", "json", "console"] = "auto"
    """`json` lines for machines, `console` for people; `auto` is `console` on a terminal, else `json`."""


class Otel(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[otel]`: what is sent to a collector by OTLP (HTTP, protobuf). Off without an endpoint."""

    validators: ClassVar[tuple[Validator, ...]] = OTEL_VALIDATORS

    endpoint: HttpUrl | None = None
    """Base URL of the collector, such as `http://127.0.0.1:4318`: `/v1/metrics` and `/v1/traces` are appended."""

    headers: dict[HeaderName, SecretRef] = {}
    """Headers of each request, each with the place of its value, which is read each time."""

    ca_file: FilePath | None = None
    """Certificates to trust in place of the system's, for https, in PEM."""

    metrics: bool = True
    """Send the metrics of `/metrics`."""

    spans: bool = True
    """Send a span a response, a user turn, a tool call, a run and a step, a trace a conversation. Never content."""

    ids: bool = False
    """Let spans name conversations, streams, responses and calls. They are personal data where keys are numbers."""

    interval_seconds: WaitSeconds = 60.0
    """How often metrics are sent."""

    timeout_seconds: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """Longest time of a request, from the connection to the answer."""

    queue_spans: Count = 4096
    """Spans that wait to be sent, about 1 KB each. Past it further ones are dropped, and counted."""

    resource: dict[AttributeName, AttributeValue] = {}
    """Attributes of this daemon, such as `deployment.environment.name`, on all that is sent."""


class Prices(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[prices]`: what usage costs. `docs/prices.md` says what a list may have."""

    file: FilePath | None = None
    """A price list that replaces the one that is shipped, model by model: your own contract, or newer prices. Its form
    is that of LiteLLM's."""


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All tables of the configuration. `Config()` has the defaults."""

    validators: ClassVar[tuple[Validator, ...]] = CONFIG_VALIDATORS

    http: Http = Http()
    audit: Audit = Audit()
    log: Log = Log()
    limits: Limits = Limits()
    prices: Prices = Prices()
    otel: Otel = Otel()
    sources: tuple[Source, ...] = ()
    """Where frames come from. A table has the keys of its `kind`."""
