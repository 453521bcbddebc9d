"""What a log knows of senders after its last writer has ended: from the newest segments, within bounds."""

from pathlib import Path
from typing import Any

import pytest

from steno.audit.log_records import Cursor, cursor
from steno.audit.record import entry
from steno.audit.writing.cursor_recovery import RecoveredWindow, recover_windows
from steno.regular_files import open_regular
from tests.audit.helpers import AT, opened

Entry = bytes


def at_cursor(name: str, stream: str, frame: int, records: int = 0, former: int = 0, of: int | None = None) -> Entry:
    body = Cursor(name, stream, frame, records, former)
    return cursor(AT, body if of is None else Cursor(name, stream, frame, records, former, of))


def fact(stream: str, number: int, kind: str = "item.added", conversation: str | None = "app/call") -> Entry:
    return entry(AT, kind, conversation, stream, f"event_{number}", b"{}")


def write(folder: Path, *entries: Entry) -> None:
    """Write one segment, as a process does that is killed in the end."""
    with opened(folder) as log:
        for each in entries:
            log.append(each)


def window(
    name: str, stream: str, frame: int, *records: tuple[str, str | None, str | None], former: int = 0
) -> RecoveredWindow:
    """Return what is recovered; `former` of the records are of a process before the last one."""
    parts = tuple(part for part in (records[:former], records[former:]) if part)
    return RecoveredWindow("app", name, stream, AT, frame, parts)


def added(number: int, conversation: str = "app/call") -> tuple[str, str | None, str | None]:
    return ("item.added", conversation, f"event_{number}")


def test_a_log_without_cursors_knows_nobody(tmp_path: Path) -> None:
    write(tmp_path, fact("app/1/1", 1))

    assert recover_windows(tmp_path) == []


def test_what_stands_behind_the_last_cursor_is_of_messages_that_were_not_finished(tmp_path: Path) -> None:
    """Of each sender by its stream. Of what stands before it, as much as it says."""
    write(
        tmp_path,
        *(at_cursor("a", "app/1/1", 0), at_cursor("b", "app/1/2", 0)),
        *(fact("app/1/1", 1), fact("app/1/2", 2), fact("app/1/3", 3), fact("app/1/1", 4)),
        *(at_cursor("a", "app/1/1", 1, 1), at_cursor("b", "app/1/2", 5)),
        *(fact("app/1/2", 6), fact("app/1/1", 7)),
    )

    assert recover_windows(tmp_path) == [
        window("a", "app/1/1", 1, added(4), added(7)),
        window("b", "app/1/2", 5, added(6)),
    ]


def test_beginnings_and_ends_are_not_compared_but_counted(tmp_path: Path) -> None:
    write(
        tmp_path,
        at_cursor("a", "app/1/1", 0),
        *(fact("app/1/1", 1, "conversation.opened"), fact("app/1/1", 1), fact("app/1/1", 1, "response.started")),
        at_cursor("a", "app/1/1", 0, 3),
    )

    assert recover_windows(tmp_path) == [
        window("a", "app/1/1", 0, added(1), ("response.started", "app/call", "event_1"))
    ]


def test_conversations_that_are_named_by_a_stream_are_named_by_the_next_one(tmp_path: Path) -> None:
    """Over all streams of a sender, without the numbers of their sessions, which count from 1 again."""
    write(
        tmp_path,
        *(at_cursor("a", "app/1/1", 0), fact("app/1/1", 1, conversation="app/1/1")),
        fact("app/1/1", 2, conversation="app/1/1#2"),
    )
    write(tmp_path, at_cursor("a", "app/2/1", 0, 0, 2), fact("app/2/1", 3, conversation="app/2/1"))
    write(tmp_path, at_cursor("a", "app/3/1", 0, 0, 3))

    assert recover_windows(tmp_path) == [
        window("a", "app/3/1", 0, added(1, "app/3/1"), added(2, "app/3/1"), added(3, "app/3/1"), former=2)
    ]


def test_a_process_to_which_a_sender_did_not_come_states_what_was_left_of_the_one_before(tmp_path: Path) -> None:
    """Its stream is that of the process before. What comes behind it is known apart from that."""
    write(tmp_path, at_cursor("a", "app/1/1", 4), fact("app/1/1", 5), fact("app/1/1", 6))
    write(tmp_path, at_cursor("a", "app/1/1", 4, former=2, of=1))
    write(tmp_path, at_cursor("a", "app/3/1", 4, former=2), fact("app/3/1", 7))

    assert recover_windows(tmp_path) == [window("a", "app/3/1", 4, added(5), added(6), added(7), former=2)]


