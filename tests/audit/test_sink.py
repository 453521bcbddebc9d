"""Facts in, records out: never longer than they may be, with content only where the policy keeps it."""

import hashlib
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields, replace

from steno.audit.content_policy import NONE, REDACTION_WEIGHT, BodyEncoder, ContentPolicy, Redacts
from steno.audit.content_store.files import ContentFiles
from steno.audit.record import GENESIS, HASH_BYTES, RECORD, link
from steno.audit.sink import BODY_BYTES, AuditSink
from steno.audit.writing.queue import Submission
from steno.config import Audit
from steno.core.facts import (
    KINDS,
    NAMES,
    Content,
    ConversationClosed,
    Fact,
    ItemAdded,
    MessageFinished,
    Origin,
    ResponseFinished,
    SpeechStopped,
    ToolCallStarted,
)
from steno.limits import ID_CHARACTERS, ID_CHARACTERS_MAX
from tests.audit.helpers import AT, WHEN

SMALLEST = 4096
RECORD_BYTES = Audit().record_bytes
LAST_SEQ = 10**20 - 1
"""The number that takes most room."""
ORIGIN = Origin(
    at=AT,
    source="relay",
    stream="relay/1/1",
    conversation="relay/a",
    family="realtime",
    event_id="event_1",
)
STOPPED = SpeechStopped(item_id="item_1", audio_end_ms=1.5, duration_seconds=None)


class Log:
    """Takes what is submitted."""

    def __init__(self) -> None:
        self.taken: list[Submission] = []

    def submit(self, record: Submission) -> None:
        self.taken.append(record)


def submitted(bodies: BodyEncoder, *facts: Fact, origin: Origin = ORIGIN) -> list[Submission]:
    log = Log()
    sink = AuditSink(log, bodies, RECORD_BYTES)
    for fact in facts:
        sink.emit(origin, fact)
    return log.taken


def line_of(
    fact: Fact, policy: ContentPolicy = NONE, record_bytes: int = RECORD_BYTES, origin: Origin = ORIGIN
) -> bytes:
    """Return the record of `fact` as the longest line it can be."""
    sink = AuditSink(Log(), BodyEncoder(policy), record_bytes)
    line, _ = link(LAST_SEQ, sink.entry(origin, fact), GENESIS)
    assert RECORD.fullmatch(line)
    return line


def record(line: bytes) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.json.decode(line)
    return members


def typed(text: str, kind: str = "text") -> ItemAdded:
    return ItemAdded(item_id="item_1", kind="message", role="user", text=Content(kind, text))


# Any fact -------------------------------------------------------------------------------------------------


