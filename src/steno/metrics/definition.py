"""What a metric is, as data: its name, kind, labels and meaning."""

from typing import Literal

from msgspec import Struct

Kind = Literal["counter", "gauge", "histogram"]


class Definition(Struct, frozen=True):
    """One metric. A counter's `name` ends in `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


def table(*rows: Definition) -> dict[str, Definition]:
    """Return the rows by name."""
    return {row.name: row for row in rows}
