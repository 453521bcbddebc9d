"""Any change of a written log is found; where a chain alone does not show it, a key or a known head does."""

import io
from collections.abc import Callable, Iterator
from itertools import combinations

import pytest

from steno.audit.record import HASH_BYTES, key_id, segment_name
from steno.audit.verification.report import Reason, Report
from steno.audit.verification.trust import Keys, KnownHead, Trust
from steno.audit.verification.verifier import Verifier
from tests.audit.helpers import said
from tests.audit.tampered_log import Segments, TamperedLog, lines

KEY = b"the key of the log"
OTHER_KEY = b"another key"


def written(key: bytes | None = None, content: int = 0) -> TamperedLog:
    """Write a log of three segments and 12 records; another `content` makes it another log."""
    log = TamperedLog(key=key).begin().add(said(content)).add(said(2)).checkpoint().end()
    log.begin().add(said(3)).record("log.gap", reason="shed", facts=2).end()
    return log.begin().add(said(4)).add(said(5))


@pytest.fixture(scope="module", params=[None, KEY], ids=["plain", "keyed"])
def key(request: pytest.FixtureRequest) -> bytes | None:
    """Return the key that the log is hashed under."""
    key: bytes | None = request.param
    return key


@pytest.fixture(scope="module")
def log(key: bytes | None) -> Segments:
    """Return a log that holds."""
    held = written(key).held
    report = proved(held, key)
    assert (report.ok, report.records, report.segments, report.checkpoints) == (True, 12, 3, 1)
    return held


def proved(held: Segments, key: bytes | None, *heads: KnownHead, keyed_from: int = 1) -> Report:
    """Verify a whole log, read in the order of its names."""
    keys = Keys([key]) if key else Keys()
    verifier = Verifier(complete=True, trust=Trust(keys=keys, keyed_from=keyed_from, heads=heads))
    names = sorted(held)
    for name in names:
        if not verifier.verify_segment(name, io.BytesIO(held[name]), newest=name == names[-1]):
            break
    return verifier.report()


def reason(report: Report) -> Reason:
    """Return why a log does not hold."""
    assert report.fault is not None
    assert not report.ok
    return report.fault.reason


def head(held: Segments) -> KnownHead:
    """Return the head of a log, as it is kept elsewhere."""
    last = lines(held[max(held)])[-1]
    return KnownHead(sum(len(lines(each)) for each in held.values()), bytes.fromhex(last[-HASH_BYTES:][9:73].decode()))


# Bytes ----------------------------------------------------------------------------------------------------

Change = Callable[[bytes, int], bytes]

CHANGES: dict[str, Change] = {
    "another bit": lambda held, at: held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :],
    "another case": lambda held, at: held[:at] + bytes([held[at] ^ 32]) + held[at + 1 :],
    "every bit": lambda held, at: held[:at] + bytes([held[at] ^ 255]) + held[at + 1 :],
    "newline": lambda held, at: held[:at] + (b"\n" if held[at] != 10 else b" ") + held[at + 1 :],
    "carriage return": lambda held, at: held[:at] + b"\r" + held[at + 1 :],
    "left out": lambda held, at: held[:at] + held[at + 1 :],
    "twice": lambda held, at: held[: at + 1] + held[at:],
    "space before": lambda held, at: held[:at] + b" " + held[at:],
    "cut off": lambda held, at: held[: at + 1],
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_byte_that_is_changed_is_found(log: Segments, key: bytes | None, change: str) -> None:
    """Each byte of each segment. A cut behind a record of the newest is a case below."""
    newest = max(log)
    for name, held in log.items():
        for at in range(len(held)):
            changed = CHANGES[change](held, at)
            if change == "cut off" and ((name == newest and changed.endswith(b"\n")) or changed == held):
                continue
            assert changed != held
            assert not proved(log | {name: changed}, key).ok, (name, at)


# Lines ----------------------------------------------------------------------------------------------------


def places(log: Segments) -> Iterator[tuple[str, int]]:
    """Yield the segment and the index of each line."""
    for name, held in log.items():
        for at in range(len(lines(held))):
            yield name, at


def put(log: Segments, name: str, at: int, line: bytes) -> Segments:
    """Return the log with one line more."""
    held = lines(log[name])
    return log | {name: b"".join([*held[:at], line, *held[at:]])}


def without(log: Segments, name: str, at: int) -> tuple[Segments, bytes]:
    """Return the log with one line less, and that line."""
    held = lines(log[name])
    return log | {name: b"".join([*held[:at], *held[at + 1 :]])}, held[at]


def test_every_line_that_is_removed_is_found(log: Segments, key: bytes | None) -> None:
    """But for the last one of all: that is a tail that is cut off."""
    *most, _ = places(log)

    assert [place for place in most if proved(without(log, *place)[0], key).ok] == []


def test_every_line_that_stands_twice_is_found(log: Segments, key: bytes | None) -> None:
    for name, at in places(log):
        line = lines(log[name])[at]

        assert reason(proved(put(log, name, at, line), key)) in {Reason.NUMBER, Reason.REOPENED}


def test_every_line_that_is_moved_is_found(log: Segments, key: bytes | None) -> None:
    """Within its segment or into another one."""
    for place in places(log):
        rest, line = without(log, *place)
        for name, held in rest.items():
            for at in range(len(lines(held)) + 1):
                moved = put(rest, name, at, line)

                assert moved == log or not proved(moved, key).ok, (place, name, at)


def test_a_line_from_another_log_of_the_same_shape_is_found(log: Segments, key: bytes | None) -> None:
    other = written(key, content=9).held
    for name, at in places(log):
        line = lines(other[name])[at]
        mixed = put(without(log, name, at)[0], name, at, line)

        assert mixed == log or not proved(mixed, key).ok, (name, at)


