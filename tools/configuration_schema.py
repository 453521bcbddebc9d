# ruff: noqa: INP001  # a script of the house, in no package
"""Writes config/steno.schema.json: the configuration as a JSON Schema, by which editors complete and check it.

It follows from the Structs. What those cannot say to msgspec is added: docstrings, the `kind` of a source, and that a
secret has one place. What is checked by functions alone (an address, two keys that do not go together) is not in it:
`steno check` has the last word.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.config.schema import Config
from steno.config.secret_ref import SecretRef
from steno.config.sources import SOURCES
from steno.config.sources.base import Source
from tools.struct_members import member_docstrings, table_meaning

FILE: Final = Path(__file__).parent.parent / "config/steno.schema.json"
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""What editors of TOML read; definitions are found by reference, wherever they stand."""

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the schema of a configuration file."""
    kinds = tuple(SOURCES.values())
    _, definitions = msgspec.json.schema_components([Config, *kinds], ref_template="#/definitions/{name}")
    del definitions[Source.__name__]
    for kind in _structs(Config, *kinds):
        _describe(definitions[kind.__name__], kind)
    definitions[SecretRef.__name__]["oneOf"] = [{"required": [place]} for place in SecretRef.__struct_fields__]
    root = definitions.pop(Config.__name__)
    root["properties"]["sources"]["items"] = {"oneOf": [{"$ref": f"#/definitions/{kind.__name__}"} for kind in kinds]}
    return {
        "$schema": DIALECT,
        **_for_toml(root),
        "title": "steno",
        "description": "The configuration of steno.",
        "definitions": {name: _for_toml(each) for name, each in definitions.items()},
    }


def _structs(*roots: type[Struct]) -> list[type[Struct]]:
    """Return all tables that these lead to, themselves included."""
    found: list[type[Struct]] = []
    waiting: list[Any] = list(roots)
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, Struct):
            if each not in found and each is not Source:
                found.append(each)
                waiting += [field.type for field in msgspec.structs.fields(each)]
        else:
            waiting += getattr(each, "__args__", ())
    return found


def _describe(definition: Schema, kind: type[Struct]) -> None:
    """Add what docstrings say."""
    definition["description"] = table_meaning(kind)
    for name, said in member_docstrings(kind).items():
        if name in definition["properties"]:
            definition["properties"][name] = _described(definition["properties"][name], said)


def _described(of_member: Schema, said: str) -> Schema:
    """Return the schema of a member with a description. Nothing that stands beside a reference would be read."""
    if "$ref" in of_member:
        return {"allOf": [{"$ref": of_member["$ref"]}], "description": said}
    return {**of_member, "description": said}


def _for_toml(part: Schema) -> Schema:
    """Return a schema without null, which TOML cannot write, and with patterns that all engines know."""
    part = {name: value for name, value in part.items() if name != "title"}
    if part.get("default", "") is None or isinstance(part.get("default"), dict):  # the keys of a table have their own
        del part["default"]
    if "anyOf" in part:
        choices = [each for each in part.pop("anyOf") if each != {"type": "null"}]
        part |= _only(choices[0], part) if len(choices) == 1 else {"anyOf": choices}
    if "pattern" in part:
        part["pattern"] = part["pattern"].replace(r"\Z", "$")
    if part.get("required") == []:
        del part["required"]
    return {name: _inner(name, value) for name, value in part.items()}


def _inner(name: str, value: Any) -> Any:
    """Return the value of a keyword, itself for TOML where it has schemas in it."""
    if name == "properties":
        return {each: _for_toml(of_member) for each, of_member in value.items()}
    if name in ("items", "propertyNames", "additionalProperties") and isinstance(value, dict):
        return _for_toml(value)
    return [_for_toml(each) for each in value] if name in ("anyOf", "oneOf", "allOf") else value


def _only(choice: Schema, beside: Schema) -> Schema:
    return {"allOf": [choice]} if "$ref" in choice and beside else choice


def text() -> str:
    """Return all of config/steno.schema.json."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
