"""The files in config/ are valid: the example shows every key with its default, the others run."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from steno.config import Audit, Config, Connect, Http, Log, Otel, Prices, load, parse
from steno.config.sources import SOURCES
from steno.limits import Limits

FOLDER = Path(__file__).parents[2] / "config"
EXAMPLE = (FOLDER / "steno.toml").read_text()
KINDS = {kind: FOLDER / f"{'steno' if kind == 'connect' else kind}.toml" for kind in SOURCES}
"""The file that shows each kind of source."""
TABLES: dict[str, type[Struct]] = {
    "http": Http,
    "audit": Audit,
    "log": Log,
    "limits": Limits,
    "prices": Prices,
    "otel": Otel,
    **SOURCES,
}
KEYS = [(table, field) for table, struct in TABLES.items() for field in fields(struct)]
KEY_LINE = re.compile(r"(# )?(\w+) = (.+)")


def shown(table: str) -> dict[str, Any]:
    """Return a table of the example; for a kind of source, the only table of the file that shows it."""
    if table in KINDS:
        return dict(tomllib.loads(KINDS[table].read_text())["sources"][0])
    return dict(tomllib.loads(EXAMPLE)[table])


def lines(table: str) -> list[str]:
    """Return the lines of a table of the example, without its header and what is above it."""
    text, name = (KINDS[table].read_text(), "sources") if table in KINDS else (EXAMPLE, table)
    return re.split(rf"^\[+{name}\]+$", text, flags=re.MULTILINE)[1].split("\n[")[0].strip().splitlines()


def default(field: FieldInfo) -> object:
    value = field.default if field.default_factory is NODEFAULT else field.default_factory()
    return None if value is NODEFAULT else msgspec.to_builtins(value)


def test_every_table_is_in_the_example() -> None:
    names = [field.name for field in fields(Config)]

    assert list(tomllib.loads(EXAMPLE)) == names
    assert [*(table for table in TABLES if table not in KINDS), "sources"] == names


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_of_each_kind_is_valid(kind: str) -> None:
    (source,) = load(KINDS[kind]).sources

    assert type(source) is SOURCES[kind]


@pytest.mark.parametrize(("table", "field"), KEYS, ids=[f"{table}.{field.name}" for table, field in KEYS])
def test_the_example_shows_every_key_with_its_default(table: str, field: FieldInfo) -> None:
    named = [match[2] for match in map(KEY_LINE.fullmatch, lines(table)) if match]

    assert field.name in named
    if field.required:
        assert field.name in shown(table)
    elif field.default is None:
        assert field.name not in shown(table)
    else:
        assert shown(table)[field.name] == msgspec.convert(default(field), list | dict | bool | int | float | str)


@pytest.mark.parametrize("table", TABLES)
def test_the_example_shows_the_keys_in_the_order_of_the_struct(table: str) -> None:
    named = [match[2] for match in map(KEY_LINE.fullmatch, lines(table)) if match]

    assert list(dict.fromkeys(named)) == [field.name for field in fields(TABLES[table])]


@pytest.mark.parametrize("table", TABLES)
def test_the_example_has_a_comment_above_each_key(table: str) -> None:
    body = lines(table)
    keys = [number for number, line in enumerate(body) if KEY_LINE.fullmatch(line)]

    assert all(number > 0 and body[number - 1].startswith("# ") for number in keys)


def test_what_is_commented_out_in_the_example_is_valid_too() -> None:
    commented = re.findall(r"^# (\w+) = ", EXAMPLE, flags=re.MULTILINE)
    without = re.sub(rf"^({'|'.join(commented)}) = .*\n", "", EXAMPLE, flags=re.MULTILINE)
    text = re.sub(r"^# (?=\w+ = )", "", without, flags=re.MULTILINE)

    config = parse(text, "steno.toml")
    (relay,) = config.sources

    assert isinstance(relay, Connect)
    assert (config.audit.directory, relay.ca_file) == (
        "/var/log/steno",
        "/etc/steno/relay-ca.pem",
    )
    assert sorted(relay.headers) == ["Authorization", "X-Tenant"]


def test_the_example_is_the_defaults_and_one_source() -> None:
    relay = Connect(name="relay", kind="connect", url="wss://relay.example/v1/events")

    assert load(FOLDER / "steno.toml") == Config(sources=(relay,))


def test_the_minimal_file_is_the_defaults_and_one_source() -> None:
    relay = Connect(name="relay", kind="connect", url="ws://127.0.0.1:8765/v1/realtime")

    assert load(FOLDER / "minimal.toml") == Config(sources=(relay,))


def test_the_demo_reads_a_line_of_each_kind() -> None:
    config = load(FOLDER / "demo.toml")

    assert config.http.listen == "127.0.0.1:9464"
    assert {source.name: source.url for source in config.sources if isinstance(source, Connect)} == {
        "front-desk": "ws://127.0.0.1:8765/v1/realtime?model=gpt-realtime&line=1",
        "support": "ws://127.0.0.1:8765/v1/realtime?model=gpt-realtime&line=2",
        "field-radio": "ws://127.0.0.1:8765/v1/realtime?line=push",
        "back-office": "ws://127.0.0.1:8765/v1/assistants",
        "agents": "ws://127.0.0.1:8765/v1/responses?line=1",
        "kiosk": "ws://127.0.0.1:8765/v1/live/sessions?line=1",
    }