def test_what_each_of_several_processes_left_is_counted_apart(tmp_path: Path) -> None:
    """And known apart, however many there were; of very many the oldest are one."""
    write(tmp_path, at_cursor("a", "app/1/1", 0), *(fact("app/1/1", number) for number in (1, 2, 3)))
    write(tmp_path, at_cursor("a", "app/2/1", 0, former=3), fact("app/2/1", 4), fact("app/2/1", 5))
    counted = Cursor("a", "app/3/1", 4, 0, 2, parts=(1, 1))
    write(tmp_path, cursor(AT, counted), fact("app/3/1", 6))

    assert recover_windows(tmp_path) == [
        RecoveredWindow("app", "a", "app/3/1", AT, 4, ((added(3),), (added(5),), (added(6),)))
    ]
    for number in range(7, 30):
        write(tmp_path, at_cursor("a", f"app/{number}/1", 4, former=number - 4), fact(f"app/{number}/1", number))
    parts = recover_windows(tmp_path)[0].parts
    assert (len(parts), sum(map(len, parts)), parts[-1]) == (17, 26, (added(29),))


def test_another_connection_to_the_same_process_has_what_was_fed_behind_it(tmp_path: Path) -> None:
    write(tmp_path, at_cursor("a", "app/1/1", 0), fact("app/1/1", 1))
    write(
        tmp_path,
        *(at_cursor("a", "app/2/1", 0, former=1), fact("app/2/1", 2)),
        *(at_cursor("a", "app/2/2", 2, former=1), fact("app/2/2", 3)),
    )

    assert recover_windows(tmp_path) == [window("a", "app/2/2", 2, added(1), added(3), former=1)]


def test_no_more_is_read_than_from_the_newest_segment_that_states_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, at_cursor("a", "app/1/1", 1))
    write(tmp_path, at_cursor("a", "app/1/1", 3, of=2), at_cursor("b", "app/1/2", 4, of=2))
    write(tmp_path, at_cursor("b", "app/1/2", 7))
    _unreadable(tmp_path, 0, monkeypatch)

    assert recover_windows(tmp_path) == [window("a", "app/1/1", 3), window("b", "app/1/2", 7)]


def _unreadable(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the segment of that number is read."""
    path = sorted(folder.glob("audit-*"))[number]

    def opens(each: Path, **options: Any) -> Any:
        assert each != path
        return open_regular(each, **options)

    monkeypatch.setattr("steno.audit.writing.cursor_recovery.open_regular", opens)


@pytest.mark.parametrize(
    "newest",
    [
        [("a", 3, 0, 2)],  # it was torn before it had stated the other one
        [("a", 3, 0, 2), ("b", 4, 1, 2)],  # what it counts stands in the segment before
    ],
)
def test_a_segment_that_does_not_state_all_is_not_enough(tmp_path: Path, newest: list[Any]) -> None:
    write(tmp_path, at_cursor("b", "app/1/2", 4), at_cursor("a", "app/1/1", 1), fact("app/1/2", 5))
    streams = {"a": "app/1/1", "b": "app/1/2"}
    write(tmp_path, *(at_cursor(name, streams[name], frame, records, of=of) for name, frame, records, of in newest))

    assert {(each.name, each.frame, each.parts) for each in recover_windows(tmp_path)} == {
        ("a", 3, ()),
        ("b", 4, ((added(5),),)),
    }


def test_how_much_is_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, at_cursor("a", "app/1/1", 1))
    write(tmp_path, at_cursor("b", "app/1/2", 2))
    newest = max(tmp_path.glob("audit-*")).stat().st_size
    monkeypatch.setattr("steno.audit.writing.cursor_recovery.RESUME_LOG_BYTES", newest)

    assert [each.name for each in recover_windows(tmp_path)] == ["b"]


def test_how_many_senders_are_known_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steno.audit.writing.cursor_recovery.RESUME_IDS", 2)
    write(tmp_path, *(at_cursor(name, f"app/1/{name}", 1) for name in "abac"))

    assert [each.name for each in recover_windows(tmp_path)] == ["a", "c"]


def test_lines_that_are_no_cursors_are_passed_over(tmp_path: Path) -> None:
    """Whatever a text holds, and whatever somebody wrote into the file."""
    body = b'{"text":"\\"fact\\":\\"log.cursor\\",\\"stream\\":\\"app/1/1\\""}'
    write(
        tmp_path,
        at_cursor("a", "app/1/1", 1),
        entry(AT, "item.added", "app/call", "app/1/9", "event_8", body),
        entry(AT, "log.cursor", None, None, None, b'{"id":"a"}'),
        entry(AT, "log.cursor", None, None, None, b'{"id":"a","stream":"app/1/1","frame":"2"}'),
    )
    path = max(tmp_path.glob("audit-*"))
    path.write_bytes(path.read_bytes() + b'{"fact":"log.cursor"\n"stream":"app/1/1"}\n,"stream":"app/1/1\n')

    assert recover_windows(tmp_path) == [window("a", "app/1/1", 1)]
