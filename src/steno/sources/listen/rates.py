"""How much one client may ask and send: by its address, and by the name of its token.

What a client may do in a minute it may do at once; after that it waits. The bounds are far above what an honest client
does. They keep one that loops from taking the time of all others.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import Final

CLIENTS: Final = 10_000
"""Clients that are remembered; past it the one that was silent longest is forgotten, and begins anew."""
BURST_SECONDS: Final = 10.0
"""Bytes that may come at once, in seconds of the rate."""
PREFIX_BITS: Final = 64
"""How much of an IPv6 address stands for a client: it has all addresses of such a net for itself."""


class Bucket:
    """Fills at a rate, up to what may be done at once."""

    __slots__ = ("_at", "_level")

    def __init__(self, most: float, now: float) -> None:
        """Begin full."""
        self._level = most
        self._at = now

    def spend(self, amount: float, rate: float, most: float, now: float, *, owed: bool) -> float:
        """Take `amount` out; return the seconds to wait before more, 0 where there is no need to.

        Where it is `owed`, what is missing was done already, and is waited for; else nothing is taken then.
        """
        self._level = min(most, self._level + (now - self._at) * rate)
        self._at = now
        left = self._level - amount
        if left >= 0 or owed:
            self._level = left
        return max(0.0, -left / rate)


class Client:
    """One client: an address, or the name of a token."""

    __slots__ = ("bytes", "handshakes")

    def __init__(self, rates: "Rates", now: float) -> None:
        """Nothing was asked yet."""
        self.handshakes = Bucket(rates.handshakes, now)
        self.bytes = Bucket(rates.bytes * BURST_SECONDS, now)


class Rates:
    """The clients of one source. The bounds may be changed."""

    def __init__(self, handshakes: float, bytes_: float) -> None:
        """Allow so many `handshakes` a minute, and so many bytes a second."""
        self.handshakes = handshakes
        self.bytes = bytes_
        self._clients: OrderedDict[str, Client] = OrderedDict()

    def client(self, key: str, now: float) -> Client:
        """Return the client that is known by `key`."""
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = Client(self, now)
            if len(self._clients) > CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(key)
        return client

    def ask(self, client: Client, now: float) -> float:
        """Count a handshake; return the seconds to wait where there were too many, else 0."""
        return client.handshakes.spend(1, self.handshakes / 60, self.handshakes, now, owed=False)

    def take(self, client: Client, size: int, now: float) -> float:
        """Count bytes that came; return for how many seconds nothing more should be read."""
        return client.bytes.spend(size, self.bytes, self.bytes * BURST_SECONDS, now, owed=True)


def by_address(host: str) -> str:
    """Return what stands for the client at an address."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # a unix socket has none
        return "address "
    if isinstance(address, IPv6Address):
        return f"address {address.ipv4_mapped or int(address) >> (128 - PREFIX_BITS)}"
    return f"address {address}"


def by_name(name: str) -> str:
    """Return what stands for those that show a token of this name."""
    return f"name {name}"
