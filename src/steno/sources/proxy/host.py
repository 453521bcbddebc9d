"""What a connection of a client asks of the source that accepted it, and of what reads its replies along."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from steno.config.sources.proxy import ProxySource as ProxyConfig
from steno.sources.proxy.frames import Budget
from steno.sources.proxy.heads import RequestHead, ResponseHead
from steno.sources.proxy.reading import ProxyCounters, ReadAlong
from steno.sources.proxy.target import Upstream
from steno.sources.proxy.upstream import Dialer

if TYPE_CHECKING:
    from steno.sources.proxy.client import ClientConnection


class Observer(Protocol):
    """Reads one reply along. What it raises ends its reading, and nothing else."""

    def data(self, data: bytes) -> None:
        """Take a part of the body, which has passed. It is as the provider sent it, without chunks."""

    def end(self, *, complete: bool) -> None:
        """Take the end. Where it is not `complete`, one side was lost before."""


Observe = Callable[[RequestHead, ResponseHead], Observer | None]
"""Is asked for each reply, before its head is passed on; None where the reply is not read along."""


class Host(Protocol):
    """What a connection asks of the source that accepted it."""

    counters: ProxyCounters
    budget: Budget
    unreachable: tuple[str, str] | None
    """Why the provider could not be connected to the last time, and in which words; None where it could."""

    @property
    def observe(self) -> Observe | None:
        """What reads replies along that are no websockets."""

    @property
    def config(self) -> ProxyConfig:
        """What holds for the next request."""

    @property
    def upstream(self) -> Upstream:
        """Where it goes."""

    @property
    def stopping(self) -> bool:
        """Whether no request is taken any more."""

    def dialer(self, upstream: Upstream) -> Dialer:
        """Return what connects to `upstream`. Raises TrustError."""

    def read_along(self, conversation: str | None, *, reply: bool = False) -> ReadAlong:
        """Begin a stream; `reply` says that it is the reply to one request."""

    def made(self, connection: "ClientConnection") -> None:
        """Take note of `connection`. Raises Refused where there are too many."""

    def gone(self, connection: "ClientConnection") -> None:
        """Forget `connection`: it has ended, with its call if it had become one."""
