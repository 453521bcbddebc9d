"""Plain TOML data against the Structs: every fault there is, where msgspec stops at the first.

The walk follows the types, so a new key or table needs nothing here. No message holds a value that was
found: it may be a secret in the wrong place. A header's name that is wrong is told by its number for the
same reason.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeGuard, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct, inspect
from msgspec.structs import FieldInfo

from steno.config.fields import KEYLIKE, SourceName
from steno.config.messages import expectation
from steno.config.validators import Flaw, Validator, source_names

SHOWN_KEY_CHARACTERS: Final = 64
"""An unknown key is shown only so far: a line of a log is no place for a file's whole content."""

LIKENESS: Final = 0.55
"""How alike two keys must be for the one to be meant by the other: `flush` for `flush_seconds` just is."""


def flaws(value: object, annotation: Any, at: str) -> Iterator[Flaw]:
    """Yield everything that is wrong with a value that the TOML parser gave.

    `annotation` is the type it should have: a Struct, a dict, a tuple of any length, or a single value's.
    `at` is the path of its key; empty for the whole file.
    """
    kind = _present(annotation, value)
    shape = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if _is_struct(shape):
        yield from _table_flaws(value, shape, at)
    elif get_origin(shape) is dict:
        key_type, value_type = get_args(shape)
        yield from _mapping_flaws(value, key_type, value_type, at)
    elif get_origin(shape) is tuple:
        yield from _list_flaws(value, get_args(shape)[0], at)
    else:
        yield from _value_flaws(value, kind, at)


def _present(annotation: Any, value: object) -> Any:
    """Take `None` out of a type: TOML has no word for it, a key is there or it is not.

    Of a word or a table, the one is meant that the value looks like.
    """
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    parts = [part for part in get_args(annotation) if part is not NoneType]
    return next((part for part in parts if _is_struct(part) is isinstance(value, dict)), parts[0])


def _is_struct(kind: Any) -> TypeGuard[type[Struct]]:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _value_flaws(value: object, annotation: Any, at: str) -> Iterator[Flaw]:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        yield Flaw(at, expectation(annotation))
        return
    kind = inspect.type_info(annotation)
    extra = (kind.extra or {}) if isinstance(kind, inspect.Metadata) else {}
    what = extra["fault"](value) if "fault" in extra else None
    if what is not None:
        yield Flaw(at, what)


def _mapping_flaws(value: object, key_type: Any, value_type: Any, at: str) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield Flaw(at, "must be a table")
        return
    for number, (key, inner) in enumerate(value.items()):
        wrong = list(_value_flaws(key, key_type, f"{at}[{number}]"))
        yield from wrong
        yield from flaws(inner, value_type, f"{at}[{number}]" if wrong else _join(at, key))


def _list_flaws(value: object, item_type: Any, at: str) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield Flaw(at, _list_words(item_type, at))
        return
    for label, inner in zip(_labels(value, at), value, strict=True):
        yield from flaws(inner, item_type, label)


def _list_words(item_type: Any, at: str) -> str:
    return f"must be a list of tables, each under [[{at}]]" if _is_struct(item_type) else "must be a list"


def _labels(entries: list[object], at: str) -> Iterator[str]:
    """Name each entry of a list by its own name where that tells it from the others, else by its number."""
    names = source_names(entries)
    times = Counter(names)
    for number, name in enumerate(names):
        usable = times[name] == 1 and not any(_value_flaws(name, SourceName, at))
        yield f"{at}.{name}" if usable else f"{at}[{number}]"


def _table_flaws(value: object, struct: type[Struct], at: str) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield Flaw(at, getattr(struct, "must", "must be a table"))
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    doubtful: set[str] = set()  # keys that are wrong, or are probably meant by one that is unknown
    for key, inner in value.items():
        found = list(_key_flaws(key, inner, fields, at))
        yield from found
        if found:
            doubtful.add(key if key in fields else _meant(key, fields) or key)
    for name, field in fields.items():
        if field.required and name not in value and name not in doubtful:
            doubtful.add(name)
            yield Flaw(_join(at, name), "is missing")
    yield from _rule_flaws(_filled(value, fields), getattr(struct, "rules", ()), doubtful, at)


def _key_flaws(key: str, value: object, fields: dict[str, FieldInfo], at: str) -> Iterator[Flaw]:
    path = _join(at, key)
    if key in fields:
        yield from flaws(value, fields[key].type, path)
        return
    meant = _meant(key, fields)
    yield Flaw(path, f"unknown key, did you mean `{meant}`?" if meant else "unknown key")


def _meant(key: str, fields: dict[str, FieldInfo]) -> str | None:
    """Guess the key that was meant: one that was written before its table's header, or one spelt alike."""
    for name, field in fields.items():
        if _is_struct(field.type) and key in {inner.encode_name for inner in msgspec.structs.fields(field.type)}:
            return f"{name}.{key}"
    close = get_close_matches(key[:SHOWN_KEY_CHARACTERS].lower(), fields, n=1, cutoff=LIKENESS)
    return close[0] if close else None


def _filled(table: dict[str, object], fields: dict[str, FieldInfo]) -> dict[str, object]:
    return {name: _default(field) for name, field in fields.items()} | table


def _default(field: FieldInfo) -> object:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return None if field.default is NODEFAULT else field.default


def _rule_flaws(table: dict[str, object], rules: tuple[Validator, ...], doubtful: set[str], at: str) -> Iterator[Flaw]:
    for rule in rules:
        if doubtful.isdisjoint(rule.keys):
            for key, what in rule.check(table):
                yield Flaw(".".join(part for part in (at, key) if part), what)


def _join(at: str, key: str) -> str:
    """Add a key to a path; what is not a bare key is quoted as TOML would, so that it stays on one line.

    A secret that somebody took for a key is not shown.
    """
    key = KEYLIKE.sub("***", key)
    shown = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
    if len(shown) > SHOWN_KEY_CHARACTERS:
        shown = shown[:SHOWN_KEY_CHARACTERS] + "..."
    return f"{at}.{shown}" if at else shown
