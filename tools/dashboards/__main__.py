"""Write the dashboards of deploy/grafana from the tables beside this file: `make dashboards`. --check compares instead.

The Grafana Foundation SDK builds the JSON, so that its fields are those that Grafana has. It is not among the packages
of development: the Makefile makes an environment from a lock of its own.
"""

import sys
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from tools.dashboards.agents import AGENTS
from tools.dashboards.overview import OVERVIEW
from tools.dashboards.panels import DEPLOY, Board, Panel
from tools.dashboards.process import PROCESS
from tools.dashboards.upstream import UPSTREAM
from tools.dashboards.voice import VOICE

BOARDS: Final = (OVERVIEW, VOICE, AGENTS, UPSTREAM, PROCESS)
FOLDER: Final = DEPLOY / "grafana/dashboards"
DATA: Final = DataSourceRef(type_val="prometheus", uid="$datasource")
COLUMNS: Final = 24
HEIGHT: Final = 8
HEIGHT_OF_NUMBER: Final = 4


def colours(panel: Panel) -> dashboard.ThresholdsConfig:
    """Return the colours of a panel: from green to red with rising values, or, where it is `low`, from red to green."""
    if panel.low:
        marks = [(None, "red"), (panel.bad, "yellow"), (panel.warn, "green")]
    else:
        marks = [(None, "green")]
        marks += [(at, colour) for at, colour in ((panel.warn, "yellow"), (panel.bad, "red")) if at is not None]
    steps = [Threshold(value=at, color=colour) for at, colour in marks]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def query(expr: str, legend: str, ref: str, kind: str) -> prometheus.Dataquery:
    """Return a query of a panel: of the time shown, or of now."""
    built = prometheus.Dataquery().expr(expr).ref_id(ref).datasource(DATA)
    built = built.instant() if kind in {"stat", "table"} else built.range()
    formats = {"table": PromQueryFormat.TABLE, "heat": PromQueryFormat.HEATMAP}
    return built.format(formats.get(kind, PromQueryFormat.TIME_SERIES)).legend_format(legend or "__auto")


def lines(panel: Panel) -> Any:
    """Return a panel of lines, or of areas that lie on each other."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    built = timeseries.Panel().legend(legend.show_legend(show_legend=True)).tooltip(tooltip)
    built = built.axis_soft_min(0.0).thresholds(colours(panel))
    if panel.kind == "stack":
        return built.fill_opacity(40).stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    marked = panel.bad is not None or panel.warn is not None
    style = GraphTresholdsStyleMode.DASHED if marked else GraphTresholdsStyleMode.OFF
    return built.fill_opacity(10).thresholds_style(common.GraphThresholdsStyleConfig().mode(style))


def number(panel: Panel) -> Any:
    """Return a panel of one number, green where nothing is wrong."""
    reduced = common.ReduceDataOptions().calcs(["lastNotNull"])
    built = stat.Panel().color_mode(BigValueColorMode.BACKGROUND).graph_mode(BigValueGraphMode.NONE)
    return built.reduce_options(reduced).thresholds(colours(panel)).no_value("none yet")


def rows(panel: Panel) -> Any:
    """Return a table of the labels and the value of each series."""
    hidden = DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}})
    return table.Panel().transformations([hidden]).thresholds(colours(panel))


def heat(panel: Panel) -> Any:
    """Return a heat map of a histogram's buckets."""
    axis = heatmap.YAxisConfig().unit(panel.unit)
    return heatmap.Panel().y_axis(axis).calculate(calculate=False)


MAKERS: Final = {"lines": lines, "stack": lines, "stat": number, "table": rows, "heat": heat}


def made(panel: Panel, number: int, place: GridPos) -> Any:
    """Return a panel with its queries, at its place."""
    built = MAKERS[panel.kind](panel).id(number).grid_pos(place).datasource(DATA)
    built = built.title(panel.title).description(panel.description).unit(panel.unit)
    for position, (expr, legend) in enumerate(panel.targets):
        built = built.with_target(query(expr, legend, chr(ord("A") + position), panel.kind))
    return built


def chosen(name: str, label: str, values: str) -> dashboard.QueryVariable:
    """Return a variable of several values, all at first."""
    every = VariableOption(selected=True, text="All", value="$__all")
    built = dashboard.QueryVariable(name).label(label).datasource(DATA).query(values).current(every)
    built = built.multi(multi=True).include_all(include_all=True).all_value(".*")
    return built.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


def built(board: Board) -> str:
    """Return the JSON of a dashboard."""
    made_of = dashboard.Dashboard(board.title).uid(board.uid).description(board.description).tags(["steno"])
    made_of = made_of.timezone("browser").time("now-1h", "now").refresh("30s").readonly()
    made_of = made_of.tooltip(DashboardCursorSync.CROSSHAIR)
    others = dashboard.DashboardLink("steno").type(DashboardLinkType.DASHBOARDS).tags(["steno"])
    made_of = made_of.link(
        others.as_dropdown(as_dropdown=True).include_vars(include_vars=True).keep_time(keep_time=True)
    )
    made_of = made_of.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    made_of = made_of.with_variable(chosen("instance", "Instance", "label_values(steno_build_info, instance)"))
    sources = 'label_values(steno_last_event_timestamp_seconds{instance=~"$instance"}, source)'
    made_of = made_of.with_variable(chosen("source", "Source", sources))
    number, top = 1, 0
    for title, panels in board.rows:
        made_of = made_of.with_row(dashboard.Row(title).id(number).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=top)))
        number, top, left, height = number + 1, top + 1, 0, 0
        for panel in panels:
            if left + panel.width > COLUMNS:
                left, top = 0, top + height
            height = HEIGHT_OF_NUMBER if panel.kind == "stat" else HEIGHT
            place = GridPos(h=height, w=panel.width, x=left, y=top)
            made_of = made_of.with_panel(made(panel, number, place))
            number, left = number + 1, left + panel.width
        top += height
    return JSONEncoder(sort_keys=True, indent=2).encode(made_of.build()) + "\n"


def main() -> int:
    """Write or compare all dashboards. Returns the number of those that are not as built."""
    wrong = 0
    for board in BOARDS:
        file = FOLDER / f"{board.uid}.json"
        text = built(board)
        if "--check" not in sys.argv:
            file.write_text(text, encoding="utf-8")
        elif file.read_text(encoding="utf-8") != text:
            print(f"{file.name} is not what tools/dashboards builds: run make dashboards", file=sys.stderr)  # noqa: T201 - a program for developers
            wrong += 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
