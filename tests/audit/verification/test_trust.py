"""Keys and heads that were kept: what each proves, and what is said of one that cannot be used."""

import pytest

from steno.audit.record import GENESIS, key_id, segment_name
from steno.audit.verification.report import Fault, Reason, Report
from steno.audit.verification.trust import Keys, KnownHead, Trust, parse_head
from steno.audit.verification.verifier import Verifier
from tests.audit.helpers import said
from tests.audit.tampered_log import Segments, TamperedLog, lines

FIRST = segment_name(1)
OTHER_HASH = b"w" * 32
OLD, NEW = b"old", b"new"


def verified(
    held: Segments, *, complete: bool = True, keyed_from: int = 1, keys: Keys, heads: tuple[KnownHead, ...]
) -> Report:
    """Verify segments that are given as bytes."""
    verifier = Verifier(complete=complete, trust=Trust(keys=keys, keyed_from=keyed_from, heads=heads))
    for name, content in held.items():
        if not verifier.verify_segment(name, lines(content), newest=name == list(held)[-1]):
            break
    return verifier.report()


def keyed(held: Segments, *secrets: bytes, keyed_from: int = 1) -> Report:
    return verified(held, keys=Keys(secrets), keyed_from=keyed_from, heads=())


def kept(held: Segments, *heads: KnownHead, complete: bool = True) -> Report:
    return verified(held, complete=complete, keys=Keys(), heads=heads)


# Heads ----------------------------------------------------------------------------------------------------


def test_a_head_is_a_number_and_a_hash() -> None:
    assert parse_head("12:" + "0a" * 32) == parse_head("12:" + "0A" * 32) == KnownHead(12, b"\n" * 32)


@pytest.mark.parametrize(
    "text", ["", "12", "0:" + "0a" * 32, "01:" + "0a" * 32, "1:" + "0a" * 31, "1:" + "0g" * 32, "1:" + "0a" * 32 + "\n"]
)
def test_a_text_of_another_form_is_no_head(text: str) -> None:
    with pytest.raises(ValueError, match="a head is SEQ:HASH"):
        parse_head(text)


def test_all_known_heads_are_looked_for() -> None:
    log = TamperedLog().begin().add(said(1))
    two = KnownHead(2, log.head)
    four = KnownHead(4, log.add(said(2)).add(said(3)).head)

    report = kept(log.held, four, two, two)

    assert (report.ok, report.heads, report.heads_unchecked) == (True, (2, 4), ())


def test_a_record_that_differs_from_its_known_head_is_the_fault() -> None:
    log = TamperedLog().begin().add(said(1))
    right = KnownHead(2, log.head)

    report = kept(log.add(said(2)).held, right, KnownHead(2, OTHER_HASH))

    assert report.fault == Fault(FIRST, 2, 2, Reason.HEAD, "record 2")
    assert (report.last_seq, report.heads) == (1, (2,))


def test_a_log_that_ends_before_a_known_head_is_cut() -> None:
    log = TamperedLog().begin().add(said(1))

    report = kept(log.held, KnownHead(2, log.head), KnownHead(7, OTHER_HASH), KnownHead(9, OTHER_HASH))

    assert report.fault == Fault(FIRST, 3, 3, Reason.CUT, "record 7")
    assert (report.heads, report.heads_unchecked) == ((2,), (7, 9))


def retired(last_seq: int, last_hash: bytes) -> Segments:
    """Return a log that declares its records up to `last_seq` as retired."""
    log = TamperedLog(last_seq + 1, last_hash).begin()
    return log.record("log.retired", last_seq=last_seq, last_hash=last_hash.hex(), segments=[FIRST]).held


def test_the_head_of_the_last_retired_record_is_the_hash_before_the_first() -> None:
    assert kept(retired(9, OTHER_HASH), KnownHead(9, OTHER_HASH)).heads == (9,)
    assert kept(retired(9, OTHER_HASH), KnownHead(9, GENESIS)).fault == Fault(
        segment_name(10), 1, 10, Reason.HEAD, "record 9"
    )


def test_an_older_head_cannot_be_checked_and_that_is_no_success() -> None:
    report = kept(retired(9, OTHER_HASH), KnownHead(8, OTHER_HASH), KnownHead(9, OTHER_HASH))

    assert (report.ok, report.fault, report.heads, report.heads_unchecked) == (False, None, (9,), (8,))


def test_heads_outside_of_single_segments_cannot_be_checked() -> None:
    log = TamperedLog(5, OTHER_HASH).begin()

    report = kept(log.held, KnownHead(3, OTHER_HASH), KnownHead(5, log.head), KnownHead(6, OTHER_HASH), complete=False)

    assert (report.ok, report.fault, report.heads, report.heads_unchecked) == (False, None, (5,), (3, 6))


# Keys -----------------------------------------------------------------------------------------------------


def changing() -> TamperedLog:
    """Write a log without a key, then under one, then under another."""
    log = TamperedLog().begin().add(said(1))
    log.key = OLD
    log.begin().add(said(2))
    log.key = NEW
    return log.begin().add(said(3))


