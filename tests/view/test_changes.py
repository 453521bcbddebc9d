"""What has changed since it was shown: each row once, none forgotten where very many change, and what has gone."""

from collections.abc import Iterable, Mapping

from steno.view.changes import ROWS_MOST, Fingerprint, Watch
from steno.view.rows import Row
from tests.core.helpers import event
from tests.view.plays import ViewPlay
from tests.view.test_query import row


class Rows:
    """Conversations whose fingerprint is a number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def fingerprints(self) -> Mapping[str, Fingerprint]:
        return {key: (number,) for key, number in self.numbers.items()}

    def rows_of(self, keys: Iterable[str]) -> list[Row]:
        return [row(key, events=self.numbers[key]) for key in keys]


def shown(watch: Watch) -> tuple[list[tuple[str, int | None]], list[str]]:
    changes, keys = watch.changes()
    assert keys == {each.key for each in changes.conversations}
    return [(each.key, each.events) for each in changes.conversations], changes.closed


def test_a_row_is_shown_when_it_has_changed_and_a_key_when_it_has_gone() -> None:
    rows = Rows()
    watch = Watch(rows, lambda: 1.0)
    rows.numbers = {"a": 1, "b": 1}
    watch.begin()
    seen = [shown(watch)]
    rows.numbers = {"a": 2, "c": 1}
    seen += [shown(watch), shown(watch)]

    assert seen == [([], []), ([("a", 2), ("c", 1)], ["b"]), ([], [])]


def test_where_very_many_change_those_come_first_that_were_not_shown_for_longest() -> None:
    rows = Rows()
    watch = Watch(rows, lambda: 1.0)
    seen: list[str] = []
    for second in range(3):
        rows.numbers = {str(number): second for number in range(3 * ROWS_MOST)}
        found, _ = shown(watch)
        seen += [key for key, _ in found]

    assert len(seen) == len(set(seen)) == 3 * ROWS_MOST


def test_every_event_changes_a_row_and_so_does_a_minute_of_silence() -> None:
    play = ViewPlay(conversation="call-7")
    play.say(event("session.created", session={"id": "sess_1"}))
    watch = Watch(play.view, lambda: 1.0)
    watch.begin()
    play.say(event("input_audio_buffer.append", audio="AAAA"), sent=True)
    said, _ = watch.changes()
    quiet, _ = watch.changes()
    play.wait(61_000)
    silent, _ = watch.changes()

    assert [len(each.conversations) for each in (said, quiet, silent)] == [1, 0, 1]
    assert silent.conversations[0].state == "idle"
