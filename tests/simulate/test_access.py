"""Keys: where a request shows one, and which are valid."""

from random import Random

import pytest

from steno.simulate.access import GRANTS_MAX, Access, refusal, shown_key


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([("Authorization", "Bearer sk-1")], "sk-1"),
        ([("authorization", "bearer  sk-1 ")], "sk-1"),
        ([("Authorization", "Basic c2stMQ==")], None),
        ([("Authorization", "Bearer ")], None),
        ([("api-key", "sk-2")], "sk-2"),
        ([("Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.sk-3, x")], "sk-3"),
        ([("Sec-WebSocket-Protocol", "realtime, x-openai-insecure-api-key.sk-3")], None),
        ([("Authorization", "Bearer sk-1"), ("Sec-WebSocket-Protocol", "realtime")], "sk-1"),
    ],
)
def test_a_request_shows_its_key(headers: list[tuple[str, str]], key: str | None) -> None:
    assert shown_key(headers) == key


def test_without_a_key_everyone_is_admitted_but_for_made_up_keys_of_sessions() -> None:
    access = Access(None, Random(1), lambda: 0)

    assert [access.admits(shown) for shown in (None, "sk-any", "ek_none")] == [True, True, False]


def test_with_a_key_it_is_demanded() -> None:
    access = Access("sk-right", Random(1), lambda: 0)

    assert [access.admits(shown) for shown in (None, "", "sk-wrong", "sk-\N{SNOWMAN}", "sk-right")] == [False] * 4 + [
        True
    ]


def test_a_key_of_a_session_ends() -> None:
    clock = [100]
    access = Access("sk-right", Random(1), lambda: clock[0])
    grant = access.grant({"model": "m"}, 60)

    assert access.admits(grant.value)
    assert access.granted(grant.value) == grant
    clock[0] = 160
    assert not access.admits(grant.value)


def test_the_oldest_keys_are_forgotten() -> None:
    access = Access(None, Random(1), lambda: 0)
    grants = [access.grant({}, 60) for _ in range(GRANTS_MAX + 1)]

    assert [access.admits(grants[n].value) for n in (0, 1, -1)] == [False, True, True]


def test_a_refusal_does_not_show_the_key() -> None:
    assert "sk-secret" not in str(refusal("sk-secret"))
    assert refusal(None) != refusal("sk-secret")