def test_each_segment_is_verified_under_its_own_key() -> None:
    report = keyed(changing().held, OLD, NEW, keyed_from=3)

    assert (report.ok, report.keyed_from, report.key_ids) == (True, 3, (key_id(OLD), key_id(NEW)))


def test_a_key_may_come_into_use_earlier_than_it_must() -> None:
    assert keyed(changing().held, OLD, NEW, keyed_from=6).ok


@pytest.mark.parametrize(
    ("secrets", "keyed_from", "fault"),
    [
        ([], 1, Fault(segment_name(3), 1, 3, Reason.KEYED, f"key id {key_id(OLD)}")),
        ([NEW], 3, Fault(segment_name(3), 1, 3, Reason.KEY, f"key id {key_id(OLD)}")),
        ([OLD], 3, Fault(segment_name(5), 1, 5, Reason.KEY, f"key id {key_id(NEW)}")),
        ([OLD, NEW], 1, Fault(FIRST, 1, 1, Reason.UNKEYED)),
        ([OLD, NEW], 2, Fault(FIRST, 2, 2, Reason.UNKEYED)),
    ],
    ids=[
        "no key",
        "the first is missing",
        "the second is missing",
        "keyed from the first record",
        "keyed from a record too early",
    ],
)
def test_a_missing_key_is_named_by_its_id(secrets: list[bytes], keyed_from: int, fault: Fault) -> None:
    assert keyed(changing().held, *secrets, keyed_from=keyed_from).fault == fault


def test_a_key_whose_segment_does_not_hold_is_not_reported_as_used() -> None:
    log = TamperedLog(key=OLD).begin().add(said(1))
    log.key = b"forged"
    log.begin(key_id=key_id(NEW))

    report = keyed(log.held, OLD, NEW)

    assert report.fault == Fault(segment_name(3), 1, 3, Reason.HASH)
    assert (report.keyed_from, report.key_ids) == (1, (key_id(OLD),))


def test_a_log_that_ends_before_its_first_keyed_record_is_cut() -> None:
    log = TamperedLog().begin().add(said(1))

    assert keyed(log.held, OLD, keyed_from=3).fault == Fault(FIRST, 3, 3, Reason.UNREACHED, "record 3")


def test_an_id_of_a_key_that_has_another_form_is_not_repeated() -> None:
    log = TamperedLog(key=OLD).begin(key_id="\x1b[2J")

    assert keyed(log.held, OLD).fault == Fault(FIRST, 1, 1, Reason.KEY)


# Keys that were replaced ----------------------------------------------------------------------------------


def stretches(*secrets: bytes, first: int = 1) -> TamperedLog:
    """Write a log of a segment of two records under each of the keys; one that does not begin at record 1 says why."""
    log = TamperedLog(first, GENESIS if first == 1 else OTHER_HASH)
    for secret in secrets:
        log.key = secret
        log.begin().add(said(1))
    if first > 1:
        log.record("log.retired", last_seq=first - 1, last_hash=OTHER_HASH.hex(), segments=[FIRST])
    return log


def ranged(held: Segments, *ranges: tuple[bytes, int]) -> Report:
    """Verify a log with a range for each key."""
    trust = Trust(
        keys=Keys(secret for secret, _ in ranges), keyed_from=ranges[0][1], key_ranges=tuple(seq for _, seq in ranges)
    )
    verifier = Verifier(complete=True, trust=trust)
    for name, content in held.items():
        if not verifier.verify_segment(name, lines(content), newest=name == list(held)[-1]):
            break
    return verifier.report()


def test_a_key_that_was_replaced_is_not_accepted_again() -> None:
    """Whoever stole it can hash under it, but no longer what comes later."""
    report = keyed(stretches(OLD, NEW, OLD).held, OLD, NEW)

    assert report.fault == Fault(segment_name(5), 1, 5, Reason.REPLACED, f"key id {key_id(OLD)}")
    assert (report.key_ids, report.key_seqs, report.last_seq) == ((key_id(OLD), key_id(NEW)), (1, 3), 4)


def test_an_older_key_that_the_log_never_had_is_not_accepted_behind_it() -> None:
    """Its owner could write on under it otherwise: keys are given in the order of their use."""
    report = keyed(stretches(OLD, NEW, b"oldest").held, b"oldest", OLD, NEW)

    assert report.fault == Fault(segment_name(5), 1, 5, Reason.REPLACED, f"key id {key_id(b'oldest')}")


def test_a_log_that_was_cut_back_to_a_key_that_was_replaced_lacks_the_later_one() -> None:
    log = stretches(OLD, OLD)

    report = keyed(log.held, OLD, NEW)
    assert report.fault == Fault(segment_name(3), 3, 5, Reason.UNUSED, f"key id {key_id(NEW)}")


