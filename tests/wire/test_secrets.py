"""Secrets are hidden, and nothing else is touched."""

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from steno.limits import STRUCTURE_ELEMENTS
from steno.wire import mask
from steno.wire.secrets import is_keylike, mask_text
from tests.key_examples import KEYS, NO_KEYS

SECRET_NAMES = [
    *("client_secret", "authorization", "Authorization", "Proxy-Authorization", "headers", "api_key", "api-key"),
    *("apiKey", "X-API-Key", "OPENAI_API_KEY", "access_token", "access-token", "refresh_token", "Id-Token"),
    *("bearer_token", "credential", "credentials", "password", "secret", "clientSecret", "accessToken", "x-apiKey"),
]


def masked(value: Any) -> Any:
    return json.loads(mask(json.dumps(value).encode()))


# By name --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_member_is_hidden_by_its_name(name: str) -> None:
    """At any depth, in lists too, and whatever is in it."""
    assert masked({name: "hunter2", "id": "x"}) == {name: "***", "id": "x"}
    deep = {"session": {"tools": [{"a": [{name: {"x": ["hunter2"]}}]}]}}
    assert masked(deep) == {"session": {"tools": [{"a": [{name: "***"}]}]}}
    assert masked([{name: ["hunter2"]}, {name: 5}, {name: True}]) == [{name: "***"}] * 3


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_null_stays(name: str) -> None:
    """It tells that there is no secret, as in every `session.created`."""
    assert masked({name: None, "id": "hunter2"}) == {name: None, "id": "hunter2"}


def test_an_escaped_name_hides_no_secret() -> None:
    """`client_secret` can be written in many ways that all read the same."""
    expected = b'{"client_secret":"***"}'
    assert mask(rb'{"client\u005fsecret":"hunter2"}') == expected
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in "client_secret").encode()
    assert mask(b'{"%b":"hunter2"}' % escaped) == expected


def test_a_client_secret_is_hidden_by_its_shape() -> None:
    """Its members are called `value` and `expires_at`; a `value` alone is anyone's."""
    assert masked({"value": "hunter2", "expires_at": 5}) == {"value": "***", "expires_at": 5}
    assert masked({"text": {"value": "Hello"}}) == {"text": {"value": "Hello"}}


def test_a_name_that_only_holds_one_is_no_secret() -> None:
    """Counts of tokens are what everybody comes for."""
    told = {"input_tokens": 5, "cached_tokens_details": {}, "max_output_tokens": "inf", "secretary": "Ann"}
    assert masked(told) == told


# By shape -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_a_word_shaped_like_a_key_is_hidden_wherever_it_stands(key: str) -> None:
    """In prose, in a list, in a name, next to punctuation."""
    shown = mask_text(key)
    assert shown.endswith("***")
    assert key[-8:] not in shown
    assert masked({"message": f"Wrong key: {key}."})["message"] in (f"Wrong key: {shown}.", f"Wrong key: {shown}")
    assert masked([[f"({key})"]]) == [[f"({shown})"]]
    assert masked({f"<{key}>": 1}) == {f"<{shown}>": 1}


