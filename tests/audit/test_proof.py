"""What holds is proved; whatever was changed is found, and named by segment, line and record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.audit.format import GENESIS, entry, link, segment_name
from steno.audit.report import Fault, Gap, Reason
from tests.audit.plays import AT, WHEN, ZEROS, fault, files, proved, said, write

FIRST = segment_name(1)


class Forger:
    """Writes segments as a writer would that can err: whatever it is told to."""

    def __init__(self, seq: int = 1, previous: bytes = GENESIS) -> None:
        self.seq = seq
        self.head = previous
        self.held: dict[str, bytes] = {}
        self._name = ""

    def begin(self, name: str | None = None, **changes: Any) -> "Forger":
        """Begin a segment with `log.opened`."""
        self._name = name or segment_name(self.seq)
        self.held[self._name] = b""
        body = {
            "schema": "steno.audit/1",
            "version": "1.2.3",
            "algorithm": "sha256",
            "key_id": None,
            "config_digest": "c0ffee",
            "content_policy": "none",
            "previous": self.head.hex(),
            "recovered_bytes": 0,
        }
        return self.tell("log.opened", **body | changes)

    def tell(self, fact: str, **body: Any) -> "Forger":
        """Add a record."""
        return self.add(entry(AT, fact, None, None, None, msgspec.json.encode(body)))

    def add(self, told: bytes) -> "Forger":
        """Add a record from an entry."""
        line, self.head = link(self.seq, told, self.head)
        self.held[self._name] += line
        self.seq += 1
        return self


# What holds -----------------------------------------------------------------------------------------------


def test_a_log_of_several_segments() -> None:
    log = Forger().begin().add(said(1)).tell("log.closed", reason="rotated").begin(recovered_bytes=9)
    log.add(said(2, at=AT + 1))

    report = proved(log.held)

    assert msgspec.to_builtins(report) == {
        "ok": True,
        "records": 5,
        "segments": 2,
        "first_seq": 1,
        "last_seq": 5,
        "first_at": WHEN,
        "last_at": "2026-01-01T00:00:00.123457Z",
        "previous": ZEROS,
        "head": log.head.hex(),
        "gaps": (),
        "gap_records": 0,
        "retired": None,
        "recovered_bytes": 9,
        "fault": None,
    }


def test_a_later_segment_alone_is_proved_relative_to_what_it_names() -> None:
    log = Forger().begin().add(said(1)).tell("log.closed", reason="rotated")
    before = log.head.hex()
    log.begin().add(said(2))

    report = proved({segment_name(4): log.held[segment_name(4)]}, whole=False)

    assert (report.ok, report.first_seq, report.last_seq, report.previous) == (True, 4, 5, before)
    assert report.head == log.head.hex()


def test_times_are_those_of_records_that_have_one() -> None:
    log = Forger().begin()
    nothing = entry(None, "x", None, None, None, b"{}")

    report = proved(Forger().begin().add(nothing).held)

    assert (report.first_at, report.last_at) == (WHEN, WHEN)
    assert proved(log.held).records == 1


def test_declared_gaps_are_collected() -> None:
    report = proved(Forger().begin().tell("log.gap", records=3).add(said(1)).held)

    assert report.ok
    assert report.gaps == (Gap(2, '{"records":3}'),)
    assert report.gap_records == 1


def test_gaps_are_all_counted_but_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steno.audit.proof.GAPS_KEPT", 1)

    report = proved(Forger().begin().tell("log.gap", n=1).tell("log.gap", n=2).held)

    assert report.gaps == (Gap(2, '{"n":1}'),)
    assert report.gap_records == 2


# What was retired -----------------------------------------------------------------------------------------

WENT = b"w" * 32


def retired(last_seq: int, last_hash: bytes) -> dict[str, bytes]:
    """Return a log that begins at record 10, and tells that records up to `last_seq` were retired."""
    log = Forger(10, WENT).begin().add(said(1))
    return log.tell("log.retired", last_seq=last_seq, last_hash=last_hash.hex()).held


def test_a_log_may_begin_where_it_tells_what_was_retired() -> None:
    report = proved(retired(9, WENT))

    assert (report.ok, report.first_seq, report.retired, report.previous) == (True, 10, 9, WENT.hex())


def test_what_is_to_be_retired_may_still_be_there() -> None:
    assert proved(retired(11, GENESIS)).ok


@pytest.mark.parametrize(
    "held",
    [retired(9, GENESIS), retired(8, WENT), Forger(10, WENT).begin().held],
    ids=["another hash", "less", "no word"],
)
def test_a_log_may_not_begin_elsewhere(held: dict[str, bytes]) -> None:
    assert fault(held) == Fault(segment_name(10), 1, 10, Reason.BEGINNING)


def test_a_retirement_that_tells_nothing_is_unreadable() -> None:
    assert fault(Forger(10, WENT).begin().tell("log.retired").held).reason == Reason.UNREADABLE


# What does not hold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "place"),
    [
        (Forger().begin(schema="steno.audit/2"), Fault(FIRST, 1, None, Reason.SCHEMA)),
        (Forger().begin(algorithm="md5"), Fault(FIRST, 1, None, Reason.ALGORITHM)),
        (Forger().begin(algorithm="hmac-sha256"), Fault(FIRST, 1, None, Reason.ALGORITHM)),
        (Forger().begin(previous="11" * 32), Fault(FIRST, 1, None, Reason.PREVIOUS)),
        (Forger().begin(previous="zz"), Fault(FIRST, 1, None, Reason.UNREADABLE)),
        (Forger().begin(previous=None), Fault(FIRST, 1, None, Reason.UNREADABLE)),
        (Forger().begin(name=segment_name(2)), Fault(segment_name(2), 1, None, Reason.MISNAMED)),
        (Forger(2).begin(previous="11" * 31), Fault(segment_name(2), 1, None, Reason.PREVIOUS)),
        (Forger(2, WENT).begin(previous=("ab" * 32).upper()), Fault(segment_name(2), 1, 2, Reason.PREVIOUS)),
        (Forger().begin().begin(previous="11" * 32), Fault(segment_name(2), 1, 2, Reason.PREVIOUS)),
        (Forger().begin().tell("log.opened", recovered_bytes=0), Fault(FIRST, 2, 2, Reason.UNREADABLE)),
        (Forger().begin().tell("log.closed").add(said(1)), Fault(FIRST, 3, 3, Reason.ENDED)),
        (
            Forger().begin().add(entry(AT, "x", None, None, None, b"{]}")),
            Fault(FIRST, 2, 2, Reason.UNREADABLE),
        ),
        (
            Forger().begin().add(entry(AT, "x", None, None, None, b'{"a":' + b"[" * 9999 + b"}")),
            Fault(FIRST, 2, 2, Reason.UNREADABLE),
        ),
    ],
)
def test_a_writer_that_errs_is_found_out(log: Forger, place: Fault) -> None:
    assert fault(log.held) == place


def test_log_opened_may_not_stand_within_a_segment() -> None:
    log = Forger().begin()
    opened = log.held[FIRST].removeprefix(b'{"seq":1,').rsplit(b',"hash"', 1)[0]

    assert fault(log.add(opened).held) == Fault(FIRST, 2, 2, Reason.REOPENED)


def test_a_segment_must_begin_with_log_opened() -> None:
    log = Forger()
    log.held[FIRST] = link(1, said(1), GENESIS)[0]

    assert fault(log.held) == Fault(FIRST, 1, None, Reason.UNOPENED)


def test_an_unkeyed_log_is_not_proved_with_a_key_nor_a_keyed_one_without(tmp_path: Path) -> None:
    write(tmp_path / "plain", [1])
    write(tmp_path / "keyed", [1], key=b"key")

    assert proved(files(tmp_path / "keyed"), key=b"key").ok
    assert fault(files(tmp_path / "keyed")).reason == Reason.ALGORITHM
    assert fault(files(tmp_path / "plain"), key=b"key").reason == Reason.ALGORITHM
    assert fault(files(tmp_path / "keyed"), key=b"other") == Fault(FIRST, 1, 1, Reason.HASH)


# What was changed -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a log of three segments, from two starts."""
    folder = tmp_path_factory.mktemp("log") / "audit"
    write(folder, range(4), segment_bytes=1000)
    write(folder, range(4, 6))
    held = files(folder)
    assert len(held) == 3
    assert proved(held).ok
    return held


