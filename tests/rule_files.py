"""The rule files of deploy/prometheus as values, read without a YAML library: they keep to one form.

Prometheus' own reading of the same files is held against this one in tests/operations.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parents[1] / "deploy/prometheus"
FILES: Final = ("thresholds.yml", "rules.yml", "alerts.yml")
BLOCKS: Final = ("|", ">-")


class Rule(NamedTuple):
    """A rule. Of an alert, `fields` has what stands at and below it by name, `expr` apart."""

    file: str
    kind: str
    """`record` or `alert`."""
    name: str
    expr: str
    fields: dict[str, str]


def rules() -> list[Rule]:
    """Return all rules, in the order of the files."""
    return [rule for file in FILES for rule in read(FOLDER / file)]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if rule.kind == "alert"]


def read(path: Path) -> list[Rule]:
    """Return the rules of a file.

    Raises ValueError where a line is not of the form that is read here.
    """
    text = re.sub(r"^ *#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for rule in re.split(r"^ {6}- ", text, flags=re.MULTILINE)[1:]:
        body, _, _ = rule.partition("\n  - name: ")
        fields = _fields("        " + body)
        kind = "alert" if "alert" in fields else "record"
        found.append(Rule(path.name, kind, fields.pop(kind), fields.pop("expr"), fields))
    return found


def groups(path: Path) -> list[str]:
    """Return the names of the groups of a file."""
    return re.findall(r"^  - name: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def _fields(body: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    block = ""
    for line in filter(None, body.splitlines()):
        key = re.fullmatch(r" {8}(?: {2})?(\w+):(?: (.*))?", line)
        if key and not line.startswith(" " * 11):
            block = key[1] if key[2] in BLOCKS else ""
            if key[2]:
                fields[key[1]] = "" if block else _plain(key[2])
        elif block:
            fields[block] = f"{fields[block]} {line.strip()}".strip()
        else:
            raise ValueError(f"a line of another form: {line!r}")
    return fields


def _plain(value: str) -> str:
    quoted = re.fullmatch(r"'(.*)'", value)
    return quoted[1].replace("''", "'") if quoted else value
