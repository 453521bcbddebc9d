"""Finds keys and tokens that have a form of their own: prefixes of services, JSON web tokens, private keys."""

import re
from collections.abc import Iterator
from typing import Final

from steno.redaction.spans import Span

_PRIVATE: Final = "[A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"

SHAPES: Final = (
    ("sk-", r"\bsk-[A-Za-z0-9_-]{16,}"),  # model providers
    ("ek_", r"\bek_[A-Za-z0-9_-]{16,}"),  # client secrets
    ("_live_", r"\b[prs]k_live_[A-Za-z0-9]{16,}"),  # Stripe
    ("_test_", r"\b[prs]k_test_[A-Za-z0-9]{16,}"),
    ("whsec_", r"\bwhsec_[A-Za-z0-9+/=]{16,}"),
    ("bearer", r"\b(?i:bearer) +(?=[A-Za-z._~+/=-]*[0-9])[A-Za-z0-9._~+/=-]{16,}"),
    ("basic", r"\b(?i:authorization)[\"']? ?[:=] ?[\"']?(?i:basic) +[A-Za-z0-9+/=]{6,}"),
    ("akia", r"\bAKIA[A-Z0-9]{16}(?![A-Z0-9])"),  # AWS
    ("asia", r"\bASIA[A-Z0-9]{16}(?![A-Z0-9])"),
    ("gh", r"\bgh[opusr]_[A-Za-z0-9]{36,}"),  # GitHub
    ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),  # GitLab
    ("xox", r"\bxox[a-z]-[A-Za-z0-9-]{10,}"),  # Slack
    ("xapp-", r"\bxapp-[A-Za-z0-9-]{10,}"),
    ("aiza", r"\bAIza[A-Za-z0-9_-]{35}"),  # Google
    ("ya29.", r"\bya29\.[A-Za-z0-9_-]{20,}"),
    ("hf_", r"\bhf_[A-Za-z0-9]{30,}"),  # Hugging Face
    ("sg.", r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),  # SendGrid
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    ("eyj", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){0,3}"),  # JSON web token
    ("-----begin", rf"-----BEGIN {_PRIVATE}(?s:.*?-----END {_PRIVATE}|.*)"),  # without an end: the rest of the text
)
"""For each kind of key: a text that must occur, in lower case, for the key to occur at all; and the form of the key."""

_SHAPES: Final = tuple((hint, re.compile(shape)) for hint, shape in SHAPES)


def keys(text: str) -> Iterator[Span]:
    """Yield keys and tokens."""
    lower = text.lower()
    for hint, shape in _SHAPES:
        if hint in lower:
            yield from (Span(*match.span(), "key") for match in shape.finditer(text))