@pytest.mark.parametrize(
    ("used", "given", "reason"),
    [
        ([NEW], [OLD, NEW], None),
        ([OLD, NEW], [OLD, NEW], None),
        ([NEW], [NEW, OLD], Reason.UNUSED),
        ([OLD], [OLD, NEW], Reason.UNUSED),
        ([NEW, OLD], [OLD, NEW], Reason.REPLACED),
        ([OLD, NEW], [OLD, b"between", NEW], Reason.UNUSED),
    ],
)
def test_where_the_beginning_is_retired_the_order_of_the_keys_is_that_of_their_use(
    used: list[bytes], given: list[bytes], reason: Reason | None
) -> None:
    """The first of them may have gone with the records that were hashed under it."""
    fault = keyed(stretches(*used, first=9).held, *given).fault

    assert (fault.reason if fault else None) == reason


def test_single_segments_need_not_use_all_keys_and_use_them_in_order() -> None:
    held = stretches(OLD, NEW, NEW).held
    alone = dict(list(held.items())[1:2])

    assert verified(alone, complete=False, keys=Keys([OLD, NEW]), heads=()).ok
    assert verified(alone, complete=False, keys=Keys([NEW, OLD]), heads=()).ok
    back = dict(list(stretches(OLD, NEW, OLD).held.items())[1:])
    report = verified(back, complete=False, keys=Keys([OLD, NEW]), heads=())
    assert report.fault == Fault(segment_name(5), 1, 5, Reason.REPLACED, f"key id {key_id(OLD)}")


@pytest.mark.parametrize(
    ("used", "ranges", "fault"),
    [
        ([OLD, NEW], [(OLD, 1), (NEW, 3)], None),
        ([OLD, NEW, OLD], [(OLD, 1), (NEW, 3), (OLD, 5)], None),  # one that was taken back into use
        ([OLD, NEW, NEW], [(OLD, 1), (NEW, 5)], None),  # a later key may come earlier
        ([None, OLD, NEW], [(OLD, 3), (NEW, 5)], None),
        ([OLD, OLD], [(OLD, 1), (NEW, 3)], Fault(segment_name(3), 1, 3, Reason.REPLACED, f"key id {key_id(OLD)}")),
        ([OLD], [(OLD, 1), (NEW, 3)], Fault(FIRST, 3, 3, Reason.UNREACHED, "record 3")),
        ([OLD, NEW, OLD], [(OLD, 1), (NEW, 3)], Fault(segment_name(5), 1, 5, Reason.REPLACED, f"key id {key_id(OLD)}")),
        ([None, OLD], [(OLD, 1), (NEW, 3)], Fault(FIRST, 1, 1, Reason.UNKEYED)),
    ],
)
def test_a_key_with_a_range_holds_for_that_alone(
    used: list[bytes], ranges: list[tuple[bytes, int]], fault: Fault | None
) -> None:
    assert ranged(stretches(*used).held, *ranges).fault == fault


# Which log ------------------------------------------------------------------------------------------------


def identified(held: Segments, log_id: str | None, *, complete: bool = True) -> Report:
    verifier = Verifier(complete=complete, trust=Trust(log_id=log_id))
    for name, content in held.items():
        if not verifier.verify_segment(name, lines(content), newest=name == list(held)[-1]):
            break
    return verifier.report()


def test_a_log_is_named_by_the_hash_of_its_first_record() -> None:
    """One of the first edition says no more."""
    log = TamperedLog().begin()
    log_id = log.head.hex()
    held = log.add(said(1)).begin().held

    assert identified(held, log_id).ok
    assert identified(held, None).log_id == log_id
    report = identified(held, "77" * 32)
    assert report.fault == Fault(FIRST, 1, 1, Reason.OTHER, f"log {log_id}")


def test_what_later_segments_repeat_must_be_that_hash() -> None:
    log = TamperedLog().begin()
    log_id = log.head.hex()
    log.begin(log_id=log_id).begin(log_id="77" * 32)

    assert identified(log.held, None).fault == Fault(segment_name(3), 1, 3, Reason.IDENTITY)
    assert identified(TamperedLog().begin(log_id=log_id).held, None).fault == Fault(FIRST, 1, 1, Reason.IDENTITY)
    assert identified(TamperedLog().begin(log_id="\x1b[2J").held, None).fault == Fault(FIRST, 1, 1, Reason.IDENTITY)


def test_a_log_whose_first_record_was_retired_is_named_by_what_it_repeats() -> None:
    log = TamperedLog(9, OTHER_HASH).begin(log_id="0a" * 32)
    log.record("log.retired", last_seq=8, last_hash=OTHER_HASH.hex(), segments=[FIRST])

    assert identified(log.held, "0a" * 32).ok
    assert identified(log.held, "77" * 32).fault == Fault(segment_name(9), 1, 9, Reason.OTHER, f"log {'0a' * 32}")
    assert identified(log.held, "0a" * 32, complete=False).log_id == "0a" * 32


def test_a_log_that_does_not_say_which_one_it_is_cannot_be_checked() -> None:
    held = retired(9, OTHER_HASH)

    report = identified(held, "0a" * 32)
    assert (report.ok, report.fault, report.log_id, report.log_unchecked) == (False, None, None, True)
    assert identified(held, None).ok


def test_keys_are_not_shown() -> None:
    trust = Trust(keys=Keys([b"sesame"]))

    assert "sesame" not in repr(trust) + str(vars(Verifier(complete=True, trust=trust)))