def values(kind: Any, texts: st.SearchStrategy[str], names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return the values of a type, with these texts and names."""
    plain = {int: st.integers(0, 2**53), float: st.floats(0, 1e12), bool: st.booleans(), types.NoneType: st.none()}
    if kind is str:
        return names
    if kind in plain:
        return plain[kind]
    if kind is Content:
        return st.builds(Content, st.sampled_from(KINDS), texts)
    if typing.get_origin(kind) is tuple:
        return st.lists(values(typing.get_args(kind)[0], texts, names), max_size=5).map(tuple)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return st.builds(kind, **{field.name: values(field.type, texts, names) for field in fields(kind)})
    return st.one_of(*(values(each, texts, names) for each in typing.get_args(kind)))


TEXTS = st.text() | st.builds(lambda text, times: text * times, st.text(min_size=1), st.integers(1, 2_000))
ANY_NAME = st.text(max_size=ID_CHARACTERS_MAX) | st.sampled_from("\x01\x7fü🙂").map(
    lambda letter: letter * ID_CHARACTERS_MAX
)
ANY_FACT = st.sampled_from(sorted(NAMES, key=NAMES.__getitem__)).flatmap(lambda kind: values(kind, TEXTS, ANY_NAME))
ANY_ORIGIN = st.builds(Origin, **{field.name: values(field.type, TEXTS, ANY_NAME) for field in fields(Origin)}).map(
    lambda origin: replace(origin, at=None)
)


class Left(Struct):
    text: str | None
    counts: dict[str, int]


class Doubling:
    """A redactor that makes texts longer."""

    version = "redacted/test"

    def budget(self) -> object:
        return object()  # no text takes long

    def redact(self, text: str, _budget: object) -> Left:
        return Left(text + text, {"double": 1})


ANY_POLICY = st.builds(ContentPolicy.of, st.sampled_from(["none", "redacted", "full"]))


@given(ANY_ORIGIN, ANY_FACT, ANY_POLICY, st.integers(SMALLEST, 3 * SMALLEST), st.sampled_from([None, b"key"]))
def test_no_record_is_longer_than_it_may_be(
    origin: Origin, fact: Fact, policy: ContentPolicy, record_bytes: int, digest_key: bytes | None
) -> None:
    """Any fact gives a record, and always the same one."""
    redactor: Redacts = Doubling()
    sink = AuditSink(Log(), BodyEncoder(policy, redactor=redactor, digest_key=digest_key), record_bytes)
    entry = sink.entry(origin, fact)
    line, _ = link(LAST_SEQ, entry, GENESIS)

    assert len(line) <= record_bytes
    assert RECORD.fullmatch(line)
    assert line[:-HASH_BYTES].endswith(entry)
    assert record(line)["fact"] == NAMES[type(fact)]
    assert sink.entry(origin, fact) == entry


def filled(kind: Any, text: str, name: str) -> Any:
    """Return a value of a type: every text is `text`, every string is `name`, of every list there are three."""
    if kind is str:
        return name
    if kind in {int, float, bool}:
        return kind(1)
    if kind is Content:
        return Content("text", text)
    if typing.get_origin(kind) is tuple:
        return tuple(filled(typing.get_args(kind)[0], text, name) for _ in range(3))
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind(**{field.name: filled(field.type, text, name) for field in fields(kind)})
    return filled(typing.get_args(kind)[0], text, name)


def contents(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members of a body that stand for content."""
    members = [each for value in body.values() for each in (value if isinstance(value, list) else [value])]
    return [each for each in members if isinstance(each, dict) and "length" in each]


WITH_CONTENT = [kind for kind in NAMES if contents(record(line_of(filled(kind, "x", "x")))["body"])]


def test_some_facts_hold_content() -> None:
    assert {ItemAdded, ResponseFinished, MessageFinished} < set(WITH_CONTENT)


@pytest.mark.parametrize("record_bytes", [SMALLEST, RECORD_BYTES])
@pytest.mark.parametrize("text", ["x" * 200_000, "\x01" * 200_000, "grüße 🙂" * 30_000, '"\\' * 100_000])
@pytest.mark.parametrize("kind", WITH_CONTENT)
def test_long_texts_are_cut_to_what_fits(kind: type[Fact], text: str, record_bytes: int) -> None:
    """As much as fits stays, with the length and the hash of all of it; nothing else is lost."""
    line = line_of(filled(kind, text, "name"), ContentPolicy.of("full"), record_bytes)
    body = record(line)["body"]
    whole = record(line_of(filled(kind, "", "name")))["body"]

    assert record_bytes - 256 * len(contents(body)) < len(line) <= record_bytes
    for field in contents(body):
        assert text.startswith(field.pop("text"))
        assert field == {
            "kind": "text",
            "length": len(text),
            "cut": True,
            "policy": "full",
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
    assert {**body, **dict.fromkeys(body.keys() & whole.keys())} == dict.fromkeys(whole)
    assert [body[name] for name in body if not contents({name: body[name]})] == [
        whole[name] for name in whole if not contents({name: whole[name]})
    ]


def test_a_record_that_just_fits_is_not_cut() -> None:
    fact = typed("x" * 10_000)
    fits = len(line_of(fact, ContentPolicy.of("full")))
    texts = [contents(record(line_of(fact, ContentPolicy.of("full"), size))["body"])[0] for size in (fits, fits - 1)]

    assert [len(each["text"]) for each in texts] == [10_000, 10_000 - 129]
    assert [each.get("cut") for each in texts] == [None, True]


def test_a_conversation_with_many_buckets_keeps_its_sums_and_loses_some() -> None:
    fact: ConversationClosed = filled(ConversationClosed, "", "name")
    line = line_of(replace(fact, tokens=fact.tokens[:1] * 512))
    body = record(line)["body"]
    whole = record(line_of(fact))["body"]

    assert len(line) <= RECORD_BYTES
    assert body == {**whole, "tokens": whole["tokens"][:1] * 128, "cut": {"tokens": 512}}


# Names ----------------------------------------------------------------------------------------------------

UGLY = "\x01" * ID_CHARACTERS
UGLIEST = "\x01" * ID_CHARACTERS_MAX
NAMED = replace(ORIGIN, stream="replay/" + UGLY, conversation="relay/" + UGLY, event_id=UGLY)


def test_the_longest_names_there_are_fit_into_a_record() -> None:
    fact: ResponseFinished = filled(ResponseFinished, "x" * 200_000, "name")
    fact = replace(fact, response_id=UGLIEST, conversation_id=UGLIEST)
    line = line_of(fact, ContentPolicy.of("full"), origin=NAMED)
    members = record(line)
    body = members["body"]

    assert len(line) <= RECORD_BYTES
    assert [members[name] for name in ("conversation", "stream", "event_id")] == [
        "relay/" + UGLY,
        "replay/" + UGLY,
        UGLY,
    ]
    assert (body["response_id"], "cut" in body) == (UGLIEST, False)


def test_names_are_cut_where_there_is_no_room_for_them() -> None:
    """They end with a mark, and the body has room. It says what was cut in it."""
    line = line_of(ToolCallStarted(call_id=UGLIEST, kind="function", name="f"), record_bytes=SMALLEST, origin=NAMED)

    assert len(line) <= SMALLEST
    assert {**record(line), "hash": ""} == {
        "seq": LAST_SEQ,
        "at": WHEN,
        "fact": "tool_call.started",
        "conversation": "relay/" + "\x01" * 165 + "…",
        "stream": "replay/" + "\x01" * 164 + "…",
        "event_id": "\x01" * 166 + "…",
        "body": {"call_id": "\x01" * 128, "kind": "function", "name": "f", "cut": {"call_id": ID_CHARACTERS_MAX}},
        "hash": "",
    }


def test_a_recording_may_have_a_name_that_is_no_text() -> None:
    line = line_of(STOPPED, origin=replace(ORIGIN, conversation="replay/caf\udce9", stream="replay/caf\udce9"))

    assert (record(line)["conversation"], record(line)["stream"]) == ("replay/caf?", "replay/caf?")


# Submitted ------------------------------------------------------------------------------------------------


def test_where_no_content_is_kept_records_are_encoded_at_once() -> None:
    entry = (
        b'"at":"2026-01-01T00:00:00.123456Z","fact":"item.added","conversation":"relay/a","stream":"relay/1/1",'
        b'"event_id":"event_1","body":{"item_id":"item_1","kind":"message","role":"user",'
        b'"text":{"kind":"text","length":5}}'
    )

    assert submitted(BodyEncoder(NONE), typed("hello")) == [entry]


@pytest.mark.parametrize(
    "bodies",
    [
        BodyEncoder(ContentPolicy.of("full")),
        BodyEncoder(ContentPolicy.of("none", {"text": "full"})),
        BodyEncoder(NONE, digest_key=b"k" * 32),
    ],
    ids=["all is kept", "some is kept", "all is digested"],
)
def test_where_content_is_read_the_writer_encodes_it(bodies: BodyEncoder) -> None:
    """A fact without content is encoded at once all the same. The record is the same either way."""
    facts: list[Fact] = [STOPPED, typed("x" * 5_000), typed("")]
    ready, pending, empty = submitted(bodies, *facts)
    sink = AuditSink(Log(), bodies, RECORD_BYTES)

    assert ready == sink.entry(ORIGIN, STOPPED)
    assert not isinstance(pending, bytes)
    assert not isinstance(empty, bytes)
    assert (pending.at, pending.entry(), empty.entry()) == (AT, *(sink.entry(ORIGIN, fact) for fact in facts[1:]))
    assert 5_000 <= pending.size < 10_000
    assert 0 < empty.size < 5_000


def test_content_to_be_redacted_is_heavier_while_it_waits() -> None:
    """It is work, which a queue in bytes would not bound. Encoded briefly it is dropped, and says so."""
    policy = ContentPolicy.of("full", {"text": "redacted"})
    said = typed("x" * 100), typed("x" * 100, "transcript")
    heavy, light = submitted(BodyEncoder(policy, redactor=Doubling()), *said)
    in_full = submitted(BodyEncoder(policy, redactor=Doubling()), *said)
    assert not isinstance(heavy, bytes)
    assert not isinstance(light, bytes)

    assert (heavy.size - BODY_BYTES, light.size - BODY_BYTES) == (100 * REDACTION_WEIGHT, 100)
    assert b'"text":null,"policy":"redacted/test","redacted":{"over_budget":1}' in heavy.entry(brief=True)
    whole = [each.entry() for each in in_full if not isinstance(each, bytes)]
    assert b'"text":"' + b"x" * 200 in whole[0]
    assert light.entry(brief=True) == whole[1]


def test_content_goes_to_the_file_of_its_conversation_else_of_its_stream(tmp_path: Path) -> None:
    files = ContentFiles(tmp_path)
    bodies = BodyEncoder(ContentPolicy.of("full", files=True), files=files)
    nobody = replace(ORIGIN, conversation=None)
    waiting = [*submitted(bodies, typed("one")), *submitted(bodies, typed("two"), origin=nobody)]
    assert files.erase("relay/a").texts == 0

    for each in waiting:
        assert not isinstance(each, bytes)
        each.entry()
    assert [files.erase(name).texts for name in ("relay/a", "relay/1/1")] == [1, 1]


def test_a_name_that_looks_like_a_key_is_masked_and_a_long_one_is_cut() -> None:
    """A conversation need not have a name to have a long stream."""
    sink = AuditSink(Log(), BodyEncoder(NONE), RECORD_BYTES)
    keylike = replace(ORIGIN, conversation="relay/sk-0123456789abcdef")
    nameless = replace(ORIGIN, conversation=None, stream="s" * 2 * RECORD_BYTES)

    assert b'"conversation":"relay/***"' in sink.entry(keylike, STOPPED)
    assert b'"conversation":null' in sink.entry(nameless, STOPPED)
    assert len(sink.entry(nameless, STOPPED)) < RECORD_BYTES
