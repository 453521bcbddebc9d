"""The documentation says what the code does: held against the code's own tables."""

import re
from pathlib import Path

from steno.core.facts import NAMES
from steno.sinks.definitions import METRICS

ROOT = Path(__file__).parent.parent


def test_every_metric_is_documented_with_its_labels() -> None:
    """A row a metric, no row too many, and the labels in their order."""
    rows = re.findall(r"^\| `(steno_\w+)` \| ([^|]*?) ?\|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)

    assert {name: tuple(re.findall(r"\w+", labels)) for name, labels in rows} == {
        name: row.labels for name, row in METRICS.items()
    }


def test_every_fact_is_documented() -> None:
    """A row a fact, and no row too many; what the log says of itself stands apart."""
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", (ROOT / "docs/audit.md").read_text(), re.MULTILINE)
    own = {"log.opened", "log.closed", "daemon.started", "daemon.reloaded", "daemon.stopped"}

    assert sorted(rows) == sorted({*NAMES.values(), *own})


def test_paths_that_are_named_exist() -> None:
    """A page that names a file of the house names one that is there."""
    text = (ROOT / "docs/architecture.md").read_text()

    for path in re.findall(r"`([a-z_]+/(?:[a-z_]+\.py)?|[a-z_]+\.py)`", text):
        assert (ROOT / "src/steno" / path).exists(), path
