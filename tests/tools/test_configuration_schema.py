"""The schema for editors: current, and of one mind with the program about what a configuration may hold."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from steno.config import parse
from steno.errors import ConfigError
from tests.tools.json_schema import mistakes
from tools import configuration_schema

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads(configuration_schema.text())
EXAMPLES = sorted([*(ROOT / "config").glob("*.toml"), *(ROOT / "deploy").rglob("*.toml")])
PROXY = '[[sources]]\nname = "desk"\nkind = "proxy"\nupstream = "https://api.provider.example"\n'


def of(text: str) -> list[str]:
    return list(mistakes(tomllib.loads(text), SCHEMA, SCHEMA))


def test_the_schema_is_current() -> None:
    """It is written by a program; who changed a key lets it write again."""
    assert configuration_schema.FILE.read_text() == configuration_schema.text(), "out of date: run make docs"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_each_example_fits(example: Path) -> None:
    assert of(example.read_text()) == []


@pytest.mark.parametrize("example", sorted((ROOT / "config").glob("*.toml")), ids=lambda path: path.name)
def test_each_example_names_the_schema(example: Path) -> None:
    directive, place = example.read_text().splitlines()[0].split()

    assert directive == "#:schema"
    assert (example.parent / place).resolve() == configuration_schema.FILE.resolve()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PROXY, []),
        ("lisen = 1", [".lisen: additionalProperties"]),
        ("[http]\nredy = 'all'", [".http.redy: additionalProperties"]),
        ("[http]\nready = 'most'", [".http.ready: enum"]),
        ("[limits]\nconversations = 0", [".limits.conversations: minimum"]),
        ("[audit]\nflush_seconds = 0", [".audit.flush_seconds: exclusiveMinimum"]),
        ("[audit]\nkey = { file = '/k', env = 'K' }", [".audit.key: oneOf"]),
        ("[audit]\nkey = {}", [".audit.key: oneOf"]),
        ("[audit]\nkey = 'hunter2'", [".audit.key: type", ".audit.key: oneOf"]),
        ("[audit]\ncontent = { transcript = 'full', text = 'none' }", []),
        ("[audit]\ncontent = { transcrit = 'full' }", [".audit.content: anyOf"]),
        (PROXY + "labels = { '1st' = 'a' }", [".sources[0]: oneOf"]),
        (PROXY.replace("upstream", "upsteam"), [".sources[0]: oneOf"]),
        (PROXY.replace("proxy", "proxi"), [".sources[0]: oneOf"]),
        (PROXY.replace('kind = "proxy"\n', ""), [".sources[0]: oneOf"]),
    ],
)
def test_what_fits_the_program_fits_the_schema(text: str, found: list[str]) -> None:
    try:
        parse(text, "steno.toml")
        accepted = True
    except ConfigError:
        accepted = False

    assert of(text) == found
    assert accepted == (not found)


def test_every_key_is_described() -> None:
    tables = SCHEMA["definitions"].items()
    keys = {f"{name}.{key}": of_key for name, table in tables for key, of_key in table["properties"].items()}

    assert [name for name, of_key in keys.items() if "description" not in of_key] == []
