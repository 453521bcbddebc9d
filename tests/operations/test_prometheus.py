"""What is shipped for Prometheus and Grafana, on a real Prometheus that scrapes real daemons."""

import re
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import pytest

from tests.operations.prometheus import Prometheus, scraped
from tests.rule_files import rules
from tests.test_dashboards import PANELS
from tests.test_rules import expressions, names_in

VARIABLES: Final = {"$instance": ".*", "$source": ".*", "$__rate_interval": "30s", "$__range": "5m"}

EMPTY: Final = {
    "steno_http_certificate_expiry_timestamp_seconds": "the HTTP face is on loopback, without TLS",
    "steno_audit_anchor_failures_total": "no heads are anchored",
    "steno_otel_dropped_total": "nothing is sent by OTLP",
}
"""Metrics without a series in a demo, and why."""

PASSING: Final = {"steno_context_window_ratio": "no Live session may be open at that moment"}
"""Metrics that have a series at times, and why."""

MOMENTARY: Final = {
    "StenoDown": "a scrape a second times out on a busy machine",
    "StenoLoopLag": "the machine of the tests is busy, and so is a daemon that starts",
    "StenoSourceDown": "a line is down between two calls",
}
"""What may be said where alerts do not wait (`for`)."""
DEMO: Final = {
    "StenoTurnsUnanswered",
    "StenoResponsesFail",
    "StenoResponsesIncomplete",
    "StenoRunsFail",
    "StenoUnknownEvents",
    "StenoEventsMissed",
}
"""What always fires on the demo: its stories fail on purpose, and a file has odd lines. What its agent does wrong, once
in a session, fires at times."""


def concrete(expr: str) -> str:
    """Return an expression of a panel as Grafana would send it."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


@pytest.mark.timeout(600)
def test_all_holds_on_a_real_server(tmp_path: Path) -> None:
    """One test, since it takes a minute until rates are known: what it finds is compared whole.

    Where all is well nothing is said, not even for a moment: alerts do not wait here. What fails on purpose is said, of
    its instance alone.
    """
    with scraped(tmp_path) as prometheus:
        show(prometheus)
        found = {
            "rules that fail": failing_rules(prometheus),
            "rules that are read otherwise": misread(prometheus),
            "metrics that are not there": missing_metrics(prometheus),
            "recording rules without data": unrecorded(prometheus),
            "panels without data": empty_panels(prometheus),
            "texts that cannot be read": unreadable_texts(prometheus),
            "expressions of pages that do not parse": unparsed(prometheus),
            "values that are no shares": odd_shares(prometheus),
            "said": {
                instance: names & DEMO if instance == "demo" else names - set(MOMENTARY)
                for instance, names in prometheus.active().items()
            },
        }

    assert found == {
        "rules that fail": {},
        "rules that are read otherwise": [],
        "metrics that are not there": sorted(EMPTY),
        "recording rules without data": [],
        "panels without data": [],
        "texts that cannot be read": [],
        "expressions of pages that do not parse": [],
        "values that are no shares": [],
        "said": {"well": set(), "demo": DEMO, "all": set()},
    }


def read_by_server(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]


def failing_rules(prometheus: Prometheus) -> dict[str, str]:
    return {rule["name"]: rule["lastError"] for rule in read_by_server(prometheus) if rule["health"] != "ok"}


def misread(prometheus: Prometheus) -> list[str]:
    """Return the rules that the other tests, which have no YAML library, read otherwise than the server."""
    read = {
        rule["name"]: {**rule.get("labels", {}), **rule.get("annotations", {})} for rule in read_by_server(prometheus)
    }
    ours = {rule.name: {key: text for key, text in rule.fields.items() if key != "for"} for rule in rules()}
    return sorted(name for name in read.keys() | ours.keys() if read.get(name) != ours.get(name))


def missing_metrics(prometheus: Prometheus) -> list[str]:
    """Return the metrics of rules and panels that no daemon has."""
    exprs = [rule.expr for rule in rules()] + [expr for panel in PANELS for expr, _ in panel.targets]
    names = {name for expr in exprs for name in names_in(expr)}
    return sorted(name for name in names if not prometheus.query(f"present_over_time({name}[10m])"))


def unrecorded(prometheus: Prometheus) -> list[str]:
    records = [rule for rule in rules() if rule.kind == "record" and not set(names_in(rule.expr)) & set(EMPTY)]
    return [rule.name for rule in records if not prometheus.query(rule.name)]


def empty_panels(prometheus: Prometheus) -> list[str]:
    """Return the expressions of panels that give nothing; where only what is not 0 is shown, 0 is something."""
    absent = {*EMPTY, *PASSING}
    exprs = [expr for panel in PANELS for expr, _ in panel.targets if not set(names_in(expr)) & absent]
    return [expr for expr in exprs if not prometheus.query(concrete(re.sub(r" (>|==) 0$", "", expr)))]


def unreadable_texts(prometheus: Prometheus) -> list[str]:
    texts = [text for alert in prometheus.ask("alerts")["alerts"] for text in alert["annotations"].values()]
    return [text for text in texts if re.search(r"error calling|<no value>|NaN|{{", text)]


def unparsed(prometheus: Prometheus) -> list[str]:
    """Return what the runbook and the questions ask and the server refuses."""
    refused = []
    for expr in (*expressions("runbook.md"), *expressions("metrics.md")):
        try:
            prometheus.query(expr)
        except HTTPError:
            refused.append(expr)
    return refused


def values(prometheus: Prometheus, expr: str) -> list[float]:
    return sorted(float(sample["value"][1]) for sample in prometheus.query(concrete(expr)))


def odd_shares(prometheus: Prometheus) -> list[str]:
    """Return the panels of percentages whose values are none."""
    shares = [panel for panel in PANELS if panel.unit == "percentunit" and panel.title != "CPU"]
    return [
        panel.title
        for panel in shares
        for expr, _ in panel.targets
        if any(value < 0 or value > 1 for value in values(prometheus, expr))
    ]


def show(prometheus: Prometheus) -> None:
    """Print what each panel shows, so that its unit can be judged (`-s`)."""
    for panel in PANELS:
        for expr, _ in panel.targets:
            found = values(prometheus, expr)
            span = f"{found[0]:.4g} .. {found[-1]:.4g}" if found else "nothing"
            print(f"{panel.title:45} {panel.unit:12} {len(found):3} {span}")  # noqa: T201 - for who looks
