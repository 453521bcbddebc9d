"""What a value of a client event may be. A check returns the value as the session keeps it, or raises.

Each takes the path of the value in its event, such as `session.audio.output.voice`, for the message.
"""

from collections.abc import Callable
from typing import Any

from steno.simulate.interactive.errors import EventRefusedError, invalid_value, missing

Check = Callable[[str, Any], Any]
"""Takes a path and a value. Returns the value to keep, or raises `EventRefusedError`."""

_NAMES = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", list: "an array", dict: "an object"}


def wrong_type(path: str, expected: str, value: Any) -> EventRefusedError:
    """Return the error for a value of another type."""
    found = "null" if value is None else _NAMES.get(type(value), "another type")
    return EventRefusedError("invalid_type", f"'{path}' has to be {expected}, not {found}.", path)


def anything(_path: str, value: Any) -> Any:
    """Let any value pass: the member has no effect here."""
    return value


def text(path: str, value: Any) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise wrong_type(path, "a string", value)
    return value


def flag(path: str, value: Any) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(path, "a boolean", value)
    return value


def thing(path: str, value: Any) -> dict[str, Any]:
    """Return an object with any members."""
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    return value


def number(least: float, most: float) -> Check:
    """Check a number from `least` to `most`."""

    def check(path: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(path, "a number", value)
        if not least <= value <= most:
            raise invalid_value(path, f"'{path}' has to be from {least:g} to {most:g}.")
        return value

    return check


def whole(least: int, most: int) -> Check:
    """Check an integer from `least` to `most`."""

    def check(path: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(path, "an integer", value)
        return number(least, most)(path, value)

    return check


def one_of(*choices: str) -> Check:
    """Check a string that is one of `choices`."""

    def check(path: str, value: Any) -> Any:
        if text(path, value) not in choices:
            raise invalid_value(path, f"'{path}' cannot be '{value[:80]}'. It is one of: {', '.join(choices)}.")
        return value

    return check


def nullable(check: Check) -> Check:
    """Check a value that may be null."""
    return lambda path, value: None if value is None else check(path, value)


def either(first: type, check: Check, otherwise: Check) -> Check:
    """Check by `check` a value of the type `first`, and by `otherwise` any other."""
    return lambda path, value: (check if isinstance(value, first) else otherwise)(path, value)


def array(check: Check, most: int) -> Check:
    """Check an array of up to `most` values."""

    def checked(path: str, value: Any) -> Any:
        if not isinstance(value, list):
            raise wrong_type(path, "an array", value)
        if len(value) > most:
            raise invalid_value(path, f"'{path}' has more than {most} elements.")
        return [check(f"{path}[{n}]", element) for n, element in enumerate(value)]

    return checked


def members(known: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    """Check an object that has no members but `known` ones, and has the `required` ones."""

    def check(path: str, value: Any) -> Any:
        checked = {}
        for name, inner in thing(path, value).items():
            if name not in known:
                where = f"{path}.{name}"[:120]
                raise EventRefusedError("unknown_parameter", f"There is no '{where}'.", where)
            checked[name] = known[name](f"{path}.{name}", inner)
        for name in required:
            if name not in checked:
                raise missing(f"{path}.{name}")
        return checked

    return check
