"""Keys and tokens are found by their forms."""

import pytest

from tests.key_examples import KEYS, NO_KEYS
from tests.redaction.helpers import redacted


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_found_in_a_sentence_and_in_json(key: str) -> None:
    assert redacted(f'it is {key}, keep it; {{"key":"{key}"}}') == 'it is [key], keep it; {"key":"[key]"}'


def test_a_private_key_without_an_end_hides_the_rest() -> None:
    assert redacted("see -----BEGIN PRIVATE KEY-----\nMIIEvQIB\nand more") == "see [key]"


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_not_a_key_stays(text: str) -> None:
    assert redacted(text) == text
