"""The kinds of sources: from the `kind` in a configuration to the class that is made of it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from steno.sources.attach.source import AttachSource
from steno.sources.connect import ConnectSource
from steno.sources.follow import FollowSource
from steno.sources.listen.source import ListenSource
from steno.sources.protocols import Source, SourceConfig
from steno.sources.proxy.source import ProxySource
from steno.sources.stream_session import StreamSessions

SOURCE_KINDS: Final[Mapping[str, Callable[[Any, StreamSessions], Source]]] = {
    "connect": ConnectSource,
    "listen": ListenSource,
    "follow": FollowSource,
    "proxy": ProxySource,
    "attach": AttachSource,
}
"""`kind` to what makes a source of that kind from its own Struct of `config.schema`, whose type the kind decides."""


def make_source(config: SourceConfig, sessions: StreamSessions) -> Source:
    """Return the source that `config` describes."""
    return SOURCE_KINDS[config.kind](config, sessions)


def shedding(configured: Iterable[SourceConfig], former: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the names of the sources whose records may be dropped: those of a kind that `sheds`.

    A source of `former` that is gone stays among them, since its streams may still be ending.
    """
    kinds = {config.name: SOURCE_KINDS[config.kind] for config in configured}
    sheds = {name for name, kind in kinds.items() if getattr(kind, "sheds", False)}
    return frozenset(sheds | (former - kinds.keys()))
