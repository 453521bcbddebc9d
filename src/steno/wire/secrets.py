"""Where upstream's objects carry secrets, and how they are hidden before anything is written.

Hidden are the values of members whose name says that they are secret, at any depth, and words that are shaped
like a key wherever they stand. A null is left: it tells that there is no secret.
"""

import json
import re
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Raw

from steno import key_shapes
from steno.limits import STRUCTURE_ELEMENTS
from steno.wire.base import MASK
from steno.wire.structure import refused

_SECRET_NAMES: Final = (
    "client_secret",
    "authorization",
    "proxy_authorization",
    "headers",
    "api_key",
    "x_api_key",
    "openai_api_key",
    "access_token",
    "refresh_token",
    "id_token",
    "bearer_token",
    "credential",
    "credentials",
    "password",
    "secret",
)
"""Names of members that hold a secret. Case does not count, nor what stands between the words: `-`, `_` or nothing."""

_SQUEEZED: Final = frozenset(name.replace("_", "") for name in _SECRET_NAMES)
_NAMES: Final = "|".join(_SECRET_NAMES).replace("_", "[-_]?")

_OF_SCHEMAS: Final = frozenset(
    {"type", "description", "title", "format", "minLength", "maxLength", "pattern", "nullable"}
)
"""Members of a JSON schema that hold no value of what it describes."""
_TYPES: Final = frozenset({"string", "integer", "number", "boolean", "object", "array"})

_LETTERS: Final = (
    *(b"secret", b"authorization", b"headers", b"apikey", b"api_key", b"api-key", b"token", b"credential", b"password"),
    *(b'"value"', b"\\u00", b"://"),
)
"""Without one of these, in lower case, there is no `_HINT`. Searched for first: audio is long, and has none."""

_HINT: Final = re.compile(
    rb"secret|authorization|headers|api[-_]?key|(?:access|refresh|id|bearer)[-_]?token|credential|password"
    rb"|\\u00|\"value\"|://[^\s/@\":]*+:[^\s/@\"]*+@"
)
"""What bytes that hold a secret must hold, in lower case. An escaped letter (`\\u00..`) may hide a name."""

_URL: Final = re.compile(
    rf"([?&](?:{_NAMES})=)[^\s&#\"'<>\\]+|(://[^\s/?#:@\"\\]*+:)[^\s/?#@\"\\]+(?=@)",
    re.IGNORECASE | re.ASCII,
)
"""In a URL, a parameter that is named as a secret, or a password before the host. What is shown of it comes first."""

_MEMBER: Final = re.compile(
    rf"""("(?:{_NAMES})\\*+"\s*:\s*)"""
    r"""(?!null\b|"\*{3}")("[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\\].*|[^\s"\[{,\]}]++)""",
    re.IGNORECASE | re.DOTALL,
)
"""A secret member where there is no JSON, only text that begins like it. What a list, an object or a text within a text
holds is not looked for: all that follows it goes."""

_WITHIN: Final = re.compile(rf'"(?:{_NAMES}|expires_at)\\*+"\s*:|\\u00', re.IGNORECASE)
"""What a text must hold that is itself JSON, such as the arguments of a call, and has a secret member."""

_ESCAPED: Final = re.compile(r"(?<!\\)\\+u00(2[06bdefBDEF]|3[0-9dDfF]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
"""An escaped character of those that names and keys are made of."""

_PLAIN_ID: Final = re.compile(
    r"(?:event|item|resp|call|conv|sess|thread|run|step|msg|asst)_"
    rf"(?!{'|'.join(key_shapes.ALPHANUMERIC)})[A-Za-z0-9]++"
)
"""What upstream calls things by. It is no key: three keys alone are of letters and digits only, and none of the words
is the beginning of another one."""

_ON_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half a character: JSON can name it with an escape, UTF-8 cannot write it."""


def mask(payload: bytes) -> bytes:
    """Return the JSON text `payload` on one line, with its secrets hidden; untouched where there is nothing to hide.

    Numbers keep the digits that they came with. What is not JSON, nests too deep or has too many elements is masked as
    text.
    """
    if not _hints(payload) and not _breaks_line(payload):
        return payload
    if len(payload) > STRUCTURE_ELEMENTS and refused(payload):
        return _masked_damage(payload.translate(_ON_ONE_LINE).decode(errors="surrogateescape")).encode(
            errors="surrogateescape"
        )
    try:
        value = json.loads(payload.decode(), parse_int=_verbatim, parse_float=_verbatim, parse_constant=_verbatim)
        masked = _masked(value)
        return payload if masked == value and not _breaks_line(payload) else msgspec.json.encode(masked)
    except (ValueError, RecursionError):
        return _masked_damage(payload.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def mask_text(text: str) -> str:
    """Return `text` with words shaped like API keys, client secrets and bearer tokens hidden, in URLs passwords too."""
    return key_shapes.mask_keys(_URL.sub(lambda match: f"{match[1] or match[2]}{MASK}", text), MASK)


def is_keylike(name: str) -> bool:
    """Return whether a name or an id holds what is shaped like a key or a token, or a URL with a secret."""
    # Nearly all ids have this form, and most are new.
    if _PLAIN_ID.fullmatch(name) is not None:
        return False
    return (key_shapes.may_hold_key(name) or "://" in name or "=" in name) and mask_text(name) != name


is_known_keylike = lru_cache(maxsize=256)(is_keylike)
"""The same for names and ids that come again and again while something is under way."""


def _masked_damage(text: str) -> str:
    """Return what was to be JSON with its secrets hidden, those that are spelt with escapes too."""
    plain = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
    return mask_text(_MEMBER.sub(rf'\1"{MASK}"', plain))


def _hints(payload: bytes) -> bool:
    lower = payload.lower()
    named = any(letters in lower for letters in _LETTERS) and _HINT.search(lower) is not None
    return named or key_shapes.holds_key(payload, lower)


def _breaks_line(payload: bytes) -> bool:
    return b"\n" in payload or b"\r" in payload


def _verbatim(digits: str) -> Raw:
    return Raw(digits.encode())


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        secret = {"value", "expires_at"} <= value.keys()  # a client secret, alone or inside a reply
        return {
            _SURROGATE.sub("\ufffd", mask_text(name)): MASK
            if member is not None and ((_is_secret(name) and not _describes(member)) or (secret and name == "value"))
            else _masked(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_masked(element) for element in value]
    return _masked_text(value) if isinstance(value, str) else value


def _describes(value: Any) -> bool:
    """Return whether a value is the schema of a parameter, as of a tool that takes a password: it holds none."""
    return isinstance(value, dict) and value.keys() <= _OF_SCHEMAS and str(value.get("type")) in _TYPES


def _masked_text(text: str) -> str | Raw:
    if _WITHIN.search(text):
        text = mask(text.encode(errors="replace")).decode()
    masked = mask_text(text)
    return Raw(json.dumps(masked).encode()) if _SURROGATE.search(masked) else masked


def _is_secret(name: str) -> bool:
    return name.lower().replace("-", "").replace("_", "") in _SQUEEZED
