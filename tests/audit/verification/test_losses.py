"""Records of streams and of missed events are counted while a log is verified."""

from steno.audit.record import segment_name
from steno.audit.verification.losses import Losses
from steno.audit.verification.report import Fault, Reason
from steno.audit.verification.verifier import Verifier
from tests.audit.tampered_log import TamperedLog, lines

FIRST = segment_name(1)


def test_streams_that_broke_off_and_events_that_were_missed_are_counted() -> None:
    """A stream without a gap is complete."""
    losses = Losses()
    verifier = Verifier(complete=True, observers=losses.observers)
    log = TamperedLog().begin().record("stream.closed", gap=None).record("stream.closed", gap="broken_off")
    log.record("events.missed", missing=3).record("stream.closed", gap="blocked")

    verifier.verify_segment(FIRST, lines(log.held[FIRST]), newest=True)
    report = losses.added_to(verifier.report())

    assert (report.ok, report.records, report.broken_streams, report.missed) == (True, 5, 2, 1)


def test_a_record_that_does_not_hold_is_not_counted() -> None:
    losses = Losses()
    verifier = Verifier(complete=True, observers=losses.observers)
    log = TamperedLog().begin().record("events.missed", missing=3).record("events.missed", missing=4)

    verifier.verify_segment(FIRST, lines(log.held[FIRST].replace(b"4}", b"5}")), newest=True)
    report = losses.added_to(verifier.report())

    assert (report.fault, report.missed) == (Fault(FIRST, 3, 3, Reason.HASH), 1)
