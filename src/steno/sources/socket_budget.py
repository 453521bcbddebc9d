"""How many connections of clients the sources that listen may hold together: the audit log needs descriptors too."""

from typing import Final

from steno.limits import HANDSHAKES

SHARE: Final = 4
"""A fourth of few connections is kept for handshakes, so that who is refused can still be told so."""


class SocketBudget:
    """Connections that are held, and how many there may be."""

    def __init__(self, most: int | None = None) -> None:
        """Allow `most`; None for any number. It may be changed."""
        self.most = most
        self.held = 0

    @property
    def spent(self) -> bool:
        """Whether there is no room for one more."""
        return self.most is not None and self.held >= self.most

    @property
    def full(self) -> bool:
        """Whether no client may stay: what is left is for handshakes."""
        return self.most is not None and self.held > self.most - min(HANDSHAKES, self.most // SHARE)
