"""The tables of the configuration as frozen Structs: every key, its default, and why it is what it is.

Every key has a default but a source's name, kind and address. Sizes are in bytes and times in seconds, with
the unit in the name. `rules` and `must` are read by `checking.py` and are no keys.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, Literal

from msgspec import Struct

from steno.config.fields import (
    PUT_ELSEWHERE,
    Days,
    FilePath,
    FlushBytes,
    FlushSeconds,
    FrameBytes,
    HeaderName,
    Listen,
    LongSeconds,
    Pattern,
    PatternName,
    QueueBytes,
    RecordBytes,
    Region,
    SourceName,
    Subprotocol,
    Url,
    VariableName,
    WaitSeconds,
    mask_url,
    split_listen,
)
from steno.config.validators import AUDIT_RULES, CONFIG_RULES, CONNECT_RULES, SECRET_RULES, Validator
from steno.limits import Count, Limits

KIB: Final = 1024
MIB: Final = 1024 * KIB


class Http(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[http]`: the daemon's own HTTP face, `/metrics`, `/healthz`, `/readyz` and `/v1/...`."""

    listen: Listen = "127.0.0.1:9464"
    """Address and port. Loopback, since the face has no password; 9464 is OpenTelemetry's exporter port."""

    ready: Literal["all", "any", "none"] = "all"
    """How many sources must be connected before `/readyz` says yes."""

    @property
    def address(self) -> tuple[str, int]:
        """Host (IPv6 without brackets) and port of `listen`; port 0 stands for any free port.

        Raises ValueError where `listen` is no address, which a `Config` that was read cannot hold.
        """
        address = split_listen(self.listen)
        if address is None:
            raise ValueError("listen is not an address and a port")
        return address


