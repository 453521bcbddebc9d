"""Keys by their shapes, and what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.key_shapes import ALPHANUMERIC, find_keys, holds_key, mask_keys
from tests.key_examples import KEYS, NO_KEYS


def held(text: str) -> bool:
    data = text.encode(errors="replace")
    return holds_key(data, data.lower())


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_found_whole_wherever_it_stands(key: str) -> None:
    """In prose, in brackets, at either end, behind a letter of another script."""
    for text in (key, f"it is {key}, keep it", f"({key})", f"é{key}"):
        start = text.index(key)
        assert (start, start + len(key)) in list(find_keys(text))
        assert held(text)


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_key_stays(text: str) -> None:
    assert list(find_keys(text)) == []
    assert mask_keys(text, "***") == text
    assert not held(text)


@pytest.mark.parametrize("key", KEYS)
def test_a_line_of_json_stays_json_when_its_keys_are_hidden(key: str) -> None:
    """A record is masked as it was encoded."""
    line = json.dumps({"text": f'say "{key}" twice: {key}', "after": 1})

    shown = json.loads(mask_keys(line, "***"))

    assert shown["after"] == 1
    assert key[-8:] not in shown["text"]


def test_a_private_key_without_an_end_takes_the_rest_of_its_text_and_no_more() -> None:
    line = json.dumps({"text": "see -----BEGIN PRIVATE KEY-----\nMIIEvQIB\nand more", "after": "kept"})

    assert json.loads(mask_keys(line, "***")) == {"text": "see ***", "after": "kept"}


def test_what_a_key_is_for_is_still_shown() -> None:
    assert mask_keys("Bearer 0123456789abcdef", "***") == "Bearer ***"
    assert mask_keys("Authorization: Basic YWxpY2U6cHc=", "***") == "Authorization: Basic ***"


@given(st.text(), st.sampled_from(KEYS), st.text())
def test_masking_leaves_nothing_to_find(before: str, key: str, after: str) -> None:
    """Whatever stands around a key."""
    once = mask_keys(f"{before} {key} {after}", "***")

    assert key not in once
    assert mask_keys(once, "***") == once


@pytest.mark.parametrize("key", KEYS)
def test_the_keys_of_letters_and_digits_alone_are_known(key: str) -> None:
    """Ids of letters and digits are not looked at more closely but for these."""
    token = key.removeprefix("Bearer ")
    assert not token.isalnum() or token.startswith(ALPHANUMERIC) or key != token


def test_the_beginning_of_a_web_token_alone_is_none() -> None:
    """It stays, and a whole one behind it goes."""
    text = "eyJhbGciOiJIUzI1NiJ9 and eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0"

    assert mask_keys(text, "***") == "eyJhbGciOiJIUzI1NiJ9 and ***"
    assert [text[start:end] for start, end in find_keys(text)] == ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0"]
