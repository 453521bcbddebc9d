"""`kind = "proxy"`: a base URL that stands before a provider; all passes, and steno reads along."""

from typing import Literal

from steno.config.fields import FRAME_BYTES_DEFAULT, FilePath, FrameBytes, HttpUrl, Listen, LongSeconds, WaitSeconds
from steno.config.sources.base import Source, Tls
from steno.limits import HANDSHAKES, Count


class ProxySource(Source, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Its table."""

    kind: Literal["proxy"]
    """Where frames come from."""

    listen: Listen = "127.0.0.1:9466"
    """Address and port."""

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

    open_timeout_seconds: WaitSeconds = 10.0
    """Longest time for an attempt to connect to the provider."""

    drain_seconds: LongSeconds = 3600.0
    """How long calls may go on when steno is asked to stop. The longest session of OpenAI takes an hour."""

    @property
    def clients(self) -> int:
        """Sockets that it may hold for its clients at a time: each has another one to the provider."""
        return 2 * self.connections + HANDSHAKES
