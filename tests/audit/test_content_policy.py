"""A record holds of content what the policy allows; a type that no policy knows is not written at all."""

import hashlib
import hmac
import types
import typing
from typing import Any

import msgspec
import pytest
from msgspec import Struct, UnsetType
from msgspec.structs import fields

from steno.audit.content_policy import NONE, BodyEncoder, ContentPolicy, ContentRule
from steno.core.facts import (
    KINDS,
    NAMES,
    Content,
    ConversationClosed,
    DtmfReceived,
    Fact,
    MessageFinished,
    ResponseFinished,
    SpeechStopped,
    Tokens,
    ToolCallFinished,
)
from steno.redaction import VERSION, Redactor

SECRET = "my card is 4111 1111 1111 1111"
KEY = b"a key of the operator"


def body(fact: Fact) -> bytes:
    return BodyEncoder(NONE).body(fact)


def message(text: str, kind: str = "text") -> MessageFinished:
    return MessageFinished(message_id="m", run_id=None, role=None, status="completed", text=Content(kind, text))


def response(*output: Content) -> ResponseFinished:
    return ResponseFinished(
        response_id="resp_1",
        status="completed",
        reason=None,
        conversation_id=None,
        model="m",
        items=2,
        output=output,
        audio_seconds=None,
        duration_seconds=1.5,
        time_to_first_token_seconds=None,
        time_to_first_audio_seconds=None,
        turn_latency_seconds=None,
        tokens=(Tokens("m", "output", "audio", cached=False, tokens=7),),
    )


def decoded(encoder: BodyEncoder, fact: Fact, longest: int | None = None) -> dict[str, Any]:
    """Return the body of a fact, decoded. It is no longer than `longest`."""
    encoded = encoder.body(fact, "relay/a", longest)
    assert longest is None or len(encoded) <= longest
    members: dict[str, Any] = msgspec.json.decode(encoded)
    return members


def content_field(encoder: BodyEncoder, text: str, kind: str = "text") -> dict[str, Any]:
    """Return the content field of one text."""
    field: dict[str, Any] = decoded(encoder, message(text, kind))["text"]
    return field


class RedactedText(Struct):
    """A text that was redacted."""

    text: str | None
    counts: dict[str, int]


class DigitRedactor:
    """Takes digits out, or fails to read any text; keeps the texts that it was given."""

    version = "redacted/test"

    def __init__(self, *, fails: bool = False) -> None:
        self.read: list[str] = []
        self.budgets: list[list[str]] = []
        self._fails = fails

    def budget(self) -> list[str]:
        return []

    def redact(self, text: str, budget: list[str]) -> RedactedText:
        self.read.append(text)
        budget.append(text)
        self.budgets.append(budget)
        if self._fails:
            return RedactedText(None, {"error": 1})
        digits = sum(each.isdigit() for each in text)
        return RedactedText(
            "".join("#" if each.isdigit() else each for each in text), {"digit": digits} if digits else {}
        )


