"""How often a client may send a wrong token: so often that a person notices, and no program finds one.

An address that has sent too many is not listened to for a while, not even with the right token: else it could go on
trying. Other addresses are. An IPv6 client has a network of addresses, which counts as one.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

AT_ONCE: Final = 10
"""Wrong tokens that an address may send one after the other."""
SECONDS_EACH: Final = 6.0
"""After which time it may send one more: ten a minute."""
ADDRESSES: Final = 1024
"""Addresses that are remembered. Past it the one is forgotten that was wrong the longest ago."""
NETWORK_BITS: Final = 64


class Attempts:
    """Wrong tokens by the address that sent them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """There was none. `clock` has seconds."""
        self._clock = clock
        self._due: OrderedDict[str, float] = OrderedDict()
        """Address to the time at which all of its wrong tokens are forgiven."""

    def exhausted(self, address: str) -> bool:
        """Return whether `address` has sent too many of late."""
        return self._due.get(_network(address), 0.0) - self._clock() > SECONDS_EACH * (AT_ONCE - 1)

    def wrong(self, address: str) -> None:
        """Count a wrong token of `address`."""
        client, now = _network(address), self._clock()
        self._due[client] = max(self._due.pop(client, 0.0), now) + SECONDS_EACH
        if len(self._due) > ADDRESSES:
            self._due.popitem(last=False)


def _network(address: str) -> str:
    """Return what one client has: an IPv4 address, or the network of an IPv6 address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(int(parsed) >> (128 - NETWORK_BITS))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
