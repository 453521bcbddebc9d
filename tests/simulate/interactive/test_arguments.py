"""Arguments that fit the schema of a function, whatever the schema is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.simulate.interactive.arguments import arguments

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("type", "properties", "items", "enum", "anyOf", "$ref", "minimum", "maximum", "multipleOf", "minLength")
SCHEMAS = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner | st.sampled_from(["object", "array", "#/"])),
    max_leaves=12,
)


def value_of(schema: dict[str, Any], **definitions: Any) -> Any:
    return arguments({"type": "object", "properties": {"it": schema}, **definitions}, "Oslo")["it"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "Oslo"),
        ({"type": "string", "minLength": 6}, "Osloxx"),
        ({"type": "string", "maxLength": 2}, "Os"),
        ({"type": "string", "format": "date"}, "2026-03-14"),
        ({"type": "string", "enum": ["low", "high"]}, "low"),
        ({"const": 4}, 4),
        ({"type": "integer", "default": 12}, 12),
        ({"type": "integer", "examples": [6, 7]}, 6),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "multipleOf": 5, "minimum": 7}, 10),
        ({"type": "number", "multipleOf": 0.5}, 0.5),
        ({"type": "number", "exclusiveMaximum": 1, "minimum": 0}, 0),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [True, True]),
        ({"type": "array", "minItems": 0}, []),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"$ref": "#/$defs/Unit"}, "metric"),
        ({"$ref": "#/nowhere/at/all"}, "Oslo"),
        ({"properties": {"x": {"type": "integer"}}}, {"x": 1}),
        ({"type": "sonnet"}, "Oslo"),
        ({"type": "string", "minLength": -(2.0**63)}, "Oslo"),
        ({"type": "number", "minimum": 1e308, "multipleOf": 5e-324}, 1),
        ({"type": "integer", "minimum": 10**400}, 1),
        ({"type": "number", "exclusiveMaximum": -1.7e308, "multipleOf": 1.7e308}, 1),
    ],
)
def test_a_value_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert value_of(schema, **{"$defs": {"Unit": {"enum": ["metric"]}}}) == value


@pytest.mark.parametrize("parameters", [None, 7, {}, {"type": "string"}, {"$ref": "#/"}])
def test_what_is_no_object_gives_no_arguments(parameters: Any) -> None:
    assert arguments(parameters, "Oslo") == {}


def test_a_schema_that_refers_to_itself_ends() -> None:
    made = arguments({"type": "object", "properties": {"inner": {"$ref": "#"}, "n": {"$ref": "#/properties/n"}}}, "x")

    assert made["n"] == "x"


@given(SCHEMAS)
def test_any_schema_gives_an_object(schema: Any) -> None:
    assert isinstance(arguments(schema, "x"), dict)
