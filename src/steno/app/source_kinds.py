"""The kinds of sources: from the `kind` in a configuration to the class that is made of it.

A class is imported when a source of its kind is configured: a daemon has one kind or two, and starts without the rest.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final

from steno.sources.protocols import Source, SourceConfig
from steno.sources.stream_session import StreamSessions

Kind = Callable[[Any, StreamSessions], Source]
"""Makes a source from its own Struct of `config.schema`, whose type the kind decides."""

SOURCE_KINDS: Final[Mapping[str, Kind | str]] = {
    "connect": "steno.sources.connect.ConnectSource",
    "listen": "steno.sources.listen.source.ListenSource",
    "follow": "steno.sources.follow.FollowSource",
    "proxy": "steno.sources.proxy.source.ProxySource",
    "attach": "steno.sources.attach.source.AttachSource",
}
"""`kind` to its class, or to where that is."""


def make_source(config: SourceConfig, sessions: StreamSessions) -> Source:
    """Return the source that `config` describes."""
    return kind_of(config)(config, sessions)


def kind_of(config: SourceConfig) -> Kind:
    """Return the class of the sources of this kind."""
    kind = SOURCE_KINDS[config.kind]
    if not isinstance(kind, str):
        return kind
    module, _, name = kind.rpartition(".")
    made: Kind = getattr(import_module(module), name)
    return made


def shedding(configured: Iterable[SourceConfig], former: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the names of the sources whose records may be dropped: those of a kind that `sheds`.

    A source of `former` that is gone stays among them, since its streams may still be ending.
    """
    kinds = {config.name: kind_of(config) for config in configured}
    sheds = {name for name, kind in kinds.items() if getattr(kind, "sheds", False)}
    return frozenset(sheds | (former - kinds.keys()))
