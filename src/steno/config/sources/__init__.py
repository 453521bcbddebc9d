"""The tables of `[[sources]]`: a module a kind, and `SOURCES`, which finds the one of a `kind`."""

from collections.abc import Mapping
from typing import Final

from steno.config.sources.attach import AttachSource
from steno.config.sources.base import Source, Tls
from steno.config.sources.connect import Connect
from steno.config.sources.follow import FollowSource
from steno.config.sources.listen import ListenSource
from steno.config.sources.proxy import ProxySource

SOURCES: Final[Mapping[str, type[Source]]] = {
    "connect": Connect,
    "proxy": ProxySource,
    "listen": ListenSource,
    "attach": AttachSource,
    "follow": FollowSource,
}
"""`kind` to the table of that kind."""

Source.variants = SOURCES

__all__ = ["SOURCES", "AttachSource", "Connect", "FollowSource", "ListenSource", "ProxySource", "Source", "Tls"]
