"""Records follow the format to the letter, and anybody can recompute their chain."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.audit.record import (
    GENESIS,
    HASH_BYTES,
    RECORD,
    algorithm,
    digest,
    entry,
    key_id,
    link,
    segment_name,
    segment_seq,
    time_of,
)
from steno.audit.writing.batch import CheckpointMark
from steno.timestamps import parse_timestamp, timestamp
from tests.audit.helpers import AT, WHEN

LAST = "9999-12-31T23:59:59.999999Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: (moment - EPOCH) // timedelta(microseconds=1),
)
NAMES = st.none() | st.text(max_size=20)

# The record -----------------------------------------------------------------------------------------------


def test_an_event_id_that_is_no_text_is_replaced() -> None:
    """Half a character, which JSON can name and UTF-8 cannot."""
    assert b'"event_id":"event_?"' in entry(AT, "item.added", None, None, "event_\ud800", b"{}")


def test_entry_has_its_members_in_order() -> None:
    assert entry(AT, "item.added", "relay/a", "relay/1/1", "event_1", b'{"kind":"message"}') == (
        b'"at":"2026-01-01T00:00:00.123456Z","fact":"item.added","conversation":"relay/a","stream":"relay/1/1",'
        b'"event_id":"event_1","body":{"kind":"message"}'
    )


def test_a_member_that_is_not_known_is_null() -> None:
    assert entry(None, "daemon.started", None, None, None, b"{}") == (
        b'"at":null,"fact":"daemon.started","conversation":null,"stream":null,"event_id":null,"body":{}'
    )


def test_names_are_escaped() -> None:
    assert b'"conversation":"a\\"b\\n\\u0001"' in entry(None, "x", 'a"b\n\x01', None, None, b"{}")


def test_a_name_that_is_no_text_is_written_with_question_marks() -> None:
    """The name of a file may hold bytes that are not UTF-8; Python shows them as lone surrogates."""
    assert b'"stream":"replay/a?b"' in entry(None, "x", None, "replay/a\udcffb", None, b"{}")


def test_body_must_be_on_one_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        entry(None, "x", None, None, None, b"{\n}")


@pytest.mark.parametrize("at", [AT, None, 0])
def test_time_of_an_entry_and_of_what_has_a_time(at: int | None) -> None:
    """Among entries stand others that have one, such as a checkpoint that has no record yet."""
    assert time_of(entry(at, "x", None, None, None, b"{}")) == at
    assert time_of(CheckpointMark(at)) == at


# The chain ------------------------------------------------------------------------------------------------


def test_first_record_is_chained_to_zeros() -> None:
    line, hashed = link(1, b'"at":null,"body":{}', GENESIS)

    expected = hashlib.sha256(bytes(32) + b'{"seq":1,"at":null,"body":{}').hexdigest()
    assert line == b'{"seq":1,"at":null,"body":{},"hash":"%b"}\n' % expected.encode()
    assert hashed.hex() == expected


def test_record_under_a_key() -> None:
    _, hashed = link(7, b'"at":null,"body":{}', b"p" * 32, b"key")

    assert hashed == hmac.new(b"key", b"p" * 32 + b'{"seq":7,"at":null,"body":{}', hashlib.sha256).digest()


def test_a_key_is_identified_and_not_revealed() -> None:
    assert (algorithm(None), key_id(None)) == ("sha256", None)
    assert (algorithm(b"key"), key_id(b"key")) == ("hmac-sha256", "fb478b72f9718acd")
    assert key_id(b"other") != key_id(b"key")


def test_the_hash_of_a_line_is_at_its_end() -> None:
    """Whatever the body holds."""
    line, hashed = link(1, entry(AT, "x", "c", "s", "e", b'{"hash":"no","x":{}}'), GENESIS)

    assert line[:-HASH_BYTES] == line[: line.rindex(b',"hash":')]
    assert line[-HASH_BYTES:] == b',"hash":"%b"}\n' % hashed.hex().encode()


LINE = link(3, entry(AT, "item.added", "a", None, "e", b'{"n":1}'), GENESIS)[0]


@pytest.mark.parametrize(
    "line",
    [
        LINE[:-1],
        LINE + b"\n",
        b" " + LINE,
        LINE.replace(b'{"seq":3,', b'{"seq":03,'),
        LINE.replace(b'{"seq":3,', b'{"seq":0,'),
        LINE.replace(b'{"seq":3,', b'{"seq":3.0,'),
        LINE.replace(b'{"seq":3,', b'{"seq":' + b"3" * 5000 + b","),
        LINE.replace(b'"at":"2026', b'"at": "2026'),
        LINE.replace(b"123456Z", b"123Z"),
        LINE.replace(b'"conversation":"a","stream":null', b'"stream":null,"conversation":"a"'),
        LINE.replace(b'"conversation":"a"', b'"conversation":"a\nb"'),
        LINE.replace(b'"conversation":"a"', b'"conversation":"\\a"'),
        LINE.replace(b'"event_id":"e",', b""),
        LINE.replace(b'{"n":1}', b"[]"),
        LINE.replace(b'"hash":"', b'"hash":"A'),
        b"{}\n",
        b"",
    ],
)
def test_what_does_not_follow_the_format_to_the_letter_is_no_record(line: bytes) -> None:
    assert RECORD.fullmatch(LINE)
    assert not RECORD.fullmatch(line)


@given(
    st.integers(1, 10**20 - 1),
    st.none() | MICROS,
    NAMES,
    NAMES,
    NAMES,
    st.dictionaries(st.text(), st.text()),
)
def test_any_entry_is_a_record_with_the_same_members(
    seq: int,
    at: int | None,
    conversation: str | None,
    stream: str | None,
    event_id: str | None,
    body: dict[str, str],
) -> None:
    line, hashed = link(
        seq, entry(at, "item.added", conversation, stream, event_id, json.dumps(body).encode()), GENESIS
    )

    assert RECORD.fullmatch(line)
    assert line.count(b"\n") == 1
    assert digest(GENESIS, line[:-HASH_BYTES]) == hashed
    assert list(json.loads(line).items()) == [
        ("seq", seq),
        ("at", None if at is None else timestamp(at)),
        ("fact", "item.added"),
        ("conversation", conversation),
        ("stream", stream),
        ("event_id", event_id),
        ("body", body),
        ("hash", hashed.hex()),
    ]


# Names of files -------------------------------------------------------------------------------------------


def test_segments_are_named_by_their_first_record() -> None:
    assert segment_name(1) == "audit-00000000000000000001.jsonl"
    assert segment_seq("audit-00000000000000000001.jsonl") == 1


@pytest.mark.parametrize(
    "name",
    ["audit-1.jsonl", "audit-00000000000000000001.jsonl.gz", ".lock", "audit.jsonl"],
)
def test_other_names_are_not_of_segments(name: str) -> None:
    assert segment_seq(name) is None


# Time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (AT, WHEN),
        (1_767_225_600_000_000, "2026-01-01T00:00:00.000000Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_799_999_999, LAST),
    ],
)
def test_times_are_written_with_six_digits(at: int, text: str) -> None:
    assert timestamp(at) == text
    assert parse_timestamp(text) == at


@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
def test_times_agree_with_datetime(moment: datetime) -> None:
    at = (moment - EPOCH) // timedelta(microseconds=1)

    assert timestamp(at) == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert parse_timestamp(timestamp(at)) == at


@given(
    st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 2 < moment.year < 9998),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_offsets_agree_with_datetime(moment: datetime, minutes: int) -> None:
    text = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()

    assert parse_timestamp(text) == (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500000Z"),
        ("2026-01-01T00:00:00.123456789Z", WHEN),
        ("2026-01-01T00:00:00.000000999Z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01t00:00:00z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01 00:00:00Z", "2026-01-01T00:00:00.000000Z"),
        ("2026-01-01T05:30:00+05:30", "2026-01-01T00:00:00.000000Z"),
        ("2025-12-31T23:00:00.25-01:00", "2026-01-01T00:00:00.250000Z"),
        ("2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00.000000Z"),
        ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000000Z"),
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str, same: str) -> None:
    assert timestamp(parse_timestamp(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00Z ",
        "2026-01-01T00:00:00Z\n",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0100",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "٢٠٢٦-01-01T00:00:00Z",
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a time"):
        parse_timestamp(text)


@given(st.text(max_size=40))
@example("2026-99-99T00:00:00Z")
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        at = parse_timestamp(text)
    except ValueError:
        return
    assert parse_timestamp(timestamp(at)) == at
