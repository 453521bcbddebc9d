"""`kind = "listen"`: applications and relays push frames to the daemon."""

from typing import ClassVar, Literal

from steno.addresses import is_loopback
from steno.config.fields import (
    FRAME_BYTES_DEFAULT,
    LISTEN_DEFAULTS,
    FilePath,
    FrameBytes,
    Listen,
    WaitSeconds,
    split_listen,
)
from steno.config.sources.base import Source, Tls
from steno.config.validators import LISTEN_VALIDATORS, Validator
from steno.limits import HANDSHAKES, Bytes, Count


class ListenSource(Source, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Its table."""

    validators: ClassVar[tuple[Validator, ...]] = LISTEN_VALIDATORS

    kind: Literal["listen"]
    """Where frames come from."""

    listen: Listen = LISTEN_DEFAULTS["listen"]
    """Address and port."""

    reuse_port: bool = False
    """Whether processes of one user share the port for good, each its part of what comes, as shards do."""

    tokens: FilePath | None = None
    """A file of bearer tokens, a line each: a name, a space, the token. Absent: no token, on loopback alone."""

    tls: Tls | None = None
    """TLS, and the certificates that clients must show. Absent: none."""

    connections: Count = 1000
    """Connections at a time."""

    frame_bytes: FrameBytes = FRAME_BYTES_DEFAULT
    """Longest message that is accepted; a longer one ends the connection with 1009."""

    handshake_seconds: WaitSeconds = 10.0
    """Longest time for a handshake, TLS and HTTP together."""

    handshakes_per_minute: Count = 6000
    """Handshakes of a client, by its address and by the name of its token; past it they are answered 429."""

    bytes_per_second: Bytes = 134_217_728
    """What a client may send, by address and name as above; past it steno reads slower. A call has 128 KiB a second."""

    ping_interval_seconds: WaitSeconds = 20.0
    """Time between two pings: under the idle timeout, often 60 s, of the proxies in between."""

    ping_timeout_seconds: WaitSeconds = 20.0
    """Time without an answer to a ping after which the connection is given up."""

    @property
    def address(self) -> tuple[str, int]:
        """Host (IPv6 without brackets) and port of `listen`; port 0 stands for any free port."""
        return split_listen(self.listen) or ("", 0)  # validation makes sure that it is an address

    @property
    def everywhere(self) -> bool:
        """Whether each of several processes with the same file runs it."""
        return self.reuse_port

    @property
    def private(self) -> bool:
        """Whether it listens on loopback alone."""
        return is_loopback(self.address[0])

    @property
    def clients(self) -> int:
        """Sockets that it may hold for its clients at a time."""
        return self.connections + HANDSHAKES
