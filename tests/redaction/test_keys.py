"""Keys and tokens are found by their forms."""

import pytest

from tests.redaction.helpers import redacted

LONG = "Ab1" * 12

FOUND = [
    f"sk-proj-{LONG}",
    f"ek_{LONG}",
    f"sk_live_{LONG}",
    f"pk_test_{LONG}",
    f"whsec_{LONG}",
    f"Bearer {LONG}",
    f"bearer  {LONG}=",
    "Authorization: Basic YWxpY2U6cHc=",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    f"ghp_{LONG}",
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
]


@pytest.mark.parametrize("key", FOUND)
def test_keys_are_found_in_a_sentence_and_in_json(key: str) -> None:
    assert redacted(f'it is {key}, keep it; {{"key":"{key}"}}') == 'it is [key], keep it; {"key":"[key]"}'


def test_a_private_key_without_an_end_hides_the_rest() -> None:
    assert redacted("see -----BEGIN PRIVATE KEY-----\nMIIEvQIB\nand more") == "see [key]"


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn and sk-short",
        "the bearer responsibilities are many",
        "risk-management-and-compliance-office",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "eyJ is how they begin",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_not_a_key_stays(text: str) -> None:
    assert redacted(text) == text
