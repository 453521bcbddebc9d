"""TOML data against the Structs of the schema: finds every fault, where msgspec stops at the first.

The walk follows the types, so a new key or table needs no code here. No message repeats a value of the file: it may be
a secret in the wrong place. For the same reason an invalid header name is shown by its number.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeGuard, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct, inspect
from msgspec.structs import FieldInfo

from steno.config.fields import SourceName
from steno.config.messages import choice, expectation
from steno.config.validators import Flaw, Validator, source_names
from steno.key_shapes import mask_keys

SHOWN_KEY_CHARACTERS: Final = 64
"""Longest key that is shown in full. A file without line breaks could be one key."""

LIKENESS: Final = 0.55
"""How similar an unknown key must be to a known one to be taken for it, from 0 to 1: `flush` for `flush_seconds` is."""


def flaws(value: object, annotation: Any, at: str) -> Iterator[Flaw]:
    """Yield everything that is wrong with a value as the TOML parser returned it.

    `annotation` is the type it should have: a Struct, a dict, a tuple of any length, or the type of a single value.
    `at` is the path of its key; empty for the file itself.
    """
    kind = _without_none(annotation, value)
    shape = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if _is_struct(shape):
        yield from _variant_flaws(value, shape, at)
    elif get_origin(shape) is dict:
        key_type, value_type = get_args(shape)
        yield from _mapping_flaws(value, key_type, value_type, at)
    elif get_origin(shape) is tuple:
        yield from _list_flaws(value, get_args(shape)[0], at)
    else:
        yield from _value_flaws(value, kind, at)


def _without_none(annotation: Any, value: object) -> Any:
    """Return a type without `None`, which TOML cannot write: a key is present or it is absent.

    Where both a table and a single value are allowed, the one of the two that the value is.
    """
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    parts = [part for part in get_args(annotation) if part is not NoneType]
    return next((part for part in parts if _is_struct(part) is isinstance(value, dict)), parts[0])


def _variant_flaws(value: object, struct: type[Struct], at: str) -> Iterator[Flaw]:
    """Yield the flaws of a table, as the Struct that its `kind` chooses has it where there are several."""
    variants: Mapping[str, type[Struct]] = getattr(struct, "variants", {})
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind is None or not variants:
        yield from _table_flaws(value, _likely_variant(value, variants) or struct, at)
    elif isinstance(kind, str) and kind in variants:
        yield from _table_flaws(value, variants[kind], at)
    else:  # what other keys it may have is unknown
        yield Flaw(_join(at, "kind"), choice(tuple(variants)))


def _likely_variant(value: object, variants: Mapping[str, type[Struct]]) -> type[Struct] | None:
    """Return the Struct that knows most keys of a table which has no `kind`; of several the one that misses least."""
    keys = set(value) if isinstance(value, dict) else set()

    def likeness(struct: type[Struct]) -> tuple[int, int]:
        fields = msgspec.structs.fields(struct)
        known = sum(field.encode_name in keys for field in fields)
        return known, -sum(field.required and field.encode_name not in keys for field in fields)

    return max(variants.values(), key=likeness, default=None)


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
    message = extra["fault"](value) if "fault" in extra else None
    if message is not None:
        yield Flaw(at, message)


def _mapping_flaws(value: object, key_type: Any, value_type: Any, at: str) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield Flaw(at, "must be a table")
        return
    for number, (key, inner) in enumerate(value.items()):
        of_key = list(_value_flaws(key, key_type, f"{at}[{number}]"))
        yield from of_key
        yield from flaws(inner, value_type, f"{at}[{number}]" if of_key else _join(at, key))


def _list_flaws(value: object, item_type: Any, at: str) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield Flaw(at, _list_message(item_type, at))
        return
    for label, inner in zip(_labels(value, at), value, strict=True):
        yield from flaws(inner, item_type, label)


def _list_message(item_type: Any, at: str) -> str:
    return f"must be a list of tables, each under [[{at}]]" if _is_struct(item_type) else "must be a list"


def _labels(entries: list[object], at: str) -> Iterator[str]:
    """Yield the path of each entry of a list: by its name where that is valid and unique, else by its number."""
    names = source_names(entries)
    counts = Counter(names)
    for number, name in enumerate(names):
        usable = counts[name] == 1 and not any(_value_flaws(name, SourceName, at))
        yield f"{at}.{name}" if usable else f"{at}[{number}]"


def _table_flaws(value: object, struct: type[Struct], at: str) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield Flaw(at, getattr(struct, "must", "must be a table"))
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    doubtful: set[str] = set()  # known keys with a flaw, and those that an unknown key was probably meant to be
    for key, inner in value.items():
        found = list(_key_flaws(key, inner, fields, at))
        yield from found
        if found:
            doubtful.add(key if key in fields else _similar_key(key, fields) or key)
    for name, field in fields.items():
        if field.required and name not in value and name not in doubtful:
            doubtful.add(name)
            yield Flaw(_join(at, name), "is missing")
    yield from _validator_flaws(_with_defaults(value, fields), getattr(struct, "validators", ()), doubtful, at)


def _key_flaws(key: str, value: object, fields: dict[str, FieldInfo], at: str) -> Iterator[Flaw]:
    path = _join(at, key)
    if key in fields:
        yield from flaws(value, fields[key].type, path)
        return
    similar = _similar_key(key, fields)
    yield Flaw(path, f"unknown key, did you mean `{similar}`?" if similar else "unknown key")


def _similar_key(key: str, fields: dict[str, FieldInfo]) -> str | None:
    """Return the key that was probably meant: one that stands above the header of its table, or one spelt similarly."""
    for name, field in fields.items():
        if _is_struct(field.type) and key in {inner.encode_name for inner in msgspec.structs.fields(field.type)}:
            return f"{name}.{key}"
    close = get_close_matches(key[:SHOWN_KEY_CHARACTERS].lower(), fields, n=1, cutoff=LIKENESS)
    return close[0] if close else None


def _with_defaults(table: dict[str, object], fields: dict[str, FieldInfo]) -> dict[str, object]:
    return {name: _default(field) for name, field in fields.items()} | table


def _default(field: FieldInfo) -> object:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return None if field.default is NODEFAULT else field.default


def _validator_flaws(
    table: dict[str, object], validators: tuple[Validator, ...], doubtful: set[str], at: str
) -> Iterator[Flaw]:
    for validator in validators:
        if doubtful.isdisjoint(validator.keys):
            for key, message in validator.check(table):
                yield Flaw(".".join(part for part in (at, key) if part), message)


def _join(at: str, key: str) -> str:
    """Append a key to a path. A key that is not bare is quoted as in TOML, so that the path stays on one line.

    What has the form of a secret is masked: it may have been written in place of a key.
    """
    key = mask_keys(key, "***")
    shown = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
    if len(shown) > SHOWN_KEY_CHARACTERS:
        shown = shown[:SHOWN_KEY_CHARACTERS] + "..."
    return f"{at}.{shown}" if at else shown