Change = Callable[[bytes, int], bytes]

CHANGES: dict[str, Change] = {
    "another bit": lambda held, at: held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :],
    "another case": lambda held, at: held[:at] + bytes([held[at] ^ 32]) + held[at + 1 :],
    "newline": lambda held, at: held[:at] + (b"\n" if held[at] != 10 else b" ") + held[at + 1 :],
    "carriage return": lambda held, at: held[:at] + b"\r" + held[at + 1 :],
    "left out": lambda held, at: held[:at] + held[at + 1 :],
    "twice": lambda held, at: held[: at + 1] + held[at:],
    "space before": lambda held, at: held[:at] + b" " + held[at:],
    "cut off": lambda held, at: held[: at + 1],
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_byte_that_is_changed_is_found(log: dict[str, bytes], change: str) -> None:
    """Each byte of each segment, but for a cut behind a record of the newest, which no log can tell."""
    newest = list(log)[-1]
    for name, held in log.items():
        for at in range(len(held)):
            changed = CHANGES[change](held, at)
            if change == "cut off" and ((name == newest and changed.endswith(b"\n")) or changed == held):
                continue
            assert changed != held
            assert not proved(log | {name: changed}).ok, (name, at)


def test_a_change_is_named_by_segment_line_and_record(log: dict[str, bytes]) -> None:
    second = list(log)[1]
    changed = log[second].replace(b"item_3", b"item_4", 1)

    place = fault(log | {second: changed})

    assert place == Fault(second, 2, 7, Reason.HASH)
    assert proved(log | {second: changed}).last_seq == 6


