"""What is due, and when the next thing will be: times in, decisions out."""

from steno.audit.writing.maintenance import Maintenance

SEGMENT, CHECKPOINT, RECORDS = 100.0, 10.0, 3


def begun(now: float = 0.0) -> Maintenance:
    """Return the maintenance of a log whose segments were just looked at by retention."""
    maintenance = Maintenance(
        segment_seconds=SEGMENT, checkpoint_seconds=CHECKPOINT, checkpoint_records=RECORDS, now=now
    )
    maintenance.retention_due = False
    return maintenance


def test_retention_is_due_at_the_start() -> None:
    """Segments grew older while nothing ran."""
    maintenance = Maintenance(segment_seconds=1.0, checkpoint_seconds=1.0, checkpoint_records=1, now=5.0)

    assert (maintenance.retention_due, maintenance.next_at()) == (True, 0.0)


def test_a_checkpoint_is_due_after_its_time() -> None:
    maintenance = begun(now=5.0)

    assert maintenance.next_at() == 15.0
    assert [maintenance.checkpoint_due(now) for now in (14.9, 15.0)] == [False, True]
    maintenance.checkpoint_added(15.0)
    assert (maintenance.checkpoint_due(15.0), maintenance.next_at()) == (False, 25.0)


def test_a_checkpoint_is_due_after_so_many_records() -> None:
    maintenance = begun()

    assert [maintenance.records_added(1) for _ in range(RECORDS)] == [False, False, True]
    maintenance.checkpoint_added(1.0)
    assert [maintenance.records_added(2), maintenance.records_left] == [False, RECORDS - 2]
    assert maintenance.records_added(RECORDS - 2)


def test_a_rollover_is_due_at_the_age_of_the_segment() -> None:
    maintenance = begun()
    maintenance.checkpoint_added(95.0)

    assert maintenance.next_at() == 100.0
    assert [maintenance.rollover_due(now) for now in (99.9, 100.0)] == [False, True]
    maintenance.segment_begun(100.0)
    maintenance.retention_due = False
    assert (maintenance.rollover_due(100.0), maintenance.next_at()) == (False, 105.0)


def test_retention_is_due_when_a_segment_begins_and_after_a_checkpoint() -> None:
    """The log has grown, or is older."""
    grown, older = begun(), begun()
    grown.segment_begun(1.0)
    older.checkpoint_flushed()

    assert (grown.retention_due, older.retention_due) == (True, True)
