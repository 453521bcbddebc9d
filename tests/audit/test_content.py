"""Of words, the log keeps how many there were; what no policy knows is not written at all."""

import types
import typing
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import fields

from steno.audit.content import body
from steno.core.facts import (
    NAMES,
    Content,
    DtmfReceived,
    Fact,
    MessageFinished,
    ResponseFinished,
    SpeechStopped,
    Tokens,
)

SECRET = "my card is 4111 1111 1111 1111"


def test_members_stand_in_their_order_with_nulls() -> None:
    assert body(SpeechStopped(item_id=None, audio_end_ms=1.5, duration_seconds=0.25)) == (
        b'{"item_id":null,"audio_end_ms":1.5,"duration_seconds":0.25}'
    )


def test_a_fact_without_members_is_an_empty_object() -> None:
    assert body(DtmfReceived()) == b"{}"


def test_words_become_their_length() -> None:
    fact = MessageFinished(
        message_id="msg_1", run_id=None, role="user", status="completed", text=Content("text", SECRET)
    )

    assert body(fact) == (
        b'{"message_id":"msg_1","run_id":null,"role":"user","status":"completed",'  # no words:
        b'"text":{"kind":"text","length":30}}'
    )


def test_length_is_in_characters() -> None:
    fact = MessageFinished(
        message_id="m",
        run_id=None,
        role=None,
        status="completed",
        text=Content("text", "grüße 🙂"),
    )

    assert b'"length":7}' in body(fact)


def test_words_and_tokens_within_a_list() -> None:
    fact = ResponseFinished(
        response_id="resp_1",
        status="completed",
        reason=None,
        conversation_id=None,
        model="m",
        items=2,
        output=(Content("transcript", SECRET), Content("text", "")),
        audio_seconds=None,
        duration_seconds=1.5,
        time_to_first_token_seconds=None,
        time_to_first_audio_seconds=None,
        turn_latency_seconds=None,
        tokens=(Tokens("m", "output", "audio", cached=False, tokens=7),),
    )

    assert body(fact) == (
        b'{"response_id":"resp_1","status":"completed","reason":null,"conversation_id":null,"model":"m","items":2,'
        b'"output":[{"kind":"transcript","length":30},{"kind":"text","length":0}],"audio_seconds":null,'
        b'"duration_seconds":1.5,"time_to_first_token_seconds":null,"time_to_first_audio_seconds":null,'
        b'"turn_latency_seconds":null,'
        b'"tokens":[{"model":"m","direction":"output","modality":"audio","cached":false,"tokens":7}],"cost":null}'
    )


class Strange(Fact, frozen=True):
    """A fact with a member that no policy knows."""

    words: object


class Words:
    """Holds words in a way of its own."""

    text = SECRET


def test_what_no_policy_knows_is_refused_and_not_told() -> None:
    with pytest.raises(NotImplementedError) as caught:
        body(Strange(words=Words()))

    assert str(caught.value) == "a fact holds a Words, which no content policy knows"


PLAIN = {str, int, float, bool, type(None)}


def leaves(kind: Any) -> set[Any]:
    """Return the types that a value of `kind` is made of."""
    if typing.get_origin(kind) in {types.UnionType, typing.Union, tuple}:
        return set().union(*(leaves(each) for each in typing.get_args(kind) if each is not ...))
    if isinstance(kind, type) and issubclass(kind, Struct):
        return set().union(*(leaves(field.type) for field in fields(kind)))
    return {kind}


@pytest.mark.parametrize("fact", NAMES)
def test_facts_hold_words_as_content_and_else_plain_values_only(fact: type[Fact]) -> None:
    """What the encoder of a library knows by itself would go past the policy: no fact may hold it."""
    assert leaves(fact) <= {*PLAIN, Content}
