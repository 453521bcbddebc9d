"""Connections before they are one: TLS and the handshake are under way, and nothing is known of who it is.

Each holds a file descriptor, and anyone may open one. So there are few, for some seconds each. Where one more comes,
the oldest of the address that has most of them makes room: a flood from one place pushes out itself, not the others.
"""

import asyncio

from steno.limits import HANDSHAKES
from steno.sources.listen.rates import by_address


class Arrival:
    """A connection that was accepted."""

    def __init__(self, host: str, deadline: float) -> None:
        """Begin a handshake of `host`, which must be over at `deadline`, by the clock of the loop."""
        self.host = host
        self.client = by_address(host)
        self.deadline = deadline
        self.task: asyncio.Task[None] | None = None
        """What serves it now."""
        self.held = True
        """Whether it, or the connection that it became, counts towards the budget of sockets."""
        self.connected = False
        """Whether TLS is over, so that its transport has the socket."""
        self.settled = False
        """Whether it was counted what became of it."""
        self.evicted = False
        """Whether it made room for another one."""

    def end(self) -> None:
        """End it."""
        self.evicted = True
        if self.task:
            self.task.cancel()


class Arrivals:
    """The handshakes of one source that are under way."""

    def __init__(self) -> None:
        """There is none."""
        self._by_client: dict[str, dict[Arrival, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def add(self, arrival: Arrival) -> None:
        """Take in one more. Where there are `HANDSHAKES`, another one makes room."""
        if self._count >= HANDSHAKES:
            self.end_oldest()
        self._by_client.setdefault(arrival.client, {})[arrival] = None
        self._count += 1

    def discard(self, arrival: Arrival) -> None:
        """Forget one: its handshake is over."""
        others = self._by_client.get(arrival.client, {})
        if arrival in others:
            del others[arrival]
            self._count -= 1
            if not others:
                del self._by_client[arrival.client]

    def end_oldest(self) -> bool:
        """End the oldest of the host that has most; return whether there was one."""
        if not self._by_client:
            return False
        crowd = max(self._by_client.values(), key=lambda each: len(each))  # noqa: PLW0108  # mypy infers no type of len
        oldest = next(iter(crowd))
        self.discard(oldest)
        oldest.end()
        return True

    def end_all(self) -> None:
        """End all of them."""
        while self.end_oldest():
            pass
