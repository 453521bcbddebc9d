"""What a value of a type must be, as a message: `must be a whole number, 1 or more`.

The messages of msgspec cannot be shown, since they may repeat a value of the file.
"""

from typing import Any, Literal, get_args, get_origin

from msgspec import inspect


def expectation(annotation: Any) -> str:
    """Return the message for a value that is not of this type.

    `annotation` is the type of a single value, `Annotated` or not, without `None`.
    """
    if get_origin(annotation) is Literal:
        return choice(get_args(annotation))
    kind = inspect.type_info(annotation)
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra or {}).get("must") or _describe(kind.type))
    return _describe(kind)


def choice(choices: tuple[object, ...]) -> str:
    """Return the message for a value that is none of `choices`."""
    return f"must be `{choices[0]}`" if len(choices) == 1 else f"must be one of: {', '.join(map(str, choices))}"


def _describe(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType():
            return "must be a whole number" + _bounds(kind)
        case inspect.FloatType():
            return "must be a number" + _bounds(kind)
        case inspect.BoolType():
            return "must be true or false"
        case inspect.StrType():
            return "must be text in quotes"
    return "has the wrong type"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f", from {kind.ge} to {kind.le}"
    bounds = [
        template.format(bound)
        for template, bound in (
            ("above {}", kind.gt),
            ("{} or more", kind.ge),
            ("below {}", kind.lt),
            ("{} or less", kind.le),
        )
        if bound is not None
    ]
    return ", " + " and ".join(bounds) if bounds else ""
