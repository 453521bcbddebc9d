"""Where upstream's objects carry secrets, and how they are hidden before anything is written.

Hidden are the values of members whose name says that they are secret, at any depth, and words that are shaped
like a key wherever they stand. A null is left: it tells that there is no secret.
"""

import json
import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from steno.wire.base import MASK

_SECRET_NAMES: Final = frozenset(
    {
        "client_secret",
        "authorization",
        "proxy_authorization",
        "headers",
        "api_key",
        "apikey",
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
    }
)
"""Names of members that hold a secret, in lower case with underscores."""

_HINT: Final = re.compile(
    rb"secret|authorization|headers|api[-_]?key|[-_]token\b|credential|password|\\u00|\bsk-|\bek_|bearer|\"value\"",
    re.IGNORECASE,
)
"""What bytes that hold a secret must hold. An escaped letter (`\\u00..`) may hide a name: looked at closely."""

_KEYLIKE: Final = re.compile(r"\b(?:sk-|ek_)[A-Za-z0-9_-]{8,}|\b(Bearer) +[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)

_MEMBER: Final = re.compile(
    rf"""("(?:{"|".join(sorted(_SECRET_NAMES)).replace("_", "[-_]")})"\s*:\s*)"""
    r"""(?!null\b|"\*{3}")("[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{].*|[^\s"\[{,\]}]++)""",
    re.IGNORECASE | re.DOTALL,
)
"""A secret member where there is no JSON, only text that begins like it. What a list or an object holds is not
looked for: all that follows it goes."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half a character: JSON can name it with an escape, UTF-8 cannot write it."""


def mask(payload: bytes) -> bytes:
    """Return the JSON text `payload` on one line, with its secrets hidden; untouched where there is nothing to hide.

    Numbers keep the digits that they came with. What is not JSON, or nests too deep, is masked as text.
    """
    if not _HINT.search(payload) and not _breaks_line(payload):
        return payload
    try:
        value = json.loads(payload, parse_int=_verbatim, parse_float=_verbatim, parse_constant=_verbatim)
        return msgspec.json.encode(_masked(value))
    except (ValueError, RecursionError):
        return mask_text(_MEMBER.sub(rf'\1"{MASK}"', payload.decode(errors="replace"))).encode()


def mask_text(text: str) -> str:
    """Return `text` with words shaped like API keys, client secrets and bearer tokens hidden."""
    return _KEYLIKE.sub(lambda match: f"{match[1]} {MASK}" if match[1] else MASK, text)


def _breaks_line(payload: bytes) -> bool:
    return b"\n" in payload or b"\r" in payload


def _verbatim(digits: str) -> Raw:
    return Raw(digits.encode())


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        secret = {"value", "expires_at"} <= value.keys()  # a client secret, alone or inside a reply
        return {
            _SURROGATE.sub("\ufffd", mask_text(name)): MASK
            if member is not None and (_is_secret(name) or (secret and name == "value"))
            else _masked(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_masked(element) for element in value]
    return _masked_text(value) if isinstance(value, str) else value


def _masked_text(text: str) -> str | Raw:
    masked = mask_text(text)
    return Raw(json.dumps(masked).encode()) if _SURROGATE.search(masked) else masked


def _is_secret(name: str) -> bool:
    return name.lower().replace("-", "_") in _SECRET_NAMES
