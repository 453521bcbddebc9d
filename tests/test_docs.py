"""The documentation says what the code does: held against the code's own tables."""

import re
from pathlib import Path
from typing import get_args

import pytest

from steno.attachments import REFUSALS, EndReason
from steno.audit.service import CallFact
from steno.certificates import Reason
from steno.config import AttachSource, parse
from steno.config.sources import SOURCES
from steno.core.endings import Closing
from steno.core.facts import MISSING, NAMES, REJECTED, UNPRICED
from steno.metrics.closed import SESSION_KINDS
from steno.metrics.definitions import METRICS
from steno.otel.collector import REASONS as NOT_EXPORTED
from steno.sources.connect_errors import NAMES as REASONS_TO_DIAL
from steno.sources.listen.counters import OUTCOMES
from steno.sources.proxy.frames import UNFED
from steno.sources.proxy.refusal import REASONS as REASONS_TO_REFUSE
from tests.vocabulary import HANDLERS
from tests.vocabulary import NAMES as EVENTS
from tools import facts_page

ROOT = Path(__file__).parent.parent


def event_rows() -> list[tuple[str, str]]:
    page = (ROOT / "docs/protocol-coverage.md").read_text()
    return re.findall(r"^\| `([a-z_.]+)` \| (\S.*) \|$", page, re.MULTILINE)


def test_every_metric_is_documented_with_its_labels() -> None:
    """A row a metric, no row too many, and the labels in their order."""
    rows = re.findall(r"^\| `(steno_\w+)` \| ([^|]*?) ?\|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)

    assert {name: tuple(re.findall(r"\w+", labels)) for name, labels in rows} == {
        name: row.labels for name, row in METRICS.items()
    }


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("steno_events_rejected_total", REJECTED),
        ("steno_missed_events_total", tuple(MISSING)),
        ("steno_unpriced_total", UNPRICED),
        ("steno_conversations_closed_total", get_args(Closing)),
        ("steno_sessions", SESSION_KINDS),
        ("steno_connect_attempts_total", REASONS_TO_DIAL),
        ("steno_proxy_refused_total", REASONS_TO_REFUSE),
        ("steno_unfed_frames_total", UNFED),
        ("steno_listen_handshakes_total", OUTCOMES),
        ("steno_tls_certificate_loads_total", get_args(Reason)),
        ("steno_attachments_ended_total", get_args(EndReason)),
        ("steno_otel_export_failures_total", NOT_EXPORTED),
    ],
)
def test_values_of_labels_are_documented(metric: str, values: tuple[str, ...]) -> None:
    """Who writes an alert has the whole list."""
    (row,) = re.findall(rf"^\| `{metric}` \|.*$", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    documented = {word for quoted in re.findall(r"`([^`]*)`", row) for word in quoted.split()}

    assert set(values) - documented == set()


def test_every_fact_is_documented() -> None:
    """A row a fact, and no row too many; what the log says of itself stands apart."""
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", (ROOT / "docs/audit.md").read_text(), re.MULTILINE)
    own = {f"log.{word}" for word in ("opened", "closed", "checkpoint", "retired", "gap", "cursor", "damaged")}
    own |= {"daemon.started", "daemon.reloaded", "daemon.stopped", "daemon.clock_changed", "content.erased"}
    own.add("daemon.draining")
    own |= {f"daemon.{fact}" for fact in get_args(CallFact)}

    assert sorted(rows) == sorted({*NAMES.values(), *own})


def test_the_page_of_facts_is_current() -> None:
    """It is written by a program; who changed a fact lets it write again."""
    assert facts_page.PAGE.read_text() == facts_page.page(), "docs/facts.md is out of date: run make docs"


def test_every_event_type_is_documented() -> None:
    """A row an event type of a family, and no row too many."""
    assert sorted(name for name, _ in event_rows()) == sorted(EVENTS.values())


def test_what_is_passed_over_is_documented_as_passed() -> None:
    """And nothing else is."""
    assert {name for name, said in event_rows() if said.startswith("Passed")} == {
        EVENTS[kind] for kind, handler in HANDLERS.items() if handler.__name__ == "passed"
    }


def test_the_page_on_calls_holds() -> None:
    """Its configuration is one, and each refusal and each end of a call stands there."""
    page = (ROOT / "docs/attach.md").read_text()
    (toml,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (source,) = parse(toml, "attach.md").sources

    assert isinstance(source, AttachSource)
    assert [word for word in (*REFUSALS, *get_args(EndReason)) if f"`{word}`" not in page] == []


PAGES = [ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_that_are_named_exist(page: Path) -> None:
    """A page that names a file of the house names one that is there: below `src/steno/`, or from the top."""
    for path in re.findall(r"`((?:[a-z_]+/)*(?:[a-z_]+\.(?:py|json)|[a-z_]+/))`", page.read_text()):
        assert (ROOT / "src/steno" / path).exists() or (ROOT / path).exists(), path


TRAFFIC = (ROOT / "docs/getting-traffic-in.md").read_text()
BLOCKS = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TRAFFIC, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("kind", SOURCES)
def test_each_way_in_has_a_configuration_that_loads(kind: str) -> None:
    """The keys that a section adds belong to the source above them."""
    text = dict(BLOCKS)[kind]
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)

    (source,) = parse("".join(blocks), "steno.toml").sources

    assert source.kind == kind
