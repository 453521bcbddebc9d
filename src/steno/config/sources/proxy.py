"""`kind = "proxy"`: a base URL that stands before a provider; all passes, and steno reads along."""

from typing import Final, Literal

from steno.addresses import is_loopback
from steno.config.fields import (
    FRAME_BYTES_DEFAULT,
    LISTEN_DEFAULTS,
    FilePath,
    FrameBytes,
    HttpUrl,
    Listen,
    LongSeconds,
    SourceName,
    WaitSeconds,
    mask_url,
    split_listen,
)
from steno.config.sources.base import Source, Tls
from steno.limits import HANDSHAKES, Count

MESSAGE_BYTES_DEFAULT: Final = 256 * 1024 * 1024


class ProxySource(Source, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Its table."""

    kind: Literal["proxy"]
    """Where frames come from."""

    listen: Listen = LISTEN_DEFAULTS["proxy"]
    """Address and port."""

    reuse_port: bool = False
    """Whether processes of one user share the port for good, each its part of what comes, as shards do."""

    upstream: HttpUrl
    """The provider: `https://` or `http://`, a host, and the path that a client's path is appended to."""

    tls: Tls | None = None
    """TLS on the listening side. Absent: none."""

    ca_file: FilePath | None = None
    """Certificates (PEM) to trust in place of the system's. The provider's certificate is verified in either case."""

    connections: Count = 1000
    """Connections of clients at a time."""

    frame_bytes: FrameBytes = FRAME_BYTES_DEFAULT
    """Longest message that is read along. A longer one is forwarded all the same, and counted."""

    message_bytes: FrameBytes = MESSAGE_BYTES_DEFAULT
    """Longest message that is forwarded; a longer one closes the call with 1009. It takes no memory."""

    handshake_seconds: WaitSeconds = 10.0
    """Longest time for TLS, and again for the head of a request."""

    open_timeout_seconds: WaitSeconds = 10.0
    """Longest time for an attempt to connect to the provider: name lookup, TCP and TLS together."""

    ping_interval_seconds: WaitSeconds = 20.0
    """Time between two pings to each side of a call: under the idle timeout, often 60 s, of what is in between."""

    ping_timeout_seconds: WaitSeconds = 20.0
    """Time without a sign of life after a ping after which a side is given up."""

    attach: SourceName | None = None
    """The source of `kind = "attach"` that follows the calls and Live sessions which are created through here. Absent:
    none does."""

    drain_seconds: LongSeconds = 3600.0
    """How long calls may go on when steno is asked to stop. A Realtime session of OpenAI takes an hour at
    most, a Live session two."""

    @property
    def address(self) -> tuple[str, int]:
        """Address and port to listen on."""
        address = split_listen(self.listen)
        if address is None:
            raise ValueError("listen was not validated")
        return address

    @property
    def everywhere(self) -> bool:
        """Whether each of several processes with the same file runs it."""
        return self.reuse_port

    @property
    def private(self) -> bool:
        """Whether it listens on loopback alone."""
        return is_loopback(self.address[0])

    @property
    def masked_upstream(self) -> str:
        """The provider as it may be shown."""
        return mask_url(self.upstream)

    def shown(self) -> dict[str, object]:
        """Return what is shown in place of its values."""
        return {"upstream": self.masked_upstream}

    @property
    def clients(self) -> int:
        """Sockets that it may hold for its clients at a time: each has another one to the provider."""
        return 2 * self.connections + HANDSHAKES
