"""The alerts and recording rules that are shipped: what they name exists, and nobody is woken without advice.

What they do is tested in tests/operations, by Prometheus itself.
"""

import re
from pathlib import Path
from typing import Final

import pytest

from steno.metrics.definitions import METRICS
from tests.rule_files import FILES, Rule, alerts, rules

ROOT: Final = Path(__file__).parents[1]
OF_TARGETS: Final = frozenset({"job", "instance"})
"""The labels that Prometheus adds."""
LIBRARY: Final = frozenset(
    {f"process_{name}" for name in ("start_time_seconds", "resident_memory_bytes", "open_fds", "max_fds")}
    | {"process_cpu_seconds_total", "scrape_samples_scraped", "up", "ALERTS"}
)
"""What is used of the client library and of Prometheus itself; these have no further labels."""
RECORDED: Final = re.compile(r"\b\w+:[\w:]+")
NAME: Final = re.compile(r"\b(?:(?:steno|process|scrape)_\w+|up)\b")
GROUPED: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left) \(([^)]*)\)")
MATCHED: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
ANCHOR: Final = re.compile(r"[^\w -]")
EVERY: Final = rules()
BY_NAME: Final = {rule.name: rule for rule in EVERY if rule.kind == "record"}


def labels_of(metric: str) -> frozenset[str]:
    """Return the labels of a metric as Prometheus stores it.

    Raises KeyError where there is no such metric.
    """
    if metric in LIBRARY:
        return OF_TARGETS
    base = re.sub(r"_(bucket|count|sum)$", "", metric)
    row = METRICS[metric] if metric in METRICS else METRICS[base]
    assert metric == row.name or row.kind == "histogram", metric
    return OF_TARGETS | set(row.labels) | ({"le"} if metric.endswith("_bucket") else set())


def names_in(expr: str) -> list[str]:
    """Return the metrics that an expression asks for, through recording rules as well."""
    bare = QUOTED.sub('""', expr)
    recorded = [name for name in RECORDED.findall(bare) if name in BY_NAME]
    return [*NAME.findall(RECORDED.sub("", bare)), *(n for name in recorded for n in names_in(BY_NAME[name].expr))]


def faults(expr: str) -> list[str]:
    """Return what an expression names and is not there: rules, metrics, and labels of them."""
    bare = QUOTED.sub('""', expr)
    missing = [name for name in RECORDED.findall(bare) if name not in BY_NAME]
    metrics = names_in(expr)
    missing += [name for name in metrics if not known(name)]
    labels = frozenset().union(*(labels_of(name) for name in metrics if known(name)))
    used = {word for inner in GROUPED.findall(bare) for word in re.findall(r"\w+", inner)}
    added = set(re.findall(r'label_replace\([^"]*"(\w+)"', expr))
    return missing + sorted(used - labels - added) + unmatched(expr)


def unmatched(expr: str) -> list[str]:
    """Return the labels of `name{label="..."}` that the metric of that name does not have."""
    return [
        f"{name}: {label}"
        for name, inner in re.findall(r"\b(steno_\w+|process_\w+|up)\{((?:[^}\"]|\"[^\"]*\")*)\}", expr)
        for label in MATCHED.findall(inner)
        if known(name) and label not in labels_of(name)
    ]


def known(name: str) -> bool:
    return name in LIBRARY or name in METRICS or re.sub(r"_(bucket|count|sum)$", "", name) in METRICS


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.name)
def test_what_a_rule_names_exists(rule: Rule) -> None:
    """An expression over what is not there never fires, and says nothing."""
    assert faults(rule.expr) == []


def test_names_are_unique() -> None:
    names = [rule.name for rule in EVERY]

    assert sorted(names) == sorted(set(names))
    assert len(alerts()) > 50


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule.name)
def test_an_alert_has_its_parts(rule: Rule) -> None:
    assert set(rule.fields) == {
        *("for", "labels", "severity", "annotations", "summary", "description", "runbook_url")
    } - {"labels", "annotations"}
    assert rule.fields["severity"] in {"critical", "warning", "info"}
    assert len(rule.fields["summary"]) < 140
    assert rule.fields["description"].endswith(".")


def test_who_loads_the_alerts_loads_what_they_look_up() -> None:
    """Without the thresholds nothing that is compared with one fires."""
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "deploy").rglob("prometheus.yml")]
    loading = [text for text in texts if "rule_files:" in text]

    assert len(loading) > 1
    assert [name for text in loading for name in FILES if not re.search(rf"\b{name}$", text, re.MULTILINE)] == []


def test_every_threshold_is_compared_with() -> None:
    used = {name for rule in EVERY for name in RECORDED.findall(rule.expr)}

    assert [name for name in BY_NAME if name not in used and name.startswith("steno:threshold:")] == []


def test_every_alert_leads_to_its_section_and_back() -> None:
    page = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    anchors = [
        ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    ]
    sections = re.findall(r"^### (\w+)$", page, re.MULTILINE)

    assert sorted(sections) == sorted(rule.name for rule in alerts())
    for rule in alerts():
        file, _, anchor = rule.fields["runbook_url"].partition("#")
        assert (ROOT / file).is_file()
        assert anchors.count(anchor) == 1


def expressions(page: str) -> list[str]:
    """Return the PromQL of a page: what stands between backticks and asks for a metric, whole or in an expression."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    text = text[text.index("## Questions") :] if page == "metrics.md" else text
    quoted = [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", text)]
    return [
        each.replace("\\|", "|").replace("NAME", "front-desk")
        for each in quoted
        if re.match(
            r"(sum|topk|min|max|count|rate|increase|histogram_quantile|time|1 - |[a-z_]+:|process_|steno_)", each
        )
        and re.search(r"[a-z]_[a-z]", each)
    ]


@pytest.mark.parametrize("page", ["runbook.md", "metrics.md"])
def test_expressions_of_a_page_name_what_exists(page: str) -> None:
    found = [each for each in expressions(page) if not each.startswith("steno:threshold")]

    assert len(found) > 10
    assert {each: faults(each) for each in found if faults(each)} == {}


RUNBOOK: Final = " ".join((ROOT / "docs/runbook.md").read_text(encoding="utf-8").split())


def after(words: str, form: str) -> list[str]:
    """Return what the runbook quotes after some words: one thing, or several with commas and `and`."""
    lists = re.findall(rf"{words} ((?:`{form}`(?:, | and )?)+)", RUNBOOK)
    return [each for found in lists for each in re.findall(r"`([^`]+)`", found)]


def test_the_records_that_the_runbook_looks_for_exist() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "docs/audit.md").read_text(encoding="utf-8"), re.MULTILINE)
    found = after("[Rr]ecords?", r"[a-z_]+\.[a-z_]+")

    assert len(found) > 8
    assert set(found) - set(rows) == set()


def test_the_lines_that_the_runbook_looks_for_exist() -> None:
    """Of the operational log, or the end of one."""
    code = " ".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "src").rglob("*.py")))
    found = after("(?:log lines?|the log line|its log says)", r"[a-z][^`]+")

    assert len(found) > 8
    assert [line for line in found if line not in code] == []
