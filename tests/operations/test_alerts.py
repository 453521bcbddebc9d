"""Each alert fires at what it is for, and at nothing else: played to Prometheus' own evaluation by promtool.

A play has the series that make an alert fire. It is played beside another instance and another source that are well,
whose counters stand still. All together are played on an idle night, after a restart, and without any series.
"""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.operations.alert_plays import PLAYS, Play
from tests.rule_files import FILES, FOLDER, alerts, groups

ALERTS: Final = {rule.name: rule for rule in alerts()}
COUNTER: Final = re.compile(r"_(total|count|sum|bucket)(\{|$)")
MINUTE: Final = "1m"
PROCESS: Final = {"job": "steno", "instance": "a:9464"}
SOURCE: Final = PROCESS | {"source": "front-desk"}
SCOPES: Final = {"none": {}, "process": PROCESS, "source": SOURCE, "conversation": SOURCE | {"team": "care"}}
"""The labels that a series has besides those which a play writes: of a target, a source, and the operator's own."""

B: Final = {"instance": "b:9464"}
OTHERS: Final = {"process": [B], "source": [B, {"source": "support"}], "conversation": [B, {"source": "support"}]}
"""What is beside the one that an alert is about, and well."""

Series = dict[str, str]
"""Values over time, a minute apart, by series, in the form of promtool."""


def labelled(series: str, scope: str, **other: str) -> str:
    """Return a series with the labels of its scope; it may name another scope before a colon."""
    own, _, name = series.rpartition(":") if re.match(r"[a-z]+:", series) else ("", "", series)
    metric, _, rest = name.partition("{")
    labels = {key: other.get(key, value) for key, value in SCOPES[own or scope].items()}
    inner = ", ".join(filter(None, [rest.rstrip("}"), *(f'{key}="{value}"' for key, value in labels.items())]))
    return f"{metric}{{{inner}}}" if inner else metric


def still(series: Series) -> Series:
    """Return counters that stand where they are; gauges go with `Play.well`."""
    return {name: "500x1100" for name in series if COUNTER.search(name)}


def begun_anew(series: Series) -> Series:
    """Return counters that begin at 0 again."""
    return {name: "500x40 0x1100" for name in series if COUNTER.search(name)}


def firing(labels: dict[str, str]) -> dict[str, Any]:
    """Return the sample of an alert that fires, as promtool expects it."""
    inner = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return {"labels": f'ALERTS{{alertstate="firing", {inner}}}', "value": 1}


def check(
    tmp_path: Path,
    series: Series,
    alert: str,
    expected: dict[str, list[dict[str, str]]],
    step: str = MINUTE,
    files: tuple[str, ...] = FILES,
) -> None:
    """Let promtool play `series`, and hold what fires of `alert` at each time against the labels expected."""
    asked = f'ALERTS{{alertname=~"{alert}", alertstate="firing"}}'
    test = {
        "interval": step,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": asked, "eval_time": at, "exp_samples": [firing(labels) for labels in found]}
            for at, found in expected.items()
        ],
    }
    document = {
        "rule_files": [str(FOLDER / name) for name in files],
        # Without an order a rule may look for what another group records a step later.
        "group_eval_order": [name for file in files for name in groups(FOLDER / file)],
        "evaluation_interval": step,
        "tests": [test],
    }
    file = tmp_path / "play.yml"
    file.write_text(json.dumps(document))

    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def played(play: Play, series: Series, **other: str) -> Series:
    return {labelled(name, play.scope, **other): values for name, values in series.items()}


def well(play: Play) -> Series:
    return still(play.firing) | play.well


@pytest.mark.parametrize("name", FILES)
def test_promtool_finds_no_fault_in_the_rules(name: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", FOLDER / name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_fault_in_the_example_configuration() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", FOLDER / "prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_play() -> None:
    assert sorted({play.alert for play in PLAYS} | {"StenoThresholdsMissing"}) == sorted(ALERTS)


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.alert + play.case)
def test_it_fires(play: Play, tmp_path: Path) -> None:
    """For the instance and the source that it is about, and for no other."""
    series = played(play, play.firing)
    for other in OTHERS.get(play.scope, []):
        series = played(play, well(play), **other) | series
    labels = {"alertname": play.alert, "severity": ALERTS[play.alert].fields["severity"]}

    check(tmp_path, series, play.alert, {play.at: [labels | SCOPES[play.scope] | play.labels]}, play.step)


def test_only_absence_is_said_where_there_is_nothing(tmp_path: Path) -> None:
    series = {"another": "1x100"}
    labels = {"alertname": "StenoAbsent", "severity": "critical"}

    check(tmp_path, series, ".*", {"5m": [], "90m": [labels]})


def test_thresholds_that_are_not_loaded_are_said(tmp_path: Path) -> None:
    series = {labelled("up", "process"): "1x100"}
    labels = {"alertname": "StenoThresholdsMissing", "severity": "warning"}

    check(tmp_path, series, ".*", {"5m": [], "20m": [labels]}, files=("rules.yml", "alerts.yml"))


@pytest.mark.parametrize("counters", [still, begun_anew], ids=["on an idle night", "after a restart"])
def test_nothing_fires(counters: Callable[[Series], Series], tmp_path: Path) -> None:
    """All that an alert looks at is there, at rest; or counters begin at 0 again, 40 minutes in."""
    series: Series = {}
    for play in PLAYS:
        series |= played(play, counters(play.firing) | play.well)

    check(tmp_path, series, ".*", {at: [] for at in ("1m", "20m", "41m", "45m", "60m", "90m", "150m")})
    assert len(series) > len(ALERTS)


@pytest.mark.parametrize("case", [(play.alert, quiet) for play in PLAYS for quiet in play.not_at], ids=lambda c: c[0])
def test_it_is_silent_below_its_floor(case: tuple[str, Series], tmp_path: Path) -> None:
    """Few events make no ratio, and what is usual is no fault."""
    alert, series = case
    play = next(each for each in PLAYS if each.alert == alert)

    check(tmp_path, played(play, series), alert, {at: [] for at in ("5m", "20m", "60m", "90m")})
