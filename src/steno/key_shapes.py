"""What keys and tokens look like: one table for all who hide them. Pure.

The masking of secrets (`wire/secrets.py`), the redaction of content (`redaction/keys.py`) and the configuration ask it,
so that what is a key in one output is a key in all of them.

Source: the prefixes that the services publish for secret scanners. Lengths are lower bounds: hiding a word too many is
better than showing a key.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

_BEGIN: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]))"
"""Where a key begins: behind what is no letter in keys, such as one of another script, or behind an escape in JSON."""
_TOKEN: Final = r"(?:[A-Za-z0-9._~+/=-]|\\/)"  # noqa: S105  # a character of one
"""A character of a bearer token. `\\/` is how some encoders of JSON write a slash."""
_PEM: Final = "[A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"
_IN_STRING: Final = r'(?:[^"\\]|\\(?!"))'
"""A character that ends no JSON string: a key is hidden in encoded lines too, which must stay JSON."""

_SHAPES: Final = (
    ("sk-", r"(?i:sk-)[A-Za-z0-9_-]{8,}"),  # model providers
    ("ek_", r"(?i:ek_)[A-Za-z0-9_-]{8,}"),  # client secrets
    ("bearer", rf"(?P<keep>(?i:bearer) ) *{_TOKEN}{{8,}}"),  # a word of eight letters may be prose, or a token
    ("basic", r"""(?P<keep>(?i:authorization)\\?["']? ?[:=] ?\\?["']?(?i:basic) +)[A-Za-z0-9+/=]{6,}"""),
    ("_live_", r"[prs]k_live_[A-Za-z0-9]{16,}"),  # Stripe
    ("_test_", r"[prs]k_test_[A-Za-z0-9]{16,}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{16,}"),
    ("AKIA", r"AKIA[A-Z0-9]{16}(?![A-Z0-9])"),  # AWS
    ("ASIA", r"ASIA[A-Z0-9]{16}(?![A-Z0-9])"),
    ("ghp_", r"ghp_[A-Za-z0-9]{36,}"),  # GitHub
    ("gho_", r"gho_[A-Za-z0-9]{36,}"),
    ("ghu_", r"ghu_[A-Za-z0-9]{36,}"),
    ("ghs_", r"ghs_[A-Za-z0-9]{36,}"),
    ("ghr_", r"ghr_[A-Za-z0-9]{36,}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{22,}"),
    ("glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),  # GitLab
    ("xox", r"xox[a-z]-[A-Za-z0-9-]{10,}"),  # Slack
    ("xapp-", r"xapp-[A-Za-z0-9-]{10,}"),
    ("AIza", r"AIza[A-Za-z0-9_-]{35}"),  # Google
    ("ya29.", r"ya29\.[A-Za-z0-9_-]{20,}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,}"),  # Hugging Face
    ("SG.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),  # SendGrid
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    # A JSON web token. The search goes on behind a beginning that has no second part, and not within it: a text of
    # nothing but beginnings would be read again and again.
    ("eyJ", r"eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){0,3}|(?P<no>))"),
    # A private key that has no end takes all that follows.
    ("-----BEGIN", rf"-----BEGIN {_PEM}(?:{_IN_STRING}*?-----END {_PEM}|{_IN_STRING}*)"),
)
"""What a text that holds a key must hold, and the key's shape. `keep` is what is shown of it; `no`: it is none."""

NONE: Final = "no"
"""The group of a match that is no key."""
ALPHANUMERIC: Final = ("AKIA", "ASIA", "AIza")
"""How the keys begin that may consist of letters and digits alone; all others have a `-`, `_` or `.` in them."""

_IGNORING_CASE: Final = frozenset({"sk-", "ek_", "bearer", "basic"})
"""Hints that are searched for in lower case; all others are written in one way only."""

_ONE_WAY: Final = tuple(hint for hint, _ in _SHAPES if hint not in _IGNORING_CASE)
# One pass over all hints that are written in one way. This is what every recorded frame and kept text costs.
_ANY_HINT_TEXT: Final = re.compile("|".join(map(re.escape, _ONE_WAY)))
_ANY_HINT: Final = re.compile(_ANY_HINT_TEXT.pattern.encode())
_LOWER_HINTS: Final = tuple(hint.encode() for hint, _ in _SHAPES if hint in _IGNORING_CASE)

# A shape is compiled when its hint is found: all of them are a thirtieth of a start, and most are never asked for.
_HINTS: Final = tuple((hint, hint in _IGNORING_CASE) for hint, _ in _SHAPES)
_HINTS_BYTES: Final = tuple((hint.encode(), ignoring_case) for hint, ignoring_case in _HINTS)


@cache
def _shape(hint: str) -> re.Pattern[str]:
    """Return the shape of the keys that `hint` belongs to."""
    return re.compile(_BEGIN + dict(_SHAPES)[hint])


@cache
def _shape_bytes(hint: bytes) -> re.Pattern[bytes]:
    return re.compile(_shape(hint.decode()).pattern.encode())


def find_keys(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each key begins and ends in `text`, shape after shape."""
    lower = text.lower()
    for hint, ignoring_case in _HINTS:
        if hint in (lower if ignoring_case else text):
            yield from (match.span() for match in _shape(hint).finditer(text) if match.lastgroup != NONE)


def mask_keys(text: str, mask: str) -> str:
    """Return `text` with a `mask` in place of each key; `Bearer` and its like stay before it."""
    lower = text.lower()
    for hint, ignoring_case in _HINTS:
        if hint in (lower if ignoring_case else text):
            text = _shape(hint).sub(lambda match: _masked(match, mask), text)
    return text


def _masked(match: re.Match[str], mask: str) -> str:
    if match.lastgroup == NONE:
        return match[0]
    return f"{match['keep'] if match.lastgroup else ''}{mask}"


def may_hold_key(text: str) -> bool:
    """Return whether `text` has a hint of a key. Quick, and without the certainty of `find_keys`."""
    if _ANY_HINT_TEXT.search(text) is not None:
        return True
    lower = text.lower()
    return "sk-" in lower or "ek_" in lower or "bearer" in lower or "basic" in lower


def holds_key(data: bytes, lower: bytes) -> bool:
    """Return whether `data` holds a key; `lower` is `data` in lower case."""
    if _ANY_HINT.search(data) is None and not any(hint in lower for hint in _LOWER_HINTS):
        return False
    return any(
        hint in (lower if ignoring_case else data)
        and any(match.lastgroup != NONE for match in _shape_bytes(hint).finditer(data))
        for hint, ignoring_case in _HINTS_BYTES
    )