# Segments -------------------------------------------------------------------------------------------------


def test_every_segment_that_is_removed_is_found(log: Segments, key: bytes | None) -> None:
    """But for the newest: that is a tail that is cut off."""
    first, second, third = log

    assert reason(proved({second: log[second], third: log[third]}, key)) == Reason.BEGINNING
    assert reason(proved({first: log[first], third: log[third]}, key)) == Reason.MISSING


def test_every_segment_that_is_renamed_is_found(log: Segments, key: bytes | None) -> None:
    for name in log:
        for seq in range(1, 15):
            if segment_name(seq) in log:
                continue
            renamed = {segment_name(seq) if each == name else each: held for each, held in log.items()}

            assert not proved(renamed, key).ok, (name, seq)


def test_all_segments_that_changed_places_are_found(log: Segments, key: bytes | None) -> None:
    for one, other in combinations(log, 2):
        assert reason(proved(log | {one: log[other], other: log[one]}, key)) == Reason.MISNAMED


def test_every_segment_that_is_emptied_is_found(log: Segments, key: bytes | None) -> None:
    first, second, third = log

    assert reason(proved(log | {first: b""}, key)) == Reason.EMPTY
    assert reason(proved(log | {second: b""}, key)) == Reason.EMPTY
    assert reason(proved(log | {third: b""}, key)) == Reason.UNBEGUN


def test_a_segment_that_is_there_twice_is_found(log: Segments, key: bytes | None) -> None:
    for held in log.values():
        assert reason(proved(log | {segment_name(13): held}, key)) == Reason.MISNAMED


# The tail -------------------------------------------------------------------------------------------------


def cut(log: Segments, last: int) -> Segments:
    """Return the log up to record `last`, as if it had never gone on."""
    kept: Segments = {}
    for number, (name, at) in enumerate(places(log), start=1):
        if number <= last:
            kept[name] = kept.get(name, b"") + lines(log[name])[at]
    return kept


@pytest.mark.parametrize("last", range(1, 12))
def test_a_tail_that_is_cut_off_is_found_by_a_known_head_alone(log: Segments, key: bytes | None, last: int) -> None:
    """By its chain, a log that was cut between two records is the same as one that ended there, keyed or not."""
    assert proved(cut(log, last), key).last_seq == last
    assert proved(cut(log, last), key).ok
    assert proved(cut(log, last), key, head(cut(log, last))).ok

    assert reason(proved(cut(log, last), key, head(log))) == Reason.CUT


def test_a_tail_that_is_cut_off_within_a_record_is_torn(log: Segments, key: bytes | None) -> None:
    first, _, third = log

    assert reason(proved(log | {third: log[third][:-5]}, key)) == Reason.TORN
    assert reason(proved(log | {first: log[first][:-5]}, key)) == Reason.UNREADABLE


# Written anew ---------------------------------------------------------------------------------------------


def test_a_log_written_anew_is_found_by_any_known_head() -> None:
    """Its hashes are right, so its chain holds."""
    log, anew = written().held, written(content=9).held

    assert proved(anew, None).ok
    for last in range(2, 13):  # they differ from record 2 on
        assert reason(proved(anew, None, head(cut(log, last)))) == Reason.HEAD


def test_a_log_written_anew_behind_a_known_head_is_not_found_by_it() -> None:
    log, anew = TamperedLog().begin().add(said(1)), TamperedLog().begin().add(said(1))
    kept = head(log.held)
    log.add(said(2))
    anew.add(said(9))

    assert proved(anew.held, None, kept).ok
    assert reason(proved(anew.held, None, kept, head(log.held))) == Reason.HEAD


@pytest.mark.parametrize(
    ("anew", "expected"),
    [
        (written(content=9), Reason.UNKEYED),
        (written(OTHER_KEY, content=9), Reason.KEY),
    ],
    ids=["without a key", "under another key"],
)
def test_a_log_written_anew_without_the_key_is_found(anew: TamperedLog, expected: Reason) -> None:
    assert reason(proved(anew.held, KEY)) == expected


def test_a_log_written_anew_with_the_id_of_the_key_alone_is_found() -> None:
    anew = TamperedLog(key=OTHER_KEY).begin(key_id=key_id(KEY)).add(said(1))

    assert reason(proved(anew.held, KEY)) == Reason.HASH


def test_a_log_written_anew_with_the_key_is_found_by_a_known_head_alone() -> None:
    anew = written(KEY, content=9).held

    assert proved(anew, KEY).ok
    assert reason(proved(anew, KEY, head(written(KEY).held))) == Reason.HEAD


def test_a_keyed_log_that_goes_on_without_its_key_is_found() -> None:
    log = written(KEY)
    log.key = None

    assert reason(proved(log.begin().add(said(9)).held, KEY)) == Reason.KEYLESS


def joined(content: int) -> TamperedLog:
    """Write a log that has a key from record 4 on."""
    log = TamperedLog().begin().add(said(content)).end()
    log.key = KEY
    return log.begin().add(said(2))


def test_records_before_the_first_key_are_verified_by_those_under_it() -> None:
    log, anew, first = joined(1).held, joined(9).held, segment_name(1)

    assert proved(log, KEY, keyed_from=4).ok
    assert reason(proved(log | {first: anew[first]}, KEY, keyed_from=4)) == Reason.PREVIOUS


def test_a_log_without_its_keyed_records_is_cut() -> None:
    log, first = joined(1).held, segment_name(1)

    assert reason(proved({first: log[first]}, KEY, keyed_from=4)) == Reason.UNREACHED
