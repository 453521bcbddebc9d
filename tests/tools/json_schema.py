"""As much of JSON Schema (draft 07) as the schema of the configuration uses; what it does not know, it refuses."""

import re
from collections.abc import Iterator
from typing import Any, Final

TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
NOTES: Final = {"$schema", "title", "description", "default", "definitions"}


def mistakes(value: object, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> Iterator[str]:
    """Yield where a value does not fit: the path of its key, and the keyword that refuses it."""
    for keyword, wanted in schema.items():
        match keyword:
            case "$ref":
                yield from mistakes(value, root["definitions"][wanted.removeprefix("#/definitions/")], root, at)
            case "allOf":
                for each in wanted:
                    yield from mistakes(value, each, root, at)
            case "anyOf" | "oneOf":
                fitting = sum(not any(mistakes(value, each, root, at)) for each in wanted)
                if fitting == 0 or (keyword == "oneOf" and fitting > 1):
                    yield f"{at}: {keyword}"
            case "items" if isinstance(value, list):
                for number, each in enumerate(value):
                    yield from mistakes(each, wanted, root, f"{at}[{number}]")
            case "properties" if isinstance(value, dict):
                for name in wanted.keys() & value.keys():
                    yield from mistakes(value[name], wanted[name], root, f"{at}.{name}")
            case "additionalProperties" if isinstance(value, dict):
                for name in value.keys() - schema.get("properties", {}).keys():
                    if wanted is False:
                        yield f"{at}.{name}: {keyword}"
                    else:
                        yield from mistakes(value[name], wanted, root, f"{at}.{name}")
            case "propertyNames" if isinstance(value, dict):
                for name in value:
                    yield from mistakes(name, wanted, root, f"{at}.{name}")
            case "items" | "properties" | "additionalProperties" | "propertyNames":
                pass
            case _ if keyword not in NOTES and not _holds(value, keyword, wanted):
                yield f"{at}: {keyword}"


def _holds(value: Any, keyword: str, wanted: Any) -> bool:
    """Whether a keyword that looks at one value holds; one of numbers holds for texts, as the standard has it."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match keyword:
        case "type":
            return isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
        case "enum":
            return value in wanted
        case "pattern":
            return not isinstance(value, str) or re.search(wanted, value) is not None
        case "minLength":
            return not isinstance(value, str) or len(value) >= wanted
        case "maxLength":
            return not isinstance(value, str) or len(value) <= wanted
        case "minimum":
            return not number or value >= wanted
        case "maximum":
            return not number or value <= wanted
        case "exclusiveMinimum":
            return not number or value > wanted
        case "required":
            return not isinstance(value, dict) or value.keys() >= set(wanted)
    raise NotImplementedError(keyword)
