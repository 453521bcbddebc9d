"""The dashboards that are shipped are what their tables say, and ask for what exists.

That the JSON is what the SDK builds of the tables is tested by `make test-operations`, where the SDK is.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from steno.metrics.definitions import METRICS
from tests.test_rules import faults
from tools.dashboards.agents import AGENTS
from tools.dashboards.overview import OVERVIEW
from tools.dashboards.panels import Board, Panel, threshold
from tools.dashboards.process import PROCESS
from tools.dashboards.upstream import UPSTREAM
from tools.dashboards.voice import VOICE

FOLDER: Final = Path(__file__).parents[1] / "deploy/grafana/dashboards"
BOARDS: Final = (OVERVIEW, VOICE, AGENTS, UPSTREAM, PROCESS)
PANELS: Final = [panel for board in BOARDS for _, panels in board.rows for panel in panels]
UNITS: Final = {"none", "short", "s", "percentunit", "currencyUSD", "bytes", "Bps", "eps", "wps"}


def json_of(board: Board) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{board.uid}.json").read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_json_is_that_of_the_table(board: Board) -> None:
    document = json_of(board)
    panels = [panel for panel in document["panels"] if panel["type"] != "row"]

    assert (document["uid"], document["title"]) == (board.uid, board.title)
    assert [variable["name"] for variable in document["templating"]["list"]] == ["datasource", "instance", "source"]
    assert [
        (each["title"], each["description"], each["fieldConfig"]["defaults"]["unit"], queries(each)) for each in panels
    ] == [
        (each.title, each.description, each.unit, [expr for expr, _ in each.targets])
        for _, row in board.rows
        for each in row
    ]
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])


def queries(panel: dict[str, Any]) -> list[str]:
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"$datasource"}
    return [target["expr"] for target in panel["targets"]]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_asks_for_what_exists(panel: Panel) -> None:
    """With a unit that Grafana knows, and of the sources that are chosen."""
    assert panel.unit in UNITS
    assert panel.description.endswith(".")
    for expr, _ in panel.targets:
        assert faults(re.sub(r"\[\$__\w+\]", "[5m]", expr)) == []
        assert "$instance" in expr or "ALERTS" in expr


def test_a_legend_names_labels_that_are_left() -> None:
    """A label that the expression has summed away would be shown empty."""
    wrong = []
    for panel in PANELS:
        for expr, legend in panel.targets:
            kept = re.match(r"[^(]*\(?(?:\d[^(]*)?(?:sum|min|max)? ?by \(([^)]*)\)", expr.replace("sum by", " sum by"))
            labels = re.findall(r"{{(\w+)}}", legend) if kept else []
            wrong += [(panel.title, label) for label in labels if kept and label not in kept[1]]

    assert wrong == []


def test_boards_do_not_overlap() -> None:
    for board in BOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in json_of(board)["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells


def test_numbers_of_the_alerts_are_those_of_the_panels() -> None:
    assert threshold("turn_latency_seconds") == 1.5
    assert threshold("resident_memory_bytes") == 480 * 1024 * 1024


def test_every_histogram_is_shown() -> None:
    """What is measured in seconds is why operators open a board."""
    shown = " ".join(expr for panel in PANELS for expr, _ in panel.targets)

    assert [name for name, row in METRICS.items() if row.kind == "histogram" and f"{name}_bucket" not in shown] == []
