"""How the file descriptors of the process are shared out: the audit log and what connects first, then clients."""

import resource
from typing import Final

from msgspec import Struct

from steno.acceptor import AT_ONCE
from steno.app.control import CONNECTIONS as CONTROL

OWN: Final = 48
"""What the daemon itself holds or opens for a moment: the event loop, the audit log with its files of content, outputs,
sockets that listen, files that it reads. Some 20 at a time in practice."""
A_SOURCE: Final = 4
"""A connection, the one before it that still closes, a recording, a look-up of its name."""
CLIENTS_LEAST: Final = 16
"""Connections that sources which listen may hold together, however few descriptors there are."""
HTTP_MOST: Final = 256
"""Connections of the HTTP face that are enough for any number of honest clients."""
HTTP_LEAST: Final = 16
"""Connections of the HTTP face, however few descriptors there are."""


class DescriptorPlan(Struct, frozen=True):
    """What the limit of the process allows."""

    limit: int
    """Descriptors that the process may have: the soft limit."""
    wanted: int
    """Descriptors with which nothing is short."""
    http: int
    """The most connections of the HTTP face."""

    clients: int = 0
    """The most connections of clients that all sources which listen may hold."""

    @property
    def low(self) -> bool:
        """Whether the limit is below what is wanted."""
        return self.limit < self.wanted


def plan(
    sources: int, limit: int | None = None, *, clients: int = 0, dialed: int = 0, recording: bool = False
) -> DescriptorPlan:
    """Return the plan.

    Args:
        sources: how many there are.
        limit: that of the process, where none is given.
        clients: connections that sources which listen may hold, by their configuration.
        dialed: connections that sources may make, by their configuration, besides one each. Few calls are followed at
            a time, so that they are wanted, and not kept free.
        recording: whether the frames of each connection are recorded into a file.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 30
    reserved = OWN + A_SOURCE * sources + CONTROL + 4 * AT_ONCE
    each = 2 if recording else 1
    wanted = reserved + (clients + dialed) * each + HTTP_MOST
    held = min(clients, max(CLIENTS_LEAST, (soft - reserved - HTTP_LEAST) // each))
    http = max(HTTP_LEAST, min(HTTP_MOST, soft - reserved - held * each))
    return DescriptorPlan(soft, wanted, http, held)
