"""What the tables of all kinds of sources have in common."""

from collections.abc import Mapping
from typing import ClassVar, Self

import msgspec
from msgspec import Struct, field

from steno.config.fields import FilePath, LabelName, LabelValue, SourceName


class Source(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of `[[sources]]`, of whatever kind. The table of a kind adds its keys."""

    variants: ClassVar[Mapping[str, "type[Source]"]]
    """`kind` to the table of that kind: what this table is an instance of."""

    name: SourceName
    """Names the source in metrics, records and conversation keys; no two sources share one."""

    kind: str
    """Where frames come from."""

    labels: dict[LabelName, LabelValue] = field(default_factory=dict)
    """Labels of every metric of its conversations, such as `{ team = "support" }`. All sources have the same names."""

    def unlabelled(self) -> Self:
        """Return what the source runs by. Labels are for metrics alone: other ones change nothing of what runs."""
        return msgspec.structs.replace(self, labels={})

    @property
    def frame_bytes(self) -> int:
        """Longest frame that is read, in bytes. It is a key of every kind."""
        raise NotImplementedError

    @property
    def everywhere(self) -> bool:
        """Whether each of several processes with the same file runs it. Else one of them does."""
        return False

    @property
    def clients(self) -> int:
        """Sockets that it may hold for its clients at a time; none where it accepts no connections."""
        return 0

    @property
    def dialed(self) -> int:
        """Connections that it may make at a time, besides the one that every source has."""
        return 0

    def shown(self) -> dict[str, object]:
        """Return by key what `steno check` shows in place of a value, since that may hold a secret."""
        return {}


class Tls(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TLS on a side that listens. The files are read again when they change; a bad one leaves the former in use."""

    certificate: FilePath
    """The certificate and those above it, in PEM."""

    key: FilePath
    """Its private key, in PEM, not encrypted."""

    client_ca: FilePath | None = None
    """Certificates (PEM) by which clients must show their own. Absent: clients show none."""
