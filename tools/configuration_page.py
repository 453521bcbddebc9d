# ruff: noqa: INP001  # a script of the house, in no package
"""Writes docs/configuration.md: each table of the configuration with its keys, their bounds and defaults.

It follows from the Structs: types, bounds and defaults, and the docstring below each key. The same code gives the same
page.
"""

import json
import re
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from steno.app.daemon import BOUND_AT_START
from steno.config import fields
from steno.config.messages import expectation
from steno.config.schema import Anchor, Config, Content
from steno.config.secret_ref import SecretRef
from steno.config.sources import SOURCES
from steno.config.sources.base import Tls
from tools.struct_members import member_docstrings, table_meaning

PAGE: Final = Path(__file__).parent.parent / "docs/configuration.md"

WORDS: Final[tuple[tuple[Any, str], ...]] = (
    (fields.Listen, "address and port"),
    (fields.Url, "websocket URL"),
    (fields.HttpUrl, "HTTP URL"),
    (fields.FilePath, "path"),
    (fields.SourceName, "name"),
    (fields.LabelName, "label"),
    (fields.LabelValue, "text"),
    (fields.HostName, "host"),
    (fields.HeaderName, "header"),
    (fields.Subprotocol, "subprotocol"),
    (fields.AttributeName, "attribute"),
    (fields.AttributeValue, "value of an attribute"),
    (fields.VariableName, "variable"),
    (fields.PatternName, "name of a pattern"),
    (fields.Pattern, "regular expression"),
    (fields.Region, "country"),
)
"""Types of single values by a word; what else there is, is said as the message for a wrong value says it."""

INNER: Final[tuple[tuple[type[Struct], str, str], ...]] = (
    (SecretRef, "Secrets", "[secret](#secrets)"),
    (Tls, "TLS of a source", "[TLS](#tls-of-a-source)"),
    (Content, "audit.content", "[table](#auditcontent)"),
    (Anchor, "audit.anchor", "[table](#auditanchor)"),
)
"""Tables within tables: the heading of their section, and how a key says that it is one."""

INTRODUCTION: Final = """\
# Configuration

One TOML file: what `-c` names, else `$STENO_CONFIG`, else `./steno.toml`, else `/etc/steno/steno.toml`. Every key has a
default but the name, kind and address of a source. An unknown key is refused, so that a misspelt one is noticed.

```toml
#:schema ./steno.schema.json

[[sources]]
name = "front-desk"
kind = "proxy"
upstream = "https://api.openai.com"
```

| to | do |
| --- | --- |
| try a file | `steno check -c FILE`. It prints all keys with their values, and every fault with its key. |
| start from an example | `config/steno.toml` has each key with its reason; `proxy.toml`, `listen.toml`, `attach.toml` \
and `follow.toml` beside it those of the other sources. |
| have an editor complete and check | A first line `#:schema` with the path of `config/steno.schema.json`, as above: \
Even Better TOML and taplo read it. |
| have a running daemon read it again | SIGHUP, or `systemctl reload steno`. A wrong file changes nothing. |
| change `[audit]`, `[limits]`, `[otel]`, {bound} | Restart. On SIGHUP the log says which of them differ. |

Sizes are in bytes and times in seconds; the unit is in the name. A default of `-` means absent.

This page is written by `make docs`.
"""


def page() -> str:
    """Return all of docs/configuration.md."""
    bound = ", ".join(f"`http.{key}`" for key in BOUND_AT_START)
    blocks = [INTRODUCTION.replace("{bound}", bound)]
    for field in msgspec.structs.fields(Config):
        if field.name != "sources":
            blocks += _table(f"[{field.name}]", field.type)
            for kind, title, _ in INNER:
                blocks += _table(title, kind) if title.startswith(f"{field.name}.") else []
    blocks.append("## Sources\n\nA table `[[sources]]` each. No two share a name, a port or a file.\n")
    for name, kind in SOURCES.items():
        blocks += _table(f'`kind = "{name}"`', kind, mark="###")
    blocks += _table("TLS of a source", Tls)
    blocks += _table("Secrets", SecretRef)
    blocks.append('```toml\nkey = { file = "/run/credentials/steno.service/audit-key" }   # or { env = "NAME" }\n```\n')
    blocks.append(_forms())
    return "\n".join(blocks)


def _table(title: str, kind: type[Struct], mark: str = "##") -> list[str]:
    said = member_docstrings(kind)
    rows = [
        f"| `{field.name}` | {_cell(_words(field.type))} | {_default(field)} | {_cell(said[field.name])} |"
        for field in msgspec.structs.fields(kind)
    ]
    meaning = re.sub(r"^`[^`]*`: ", "", table_meaning(kind))
    opening = f"{mark} {title}\n\n{_sentence(meaning)}\n"
    return [opening, "\n".join(["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows, ""])]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _words(annotation: Any) -> str:
    """Return what a value is, in a few words."""
    word = next((word for each, word in WORDS if each == annotation), None)
    if word is not None:
        return word
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_words(each) for each in get_args(annotation) if each is not NoneType)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list: {_words(get_args(annotation)[0])} ..."
    if get_origin(annotation) is dict:
        key, value = get_args(annotation)
        return f"table: {_words(key)} = {_words(value)}"
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return {kind: said for kind, _, said in INNER}[annotation]
    return _numbers(expectation(annotation).removeprefix("must be "))


def _numbers(words: str) -> str:
    """Return the bounds of a number in fewer words, and long numbers so that they can be read."""
    words = re.sub(r"a whole number, from (\d+) to (\d+)", r"\1 to \2", words)
    words = re.sub(r"a number, above 0 and (\d+) or less", r"above 0, up to \1", words)
    return re.sub(r"\d{4,}", lambda found: _power(int(found[0])) or f"{int(found[0]):,}", words)


def _power(number: int) -> str:
    """Return a size that is a power of two times 1 to 1023 in its unit, "" for any other number."""
    for exponent, unit in ((50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if number >= 1 << exponent and number % (1 << exponent) == 0:
            return f"{number >> exponent} {unit}"
    return ""


def _default(field: FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default_factory is not NODEFAULT else field.default
    if value is None or value in ((), {}):
        return "-"
    if isinstance(value, bool | str):
        return f"`{json.dumps(value)}`"
    shown = f"{int(value):,}" if value == int(value) else f"{value:g}"
    return f"{shown} ({_power(int(value))})" if field.name.endswith("_bytes") and _power(int(value)) else shown


def _forms() -> str:
    """Return what each word for a value stands for."""
    rows = []
    for annotation, word in WORDS:
        (meta,) = get_args(annotation)[1:] if get_origin(annotation) is Annotated else (None,)
        extra = (meta.extra or {}) if meta else {}
        if "must" in extra:
            rows.append(f"| {word} | {_cell(_sentence(extra['must'].removeprefix('must be ')))} |")
    return "\n".join(["## Forms of values\n", "| value | what it must be |", "| --- | --- |", *dict.fromkeys(rows), ""])


if __name__ == "__main__":
    PAGE.write_text(page())