def lines(held: bytes) -> list[bytes]:
    return held.splitlines(keepends=True)


@pytest.mark.parametrize("number", range(5))
def test_a_line_that_was_dropped_is_found(log: dict[str, bytes], number: int) -> None:
    name = next(iter(log))
    kept = [line for at, line in enumerate(lines(log[name])) if at != number]

    assert fault(log | {name: b"".join(kept)}).reason in {Reason.UNOPENED, Reason.NUMBER, Reason.MISSING}


def test_lines_that_were_swapped_are_found(log: dict[str, bytes]) -> None:
    name = next(iter(log))
    first, second, third, *rest = lines(log[name])

    assert fault(log | {name: b"".join([first, third, second, *rest])}) == Fault(name, 2, 2, Reason.NUMBER)


def test_a_line_that_was_told_twice_is_found(log: dict[str, bytes]) -> None:
    name = next(iter(log))
    first, second, *rest = lines(log[name])

    assert fault(log | {name: b"".join([first, second, second, *rest])}) == Fault(name, 3, 3, Reason.NUMBER)


def test_a_segment_that_was_dropped_is_found(log: dict[str, bytes]) -> None:
    first, second, third = log

    assert fault({second: log[second], third: log[third]}) == Fault(second, 1, 6, Reason.BEGINNING)
    assert fault({first: log[first], third: log[third]}) == Fault(third, 1, 6, Reason.MISSING)
    assert proved(
        {first: log[first], second: log[second]},
    ).ok  # the tail: only a head kept elsewhere can tell


def test_a_segment_that_was_renamed_is_found(log: dict[str, bytes]) -> None:
    first, second, third = log
    moved = segment_name(99)

    assert fault({first: log[first], second: log[second], moved: log[third]}).reason == Reason.MISNAMED


def test_segments_that_changed_places_are_found(log: dict[str, bytes]) -> None:
    first, second, third = log

    assert fault({first: log[first], second: log[third], third: log[second]}) == Fault(
        second,
        1,
        6,
        Reason.MISNAMED,
    )
    assert fault({first: log[first], third: log[third], second: log[second]}).reason == Reason.MISSING
    assert fault({second: log[second], first: log[first]}, whole=False) == Fault(first, 1, 9, Reason.NUMBER)


def test_an_empty_segment_is_no_part_of_a_log(log: dict[str, bytes]) -> None:
    first, second, third = log

    assert fault({first: log[first], second: b"", third: log[third]}) == Fault(second, 0, 6, Reason.EMPTY)
    assert fault(log | {third: b""}).reason == Reason.UNBEGUN


def test_a_torn_line_is_only_told_from_a_broken_one_at_the_end(log: dict[str, bytes]) -> None:
    first, _, third = log

    assert fault(log | {third: log[third][:-5]}).reason == Reason.TORN
    assert fault(log | {first: log[first][:-5]}).reason == Reason.UNREADABLE


NAMES = st.none() | st.text(max_size=10)
ENTRIES = st.builds(
    entry,
    st.none() | st.integers(0, 2**50),
    st.just("a.b"),
    NAMES,
    NAMES,
    NAMES,
    st.just(b"{}"),
)


@settings(deadline=None)
@given(st.lists(st.lists(ENTRIES, max_size=5), min_size=1, max_size=4))
def test_any_entries_in_any_segments_verify(segments: list[list[bytes]]) -> None:
    log = Forger()
    for entries in segments:
        log.begin()
        for told in entries:
            log.add(told)

    report = proved(log.held)

    assert report.ok
    assert (report.records, report.segments) == (log.seq - 1, len(segments))
    assert report.head == log.head.hex()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_finding_and_no_error(held: bytes) -> None:
    assert not proved({FIRST: held}).ok
