"""What is a key and what is none: one table for all who hide keys."""

from typing import Final

LONG: Final = "Ab1" * 12

KEYS: Final = (
    f"sk-proj-{LONG}",
    "sk-proj-abcdEFGH1234",
    "sk-12345678",
    "SK-ABCDEFGH",
    f"ek_{LONG}",
    "ek_68af296e8e408191",
    f"sk_live_{LONG}",
    f"pk_test_{LONG}",
    f"whsec_{LONG}",
    f"Bearer {LONG}",
    f"bearer  {LONG}=",
    "Bearer abc.def-123",
    "Bearer abcdefghijklmnop",
    "Authorization: Basic YWxpY2U6cHc=",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    f"ghp_{LONG}",
    f"gho_{LONG}",
    f"github_pat_{LONG}",
    f"glpat-{LONG}",
    "xoxb-123456789012-abcdefghijkl",
    f"xapp-1-{LONG}",
    f"AIza{LONG}"[:39],
    f"ya29.{LONG}",
    f"hf_{LONG}",
    f"SG.{LONG[:22]}.{LONG}",
    f"npm_{LONG}",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1g",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\\nMIIEvQIBADANBg\\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nxcLYBF\n-----END PGP PRIVATE KEY BLOCK-----",
)
"""Each is hidden in every output: state, recordings, audit log, content, redacted text, paths of the configuration."""

NO_KEYS: Final = (
    "sk-learn and sk-short",
    "ek_short",
    "task-oriented",
    "week_number_seven",
    "risk-management-and-compliance-office",
    "bearer of news",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "eyJ is how they begin",
    "0123456789abcdef0123456789abcdef",
)
"""Prose, and what only looks a little like a key: it stays."""
