"""What an address says of who can reach it."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to `host`: an address (IPv6 without brackets), or `localhost`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