class Files:
    """Keeps texts in memory, or fails to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.kept: list[tuple[str, str, str]] = []
        self._fails = fails

    def keep(self, conversation: str, kind: str, text: str) -> tuple[str, str]:
        if self._fails:
            raise OSError(5, "broken")
        self.kept.append((conversation, kind, text))
        return "0f.jsonl", f"{len(self.kept):064}"


# Bodies ---------------------------------------------------------------------------------------------------


def test_members_stand_in_their_order_with_nulls() -> None:
    assert body(SpeechStopped(item_id=None, audio_end_ms=1.5, duration_seconds=0.25)) == (
        b'{"item_id":null,"audio_end_ms":1.5,"duration_seconds":0.25}'
    )


def test_a_fact_without_members_is_an_empty_object() -> None:
    assert body(DtmfReceived()) == b"{}"


def test_content_becomes_its_length() -> None:
    fact = MessageFinished(
        message_id="msg_1", run_id=None, role="user", status="completed", text=Content("text", SECRET)
    )

    assert body(fact) == (
        b'{"message_id":"msg_1","run_id":null,"role":"user","status":"completed",'  # and no text:
        b'"text":{"kind":"text","length":30}}'
    )


def test_length_is_in_characters() -> None:
    fact = message("grüße 🙂")

    assert b'"length":7}' in body(fact)


def test_content_and_tokens_within_a_list() -> None:
    fact = response(Content("transcript", SECRET), Content("text", ""))

    assert body(fact) == (
        b'{"response_id":"resp_1","status":"completed","reason":null,"conversation_id":null,"model":"m","items":2,'
        b'"output":[{"kind":"transcript","length":30},{"kind":"text","length":0}],"audio_seconds":null,'
        b'"duration_seconds":1.5,"time_to_first_token_seconds":null,"time_to_first_audio_seconds":null,'
        b'"turn_latency_seconds":null,'
        b'"tokens":[{"model":"m","direction":"output","modality":"audio","cached":false,"tokens":7}],"cost":null,'
        b'"metadata":null}'
    )


class Strange(Fact, frozen=True):
    """A fact with a member that no policy knows."""

    content: object


class Disguise:
    """Holds a text in a way of its own."""

    text = SECRET


def test_a_type_that_no_policy_knows_is_refused() -> None:
    with pytest.raises(NotImplementedError) as caught:
        body(Strange(content=Disguise()))

    assert str(caught.value) == "a fact holds a Disguise, which no content policy knows"


PLAIN = {str, int, float, bool, type(None), UnsetType}  # a member that is not set is not written


def leaves(kind: Any) -> set[Any]:
    """Return the types that a value of `kind` is made of."""
    if typing.get_origin(kind) in {types.UnionType, typing.Union, tuple}:
        return set().union(*(leaves(each) for each in typing.get_args(kind) if each is not ...))
    if isinstance(kind, type) and issubclass(kind, Struct):
        return set().union(*(leaves(field.type) for field in fields(kind)))
    return {kind}


@pytest.mark.parametrize("fact", NAMES)
def test_facts_hold_content_and_plain_values_only(fact: type[Fact]) -> None:
    """A type that msgspec encodes by itself would go past the policy, so no fact may hold it."""
    assert leaves(fact) <= {*PLAIN, Content}


# Policies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("none", {}),
        ("redacted", {"text": "room ##", "policy": "redacted/test", "redacted": {"digit": 2}}),
        ("full", {"text": "room 12", "policy": "full"}),
    ],
)
def test_each_kind_of_content_is_kept_by_each_rule(kind: str, rule: ContentRule, kept: dict[str, Any]) -> None:
    """Whatever the rule of all other kinds is."""
    others: ContentRule = "full" if rule == "none" else "none"
    encoder = BodyEncoder(ContentPolicy.of(others, {kind: rule}), redactor=DigitRedactor())

    assert content_field(encoder, "room 12", kind) == {"kind": kind, "length": 7, **kept}
    assert [each for each in KINDS if ("text" in content_field(encoder, "room 12", each)) == (rule != "none")] == [kind]


def test_a_kind_that_no_policy_names_is_not_kept() -> None:
    assert content_field(BodyEncoder(ContentPolicy.of("full")), SECRET, "thought") == {"kind": "thought", "length": 30}


@pytest.mark.parametrize(
    ("policy", "described", "keeps", "redacts"),
    [
        (NONE, "none", False, False),
        (ContentPolicy.of("none", files=True), "none", False, False),
        (ContentPolicy.of("full", dict.fromkeys(KINDS, "none")), "none", False, False),
        (ContentPolicy.of("none", {"output": "full"}), "output=full words-in-chain", True, False),
        (
            ContentPolicy.of("redacted", {**dict.fromkeys(KINDS[2:], "none"), "text": "full"}, files=True),
            "transcript=redacted text=full words-in-files",
            True,
            True,
        ),
        (
            ContentPolicy.of("full"),
            " ".join((*(f"{kind}=full" for kind in KINDS), "words-in-chain")),
            True,
            False,
        ),
    ],
)
def test_a_policy_says_what_it_keeps_and_where(
    policy: ContentPolicy, described: str, keeps: bool, redacts: bool
) -> None:
    assert (policy.describe(), policy.keeps_content, policy.redacts) == (described, keeps, redacts)
    assert BodyEncoder(policy).reads_content == keeps
    assert BodyEncoder(policy, digest_key=b"k" * 32).reads_content


def test_who_has_the_key_and_a_text_can_find_its_digest() -> None:
    """It is what `openssl dgst -sha256 -hmac` prints."""
    encoder = BodyEncoder(NONE, digest_key=KEY)

    assert [content_field(encoder, SECRET), content_field(encoder, "grüße 🙂")] == [
        {
            "kind": "text",
            "length": 30,
            "digest": "213a686a30be4e9269794515856e7d16b7ae8a6422c132620186af612b1abb50",
        },
        {
            "kind": "text",
            "length": 7,
            "digest": "cf1dbbc08a6270a3b77d2fb5e63081c945ed5ae8555690a9a1522dba582d0656",
        },
    ]


@pytest.mark.parametrize("rule", ["redacted", "full"])
def test_the_digest_is_of_the_text_as_it_was_said(rule: ContentRule) -> None:
    text = "1 key: sk-0123456789abcdef"
    field = content_field(BodyEncoder(ContentPolicy.of(rule), redactor=DigitRedactor(), digest_key=KEY), text)

    assert field["digest"] == hmac.digest(KEY, text.encode(), "sha256").hex()
    assert field["text"] == {"redacted": "# key: ***", "full": "1 key: ***"}[rule]


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    encoder = BodyEncoder(ContentPolicy.of("full"), digest_key=KEY)

    assert content_field(encoder, "a\ud83d") == {
        "kind": "text",
        "length": 2,
        "text": "a?",
        "policy": "full",
        "digest": hmac.digest(KEY, b"a?", "sha256").hex(),
    }


# Redacted -------------------------------------------------------------------------------------------------


class Versioned(Redactor):
    """The redactor, with the version that records name."""

    version = VERSION


def test_personal_data_is_taken_out_and_counted() -> None:
    encoder = BodyEncoder(ContentPolicy.of("redacted"), redactor=Versioned())
    fact = response(
        Content("transcript", SECRET),
        Content("text", "write to anna@example.org or bob@example.org, card 4111111111111111"),
        Content("text", "nothing"),
    )

    assert decoded(encoder, fact)["output"] == [
        {"kind": "transcript", "length": 30, "text": "my card is [card]", "policy": VERSION, "redacted": {"card": 1}},
        {
            "kind": "text",
            "length": 67,
            "text": "write to [email] or [email], card [card]",
            "policy": VERSION,
            "redacted": {"card": 1, "email": 2},
        },
        {"kind": "text", "length": 7, "text": "nothing", "policy": VERSION, "redacted": {}},
    ]


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize(
    ("redactor", "expected"),
    [
        (DigitRedactor(fails=True), {"policy": "redacted/test", "redacted": {"error": 1}}),
        (None, {"policy": "redacted"}),
    ],
)
def test_a_text_that_cannot_be_redacted_is_dropped(
    redactor: DigitRedactor | None, expected: dict[str, Any], files: bool
) -> None:
    kept = Files()
    encoder = BodyEncoder(ContentPolicy.of("redacted", files=files), redactor=redactor, files=kept)

    assert content_field(encoder, SECRET) == {"kind": "text", "length": 30, "text": None, **expected}
    assert kept.kept == []


def test_the_texts_of_one_record_share_a_budget_of_work() -> None:
    """However many there are. The next record has its own."""
    redactor = DigitRedactor()
    encoder = BodyEncoder(ContentPolicy.of("redacted"), redactor=redactor)
    for _ in range(2):
        encoder.body(response(Content("text", "1"), Content("transcript", "2")))

    first, again, *others = redactor.budgets
    assert first is again
    assert first is not others[0]
    assert first == others[0] == ["1", "2"]


# Secrets --------------------------------------------------------------------------------------------------

SECRETS = [
    ("use sk-0123456789abcdef,\nplease", "use ***,\nplease"),
    ("Authorization: Bearer abcdef.0123", "Authorization: Bearer ***"),
    ('{"to":"a","client_secret":"hush","n":1.10}', '{"to":"a","client_secret":"***","n":1.10}'),
    ('{\n  "headers": {"x": "hush"}\n}', '{"headers":"***"}'),
    ('{"password":"hus', '{"password":"***"'),
]


@pytest.mark.parametrize(("text", "masked"), SECRETS)
def test_secrets_are_masked_in_all_that_is_kept(text: str, masked: str) -> None:
    files, redactor = Files(), DigitRedactor()

    assert content_field(BodyEncoder(ContentPolicy.of("full")), text)["text"] == masked
    content_field(BodyEncoder(ContentPolicy.of("full", files=True), files=files), text)
    assert files.kept == [("relay/a", "text", masked)]
    content_field(BodyEncoder(ContentPolicy.of("redacted"), redactor=redactor), text)
    assert redactor.read == [masked]


@pytest.mark.parametrize("text", ["one\r\n\ntwo ", '{\n  "n" : 1.10,\n  "n" : 2\n}\n', "[1, 2]", "", "\x00\u2028🙂"])
def test_a_text_without_secrets_is_kept_as_it_was_said(text: str) -> None:
    assert content_field(BodyEncoder(ContentPolicy.of("full")), text)["text"] == text


# Files ----------------------------------------------------------------------------------------------------


def test_content_that_goes_to_files_is_not_in_the_body() -> None:
    files = Files()
    encoder = BodyEncoder(ContentPolicy.of("none", {"transcript": "full"}, files=True), files=files)

    assert decoded(encoder, response(Content("transcript", SECRET), Content("text", SECRET)))["output"] == [
        {"kind": "transcript", "length": 30, "policy": "full", "file": "0f.jsonl", "hmac": f"{1:064}"},
        {"kind": "text", "length": 30},
    ]
    assert files.kept == [("relay/a", "transcript", SECRET)]


def test_files_keep_what_the_redactor_leaves() -> None:
    files = Files()
    encoder = BodyEncoder(ContentPolicy.of("redacted", files=True), redactor=DigitRedactor(), files=files)

    assert content_field(encoder, "room 12") == {
        "kind": "text",
        "length": 7,
        "policy": "redacted/test",
        "redacted": {"digit": 2},
        "file": "0f.jsonl",
        "hmac": f"{1:064}",
    }
    assert files.kept == [("relay/a", "text", "room ##")]


def test_files_keep_nothing_where_content_goes_into_the_chain() -> None:
    files = Files()

    assert content_field(BodyEncoder(ContentPolicy.of("full"), files=files), "hello")["text"] == "hello"
    assert files.kept == []


def test_content_that_has_no_files_to_go_to_is_dropped() -> None:
    encoder = BodyEncoder(ContentPolicy.of("full", files=True))

    assert content_field(encoder, SECRET) == {"kind": "text", "length": 30, "text": None, "policy": "full"}


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    """The writer tries again: a record is not written without its content because a disk failed."""
    encoder = BodyEncoder(ContentPolicy.of("full", files=True), files=Files(fails=True))

    with pytest.raises(OSError, match="broken"):
        content_field(encoder, SECRET)


# Cut ------------------------------------------------------------------------------------------------------

LONG = "grüße 🙂\n" * 10_000


def test_a_long_text_is_cut_and_a_short_one_beside_it_is_not() -> None:
    encoder = BodyEncoder(ContentPolicy.of("full"))
    body = decoded(encoder, response(Content("text", LONG), Content("transcript", "short")), 4096)
    long, short = body.pop("output")
    uncut = decoded(encoder, response())

    assert LONG.startswith(long.pop("text"))
    assert long == {
        "kind": "text",
        "length": 80_000,
        "cut": True,
        "policy": "full",
        "sha256": hashlib.sha256(LONG.encode()).hexdigest(),
    }
    assert short == {"kind": "transcript", "length": 5, "text": "short", "policy": "full"}
    assert body == {name: value for name, value in uncut.items() if name != "output"}


def test_texts_that_are_cut_fill_the_body() -> None:
    """They share its length equally, less what their hashes take."""
    encoder = BodyEncoder(ContentPolicy.of("full"))
    fact = response(*(Content("text", letter * 100_000) for letter in "abc"))
    kept = [len(each["text"]) for each in decoded(encoder, fact, 16_000)["output"]]

    assert len(encoder.body(fact, longest=16_000)) > 15_800
    assert max(kept) - min(kept) <= 1


@pytest.mark.parametrize("digest_key", [KEY, None])
def test_a_text_that_was_cut_has_a_digest_or_a_hash(digest_key: bytes | None) -> None:
    """The digest of the text as it was said, or else the hash of what was to be kept, secrets masked."""
    text, kept = LONG + "sk-0123456789abcdef", LONG + "***"
    field = decoded(BodyEncoder(ContentPolicy.of("full"), digest_key=digest_key), message(text), 4096)["text"]
    del field["text"]

    assert field == {
        "kind": "text",
        "length": 80_019,
        "cut": True,
        "policy": "full",
        **(
            {"digest": hmac.digest(KEY, text.encode(), "sha256").hex()}
            if digest_key
            else {"sha256": hashlib.sha256(kept.encode()).hexdigest()}
        ),
    }


def test_a_text_is_redacted_and_kept_once_although_its_record_is_cut() -> None:
    redactor, files = DigitRedactor(), Files()
    same = Content("text", "room 12")
    fact = response(same, Content("transcript", LONG), same)
    policy = ContentPolicy.of("redacted", {"text": "full"}, files=True)
    decoded(BodyEncoder(policy, redactor=redactor, files=files), fact, 700)
    chained = DigitRedactor()
    decoded(BodyEncoder(ContentPolicy.of("redacted"), redactor=chained), fact, 700)

    assert files.kept == [("relay/a", "text", "room 12"), ("relay/a", "transcript", LONG)]
    assert (redactor.read, chained.read) == ([LONG], ["room 12", LONG])


def test_a_list_that_is_too_long_is_cut_and_its_length_is_recorded() -> None:
    buckets = tuple(Tokens(f"model-{n}", "input", "text", cached=False, tokens=n) for n in range(512))
    fact = ConversationClosed(
        family="realtime", reason="idle", duration_seconds=1.5, events=3, responses=2, runs=0, tokens=buckets
    )
    assert decoded(BodyEncoder(NONE), fact, 16_000) == {
        "family": "realtime",
        "reason": "idle",
        "duration_seconds": 1.5,
        "events": 3,
        "responses": 2,
        "runs": 0,
        "tokens": [msgspec.to_builtins(bucket) for bucket in buckets[:128]],
        "cost_usd": "0",
        "unpriced": [],
        "complete": True,
        "cut": {"tokens": 512},
    }


def test_strings_are_cut_where_there_is_nothing_else_to_cut() -> None:
    fact = ToolCallFinished(
        call_id="\x01" * 512,
        kind="function",
        name="f",
        status="completed",
        duration_seconds=None,
        arguments=Content("arguments", SECRET),
        output=None,
    )

    assert decoded(BodyEncoder(ContentPolicy.of("full")), fact, 2048) == {
        "call_id": "\x01" * 256,
        "kind": "function",
        "name": "f",
        "status": "completed",
        "duration_seconds": None,
        "arguments": {
            "kind": "arguments",
            "length": 30,
            "text": "",
            "cut": True,
            "policy": "full",
            "sha256": hashlib.sha256(SECRET.encode()).hexdigest(),
        },
        "output": None,
        "arguments_whole": None,
        "error": None,
        "cut": {"call_id": 512},
    }


def test_a_body_that_cannot_be_cut_says_how_long_it_was() -> None:
    assert BodyEncoder(NONE).body(message("hello"), longest=32) == b'{"cut":{"body":99}}'
