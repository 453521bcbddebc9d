"""The labels that an operator gives each source, put on the metrics of conversations when they are scraped.

Facts and events know the name of their source alone, so that counting pays nothing for them.
"""

from collections.abc import Mapping
from typing import Final

Labels = tuple[str, ...]


class SourceLabels:
    """The same names for all sources, and the values of each. It never changes: another one is put in its place."""

    __slots__ = ("_values", "names")

    def __init__(self, by_source: Mapping[str, Mapping[str, str]], former: "SourceLabels | None" = None) -> None:
        """Take the labels of each source.

        Args:
            by_source: name of the source to its labels. All have the same names; one that misses a name has "" for it.
            former: those until now. A source that is gone has its counts still, and keeps the labels whose names stand.
        """
        gone = former.by_source() if former else {}
        self.names: Labels = tuple(sorted({name for labels in by_source.values() for name in labels}))
        self._values: dict[str, Labels] = {
            source: tuple(labels.get(name, "") for name in self.names)
            for source, labels in {**gone, **by_source}.items()
        }

    def by_source(self) -> dict[str, dict[str, str]]:
        """Return what it was made of."""
        return {source: dict(zip(self.names, values, strict=True)) for source, values in self._values.items()}

    def names_after_source(self, labels: Labels) -> Labels:
        """Return the names of all labels of a metric, whose own `labels` begin with `source`."""
        return (*labels[:1], *self.names, *labels[1:])

    def values_after_source(self, values: Labels) -> Labels:
        """Return the values of all labels, as `names_after_source` orders them."""
        if not self.names:
            return values
        return (values[0], *self._values.get(values[0], ("",) * len(self.names)), *values[1:])


NO_LABELS: Final = SourceLabels({})
"""What sources have without a configuration."""
