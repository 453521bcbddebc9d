"""Keys: names in them as they are where they are usual, and different wherever names differ."""

from typing import Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from steno.audit.content_store.files import file_name
from steno.core.keys import conversation_key, key_part, numbered
from steno.limits import ID_CHARACTERS, ID_CHARACTERS_MAX
from steno.wire.secrets import is_keylike, mask_text
from tests.key_examples import KEYS

USUAL: Final = (
    "call-1",
    "rtc_u1_9a6f3e",
    "sess_Ct0OeX9Yo7PHm2YQNSfwN",
    "thread_JGJVMCJMtgWCSOERPFxJinkt",
    "0b7c1a52-9f0e-4a52-8a43-3f3f0c6d6b1e",
    "+49 30 5550123",
    "sip:desk@example.org;transport=tls",
    "a.b_c-d",
    "Führung 東京",
)


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_name_stays_as_it_is(name: str) -> None:
    assert conversation_key("relay", name) == f"relay/{name}"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("b#2", "b%232"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("b%232", "b%25232"),
        ("x~", "x%7E"),
        ('"\\\n\x00\x7f\u200b', "%22%5C%0A%00%7F%E2%80%8B"),
        ("\udcff", "%ED%B3%BF"),
        ("é" * 128, "é" * 128),
        ("é" * 129, "é" * 111 + "~a62bf20794e9afb2766a5305affe5393"),
        ("#" * 90, "%23" * 74 + "~ebe403e27ca52d2e647cd96b5b19168b"),
    ],
)
def test_what_could_pass_for_another_key_is_escaped(name: str, part: str) -> None:
    """A long name is cut between characters, and has a hash of all of it."""
    assert key_part(name) == part


@pytest.mark.parametrize("key", KEYS)
def test_a_name_that_looks_like_a_secret_is_hidden(key: str) -> None:
    """It stands in every record. Two of them still differ, as the log prints them."""
    first, second = (conversation_key("relay", f"{key}{end}") for end in ("", "#2"))
    assert first != second
    assert not is_keylike(first)
    assert key not in first


NAMES: Final = st.text(max_size=ID_CHARACTERS_MAX) | st.text(alphabet="ab#/%~12", max_size=8) | st.sampled_from(USUAL)
SOURCES: Final = st.sampled_from(["relay", "relay-2", "a", "replay"])
NUMBERS: Final = st.integers(1, 12)


@given(SOURCES, NAMES, NUMBERS, SOURCES, NAMES, NUMBERS)
@example("a", "b#2", 1, "a", "b", 2)
@example("a", "b%232", 1, "a", "b#2", 1)
@example("a", "x" * 300, 1, "a", "x" * 301, 1)
@example("a", "x" * 300, 1, "a", key_part("x" * 300), 1)
@example("a", "1/2", 1, "a", "1%2F2", 1)
def test_different_names_give_different_keys(
    source: str, name: str, number: int, other_source: str, other_name: str, other_number: int
) -> None:
    """By source, name and number, and so do their content files. No key passes for the name of a live stream."""
    assume((source, name, number) != (other_source, other_name, other_number))
    keys = [
        numbered(conversation_key(source, name), number),
        numbered(conversation_key(other_source, other_name), other_number),
        f"{source}/1790000000000000/1",
    ]
    assert len(set(keys)) == len({file_name(key) for key in keys}) == 3


@given(NAMES)
def test_a_key_is_printed_as_it_is(name: str) -> None:
    """In one line, without an escape of JSON, and as long as a record has room for."""
    key = conversation_key("relay", name)
    assert key.isprintable()
    assert not set(key) & set('"\\')
    assert len(key.encode()) <= len("relay/") + ID_CHARACTERS
    assert mask_text(key) == key