class SecretRef(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a secret is found, so that it is never written in the configuration itself: one of the two."""

    rules: ClassVar[tuple[Validator, ...]] = SECRET_RULES
    must: ClassVar[str] = f"a secret must not be written here: {PUT_ELSEWHERE}"

    file: FilePath | None = None
    """A file that holds the whole value and at most one newline after it."""

    env: VariableName | None = None
    """An environment variable that holds the whole value."""


Words = Literal["none", "redacted", "full"]


class Content(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`audit.content` as a table: what is kept of which words; a kind that is absent is kept as `default` says."""

    default: Words = "none"
    """All kinds that are not named."""

    transcript: Words | None = None
    """What was said, by the caller and the model."""

    text: Words | None = None
    """What was written."""

    arguments: Words | None = None
    """What tools were called with."""

    output: Words | None = None
    """What tools gave back."""

    instructions: Words | None = None
    """What the model is told to be and to do."""

    user: Words | None = None
    """Upstream's identifier of the end user."""

    metadata: Words | None = None
    """What the client attached to responses, runs and sessions."""

    message: Words | None = None
    """What upstream says of its errors, which may repeat what was sent."""


class Audit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[audit]`: the log that can be proved."""

    rules: ClassVar[tuple[Validator, ...]] = AUDIT_RULES

    directory: FilePath | None = None
    """Folder of the segments. Absent: `$LOGS_DIRECTORY`; without either there is no audit log."""

    content: Words | Content = "none"
    """What is kept of words: `none`, `redacted`, `full`, or a table by kind. `none`: their lengths alone."""

    content_files: bool = False
    """Keep words in files beside the log, a file a conversation: there they can be erased."""

    patterns: dict[PatternName, Pattern] = {}
    """What `redacted` takes out beside what it knows by itself: a name, and a regular expression."""

    regions: tuple[Region, ...] = ()
    """Countries whose telephone and national numbers are found in their national forms too."""

    key: SecretRef | None = None
    """The secret that the chain is keyed by: without it nobody can make the log anew."""

    digest_key: SecretRef | None = None
    """The secret that words are digested by: with it, who knows the words can ask whether they were said."""

    flush: Literal["grouped", "always"] = "grouped"
    """`always`: records are put on the disk as they come, and wait for no others."""

    flush_seconds: FlushSeconds = 1.0
    """Longest time a record waits before it is on the disk: what a loss of power may cost."""

    flush_bytes: FlushBytes = 256 * KIB
    """Records that are put on the disk before their time is up."""

    record_bytes: RecordBytes = 16 * KIB
    """Longest record: log shippers split longer lines. What does not fit is cut, with its length and digest."""

    segment_bytes: QueueBytes = 64 * MIB
    """Size at which a segment is closed and the next one opened: small enough to ship and to verify alone."""

    segment_seconds: LongSeconds = 86_400.0
    """Age at which a segment is closed and the next one opened, so that a day's log is whole the day after."""

    retention_days: Days | None = None
    """Age past which closed segments are deleted. Absent: they are kept."""

    retention_bytes: QueueBytes | None = None
    """Size of the whole log past which the oldest closed segments are deleted. Absent: they are kept."""

    checkpoint_records: Count = 10_000
    """Records after which the head of the log is told to the operational log."""

    checkpoint_seconds: WaitSeconds = 300.0
    """Time after which the head of the log is told to the operational log, if there is a new one."""

    queue_bytes: QueueBytes = 16 * MIB
    """Records waiting for the disk; what happens past it, `when_full` says."""

    when_full: Literal["block", "shed"] = "block"
    """`block`: the sources wait, and no record is dropped. `shed`: records are dropped, and a gap is declared."""


def audit_directory(audit: Audit, environ: Mapping[str, str]) -> Path | None:
    """Find the folder of the audit log: as configured, else systemd's `$LOGS_DIRECTORY`, else None.

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


class Prices(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[prices]`: what usage costs."""

    file: FilePath | None = None
    """A price list that goes before the one that is shipped, model by model: your own contract, newer prices."""


class Connect(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[sources]]` with `kind = "connect"`: a websocket the daemon opens and reads."""

    rules: ClassVar[tuple[Validator, ...]] = CONNECT_RULES

    name: SourceName
    """Names the source in metrics, records and conversation keys; no two sources share one."""

    kind: Literal["connect"]
    """How frames are come by."""

    url: Url
    """`ws://` or `wss://`. What stands in its query is masked wherever the URL is shown."""

    headers: dict[HeaderName, SecretRef] = {}
    """Headers of the handshake; each value is read where its `SecretRef` says, anew at every attempt."""

    subprotocols: tuple[Subprotocol, ...] = ()
    """Subprotocols to offer, the preferred one first."""

    ca_file: FilePath | None = None
    """Certificates (PEM) to trust in place of the system's. The server's is verified in either case."""

    frame_bytes: FrameBytes = 16 * MIB
    """Longest message that is taken; a longer one ends the connection with 1009."""

    open_timeout_seconds: WaitSeconds = 10.0
    """Longest time for an attempt to connect: name lookup, TCP, TLS and handshake together."""

    ping_interval_seconds: WaitSeconds = 20.0
    """Time between two pings: under the idle timeout, often 60 s, of what stands between the two ends."""

    ping_timeout_seconds: WaitSeconds = 20.0
    """Silence after a ping that means the other end is gone."""

    backoff_seconds: WaitSeconds = 0.5
    """Bound of the first wait before connecting again. A wait is random from 0 to a bound that doubles."""

    backoff_max_seconds: WaitSeconds = 60.0
    """Where the bound stops to double: the longest an outage outlasts its end."""

    @property
    def masked_url(self) -> str:
        """The URL as it may be shown."""
        return mask_url(self.url)


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole configuration. `Config()` is what runs without a file."""

    rules: ClassVar[tuple[Validator, ...]] = CONFIG_RULES

    http: Http = Http()
    audit: Audit = Audit()
    log: Log = Log()
    limits: Limits = Limits()
    prices: Prices = Prices()
    sources: tuple[Connect, ...] = ()
