"""Arguments for a function that a client declared: a value that fits its JSON schema.

Whatever is in a schema is the client's. A part of it that makes no sense gives a text. Nesting is followed to a depth.
What it does not honour: the `pattern` of a text, and conditions (`not`, `if`).
"""

from math import ceil, inf
from typing import Any, Final

_BOUNDS: Final = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_DEPTH_MAX: Final = 8
_LENGTH_MAX: Final = 200  # of a text, and of an array
_FORMATS: Final = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T09:30:00Z",
    "time": "09:30:00",
    "email": "caller@example.com",
    "uri": "https://example.com/",
    "uuid": "7f2c1a54-0b7e-4c1e-9a52-6f1d0c3b8e21",
}
_WHOLE_MAX: Final = 2**53  # up to here each whole number is the same to every reader of JSON


def arguments(parameters: Any, hint: str) -> dict[str, Any]:
    """Return arguments for the schema `parameters` of a function. Free texts are `hint`."""
    made = _value(parameters, parameters, hint, 0)
    return made if isinstance(made, dict) else {}


def _value(schema: Any, root: Any, hint: str, depth: int) -> Any:
    """Return a value for `schema`, a part of `root`."""
    if not isinstance(schema, dict) or depth > _DEPTH_MAX:
        return hint
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    for name in ("enum", "examples"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    inner = _inner(schema, root)
    if inner is not None:
        return _value(inner, root, hint, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    return _typed(kind, schema, root, hint, depth)


def _inner(schema: dict[str, Any], root: Any) -> Any:
    """Return the schema that `schema` refers to or offers first, or None."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        found = root
        for part in reference[2:].split("/"):
            found = found.get(part) if isinstance(found, dict) else None
        return found
    for name in ("anyOf", "oneOf", "allOf"):
        offers = schema.get(name)
        if isinstance(offers, list) and offers:
            return next((each for each in offers if each != {"type": "null"}), offers[0])
    return None


def _typed(kind: Any, schema: dict[str, Any], root: Any, hint: str, depth: int) -> Any:
    match kind:
        case "object":
            properties = schema.get("properties")
            known = properties if isinstance(properties, dict) else {}
            return {name: _value(inner, root, hint, depth + 1) for name, inner in known.items()}
        case "array":
            length = min(_number(schema.get("minItems"), 1), _LENGTH_MAX)
            return [_value(schema.get("items"), root, hint, depth + 1) for _ in range(int(length))]
        case "integer":
            return int(_within(schema))
        case "number":
            return _within(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema, hint)


def _text(schema: dict[str, Any], hint: str) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    if known:
        return known
    least = int(min(max(_number(schema.get("minLength"), 0), 0), _LENGTH_MAX))
    most = int(max(_number(schema.get("maxLength"), _LENGTH_MAX), 0))
    return hint.ljust(least, "x")[:most]


def _within(schema: dict[str, Any]) -> float:
    """Return a number between the bounds of a schema: the least where it has one, else 1 where that is allowed."""
    step = abs(_number(schema.get("multipleOf"), 1)) or 1
    bounds = {name: bound for name in _BOUNDS if (bound := _number(schema.get(name), None)) is not None}
    least = max(bounds.get("minimum", -inf), bounds.get("exclusiveMinimum", -inf) + step)
    most = min(bounds.get("maximum", inf), bounds.get("exclusiveMaximum", inf) - step)
    try:
        chosen = min(step if least == -inf else ceil(least / step) * step, most)
    except OverflowError:  # too far apart to count in steps
        return 1
    if not -_WHOLE_MAX <= chosen <= _WHOLE_MAX:  # a number that JSON may not hold
        return 1
    return int(chosen) if chosen == int(chosen) else chosen


def _number(value: Any, otherwise: float | None) -> Any:
    """Return a finite number, or `otherwise`."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < inf
    return value if known else otherwise
