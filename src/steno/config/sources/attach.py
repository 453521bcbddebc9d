"""`kind = "attach"`: the daemon follows calls and Live sessions that it is asked to follow, over their sideband."""

from typing import ClassVar, Literal

from msgspec import field

from steno.config.fields import (
    FRAME_BYTES_DEFAULT,
    FilePath,
    FrameBytes,
    HeaderName,
    Url,
    WaitSeconds,
    mask_url,
)
from steno.config.secret_ref import SecretRef
from steno.config.sources.base import Source
from steno.config.validators import ATTACH_VALIDATORS, Validator
from steno.limits import Count


class AttachSource(Source, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Its table."""

    validators: ClassVar[tuple[Validator, ...]] = ATTACH_VALIDATORS

    kind: Literal["attach"]
    """Where frames come from."""

    url: Url = "wss://api.openai.com/v1/realtime"
    """Where calls are followed: `?call_id=` is appended, and Live sessions are followed at `/live/sessions/...` beside
    it, in place of `/realtime`. The values of its query are masked wherever it is shown."""

    headers: dict[HeaderName, SecretRef] = field(default_factory=dict)
    """Headers of the handshake. Each value is read from its place again at every attempt to connect."""

    ca_file: FilePath | None = None
    """Certificates (PEM) to trust in place of the system's. The server's certificate is verified in either case."""

    webhook_secret: SecretRef | None = None
    """The secret that the provider signs webhooks with. Absent: no webhook is accepted."""

    webhook_secrets: tuple[SecretRef, ...] = ()
    """Further such secrets: the one before and the one after, while they are exchanged."""

    webhook_attach: bool = True
    """Whether a webhook that announces a call, or a Live session, makes the daemon follow it. Else it is acknowledged
    and counted."""

    start_seconds: WaitSeconds = 120.0
    """How long a call is asked for that the provider does not know (yet): it rings until the application takes it."""

    calls: Count = 1000
    """Calls and Live sessions that are followed at a time."""

    frame_bytes: FrameBytes = FRAME_BYTES_DEFAULT
    """Longest message that is accepted; a longer one ends the connection with 1009."""

    open_timeout_seconds: WaitSeconds = 10.0
    """Longest time for an attempt to connect: name lookup, TCP, TLS and handshake together."""

    ping_interval_seconds: WaitSeconds = 20.0
    """Time between two pings: under the idle timeout, often 60 s, of the proxies in between."""

    ping_timeout_seconds: WaitSeconds = 20.0
    """Time without an answer to a ping after which the connection is given up."""

    backoff_seconds: WaitSeconds = 0.5
    """Bound of the first wait before connecting again. A wait is random, from 0 to a bound that doubles."""

    backoff_max_seconds: WaitSeconds = 60.0
    """Largest bound: the longest time between the end of an outage and the next attempt."""

    @property
    def everywhere(self) -> bool:
        """Each of several processes with the same file runs it, for the calls of its shard."""
        return True

    @property
    def masked_url(self) -> str:
        """The URL as it may be shown."""
        return mask_url(self.url)

    @property
    def all_webhook_secrets(self) -> tuple[SecretRef, ...]:
        """The places of all secrets that webhooks may be signed with."""
        return (*((self.webhook_secret,) if self.webhook_secret else ()), *self.webhook_secrets)

    @property
    def dialed(self) -> int:
        """Connections that it may make at a time: one a call."""
        return self.calls

    def shown(self) -> dict[str, object]:
        """Return what is shown in place of its values."""
        return {"url": self.masked_url}