@pytest.mark.parametrize("before", ["\n", "\t", "\\n", "我的密钥是", "é", "_", "=", '"'])
@pytest.mark.parametrize("key", KEYS)
def test_a_key_begins_behind_whatever_is_no_letter_of_one(before: str, key: str) -> None:
    """Behind an escape, a letter of another script, or nothing at all."""
    assert key[-8:] not in json.dumps(masked({"text": f"{before}{key}", "n": [key]}))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://h/?a=1&api_key=hunter2#x", "wss://h/?a=1&api_key=***#x"),
        ("at https://h/?access-token=hunter2, see", "at https://h/?access-token=*** see"),
        ("https://ann:hunter2@h/", "https://ann:***@h/"),
        ("https://:hunter2:x@h/", "https://:***@h/"),
        ("https://h:8080/?token_count=5", "https://h:8080/?token_count=5"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """Parameters that are named as one, and passwords."""
    assert masked({"server_url": url}) == {"server_url": shown}


def test_json_in_a_text_is_masked_as_json() -> None:
    """The arguments of a call are a text in which members have names too."""
    inner = {"password": "hunter2", "q": ["a", {"headers": {"x": "hunter2"}}]}
    shown = {"password": "***", "q": ["a", {"headers": "***"}]}

    told = masked({"arguments": json.dumps(inner), "again": json.dumps({"x": json.dumps(inner)})})

    assert json.loads(told["arguments"]) == shown
    assert json.loads(json.loads(told["again"])["x"]) == shown
    assert masked({"text": 'so {"password": "hunter2"} it is'}) == {"text": 'so {"password": "***"} it is'}
    assert masked({"text": '{"secretary": "Ann"}'}) == {"text": '{"secretary": "Ann"}'}


@pytest.mark.parametrize("text", NO_KEYS)
def test_a_word_that_only_looks_a_little_like_one_stays(text: str) -> None:
    """Words are what the reader of the state came for."""
    assert masked({"text": text, "client_secret": None}) == {"text": text, "client_secret": None}


# What stays -----------------------------------------------------------------------------------------------------


def test_bytes_without_secrets_are_returned_as_they_are() -> None:
    """Not even a copy is made."""
    payload = b'{ "id" : "resp_1",  "usage":{"total_tokens": 5}, "x": 1.10 }'
    assert mask(payload) is payload


def test_numbers_keep_their_digits() -> None:
    """A sum must not change because a secret stood beside it."""
    digits = b"[1.10,1e999,12345678901234567890123,-0,0.30000000000000004,1E5," + b"9" * 5000 + b"]"
    assert mask(b'{"a":%b,"secret":"x"}' % digits) == b'{"a":%b,"secret":"***"}' % digits


def test_the_order_of_members_stays() -> None:
    """A reader compares it with what upstream shows."""
    assert mask(b'{"z":1,"secret":2,"a":{"y":3,"b":4}}') == b'{"z":1,"secret":"***","a":{"y":3,"b":4}}'


def test_what_is_masked_is_one_line() -> None:
    """A record is a line, and upstream may well pretty-print."""
    assert mask(b'{\n  "id": "a\\nb",\r\n  "x": [\n1\n]\n}') == b'{"id":"a\\nb","x":[1]}'


def test_half_a_character_hides_no_secret() -> None:
    """A lone surrogate cannot be written in UTF-8, but its escape can."""
    payload = rb'{"client_secret":"hunter2","text":"\ud83d","\udc00":{"headers":1}}'
    assert mask(payload) == b'{"client_secret":"***","text":"\\ud83d","\xef\xbf\xbd":{"headers":"***"}}'


# What is no JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b'{"client_secret":"hunter2","x":NaN', b'{"client_secret":"***","x":NaN'),
        (b'{"id":"a","client_secret" : "hunt\\"er2', b'{"id":"a","client_secret" : "***"'),
        (b'{"api-key":hunter2,"x":1', b'{"api-key":"***","x":1'),
        (b'{"headers":{"a":"hunter2","b":["hunter2"', b'{"headers":"***"'),
        (b'{"client_secret":null,"x"', b'{"client_secret":null,"x"'),
        (b"HTTP/1.1 401 Bearer hunter2hunter2", b"HTTP/1.1 401 Bearer ***"),
        (b'{"text":"a\\nsk-hunter2hunter2', b'{"text":"a\\n***'),
        (b'{"client\\u005fsecret":"hunter2', b'{"client_secret":"***"'),
        (b'{"text":"\\u0073k-hunter2hunter2', b'{"text":"***'),
        (b'{"a":"{\\"password\\":\\"hunter2\\"}', b'{"a":"{\\"password\\":"***"'),
        (b'{"a":"Bearer 12345678\\/hunter2', b'{"a":"Bearer ***'),
        (b'{"password":"***hunter2', b'{"password":"***"'),
        (b'\xff{"client_secret":"hunter2"}\xfe', b'\xff{"client_secret":"***"}\xfe'),
        (b"no key here", b"no key here"),
        (b"", b""),
    ],
)
def test_what_is_no_json_is_masked_as_text(payload: bytes, shown: bytes) -> None:
    """A frame that was cut off must not show what the whole one would not."""
    assert mask(payload) == shown


def test_nesting_hides_no_secret() -> None:
    """Deeper than any reader goes, members are still told by their names."""
    payload = b"[" * 5_000 + b'{"client_secret":"hunter2"}' + b"]" * 5_000
    assert mask(payload) == payload.replace(b"hunter2", b"***")


# Whatever is written --------------------------------------------------------------------------------------------

PLANTED = "hunter2hunter2"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(SECRET_NAMES), inner),
    max_leaves=12,
)


@st.composite
def planted(draw: st.DrawFn) -> str:
    """A JSON text in which a secret stands in a member that is named as one, or is itself shaped like a key."""
    by_name = {draw(st.sampled_from(SECRET_NAMES)): draw(st.sampled_from([PLANTED, [PLANTED], {"x": PLANTED}]))}
    by_shape = draw(st.text()) + draw(st.sampled_from([" sk-", "\nBearer ", "(ek_"])) + PLANTED
    value: Any = draw(st.sampled_from([by_name, by_shape]))
    for _ in range(draw(st.integers(0, 4))):
        value = draw(st.sampled_from([[draw(JSON), value], {draw(st.text()): value, "z": draw(JSON)}, [value]]))
    return json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 2])))


@settings(deadline=None)  # a busy machine is no fault
@given(planted())
def test_a_planted_secret_never_survives(text: str) -> None:
    """Whatever stands around it."""
    shown = mask(text.encode(errors="surrogatepass"))
    assert PLANTED.encode() not in shown
    assert b"\n" not in shown


@settings(deadline=None)  # a busy machine is no fault
@given(planted() | JSON.map(json.dumps) | st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    """What was recorded masked is replayed, and shown masked."""
    once = mask(text.encode(errors="surrogatepass"))
    assert mask(once) == once


@settings(deadline=None)  # a busy machine is no fault
@given(JSON)
def test_what_is_json_stays_json(value: Any) -> None:
    """And what holds neither a name nor a shape of a secret stays what it was."""
    text = json.dumps(value)
    shown = json.loads(mask(text.encode()))
    assume(not any(name in text for name in SECRET_NAMES))
    assert json.dumps(shown) == json.dumps(value)


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary())
def test_no_bytes_make_it_raise(payload: bytes) -> None:
    """It is the last thing before a file, and must write something."""
    mask(payload)


def test_what_only_looks_as_if_it_held_a_secret_stays_as_it_came() -> None:
    """Spaces and digits are its sender's."""
    payload = b'{ "secretary" : 1.50, "passwords_ok" :  true }'
    assert mask(payload) is payload


@pytest.mark.parametrize("key", [key for key in KEYS if " " not in key and "\n" not in key and "\\" not in key])
def test_an_id_that_holds_a_key_is_known(key: str) -> None:
    """Alone, and behind what ids begin with."""
    assert is_keylike(key)
    for word in ("event", "item", "resp", "call", "conv", "sess", "thread", "run", "step", "msg", "asst"):
        assert is_keylike(f"{word}_{key}")
        assert not is_keylike(f"{word}_DHcAxyz1234AbC")


def test_an_id_of_another_script_may_hold_a_key() -> None:
    """A key begins behind what is no letter in keys, though that is a letter."""
    assert is_keylike("event_é" + "AKIA" + "1234567890ABCDEF")


def test_what_has_too_many_elements_is_masked_without_being_read() -> None:
    """On one line, and still JSON where the secret is a text."""
    elements = b"{},\n" * STRUCTURE_ELEMENTS
    payload = b'{"a":[' + elements + b'{}],"api_key":"hunter2hunter2"}'

    assert mask(payload) == b'{"a":[' + elements.replace(b"\n", b" ") + b'{}],"api_key":"***"}'


def test_the_schema_of_a_parameter_is_no_secret() -> None:
    """But what it gives as a value is."""
    plain = {"properties": {"password": {"type": "string", "description": "Protects it.", "minLength": 8}}}
    assert json.loads(mask(json.dumps(plain).encode())) == plain
    for value in (
        {"type": "string", "default": "hunter2"},
        {"type": "string", "enum": ["hunter2"]},
        {"type": "hunter2"},
    ):
        assert json.loads(mask(json.dumps({"password": value}).encode())) == {"password": "***"}
