"""An audit log on the disk shows what the daemon showed that wrote it, also while it grows; and it stays as it is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from steno.app import replay as replaying
from steno.app import replay_log
from steno.app.price_list import configured_prices
from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store.files import FOLDER
from steno.audit.sink import AuditSink
from steno.config import parse
from steno.core.conversation import Conversation
from steno.core.facts import KINDS, Fact, Origin
from steno.errors import DataError
from steno.view import log_index
from steno.view.archive import Archive
from steno.view.live import LiveView, RecordMaker
from steno.view.log_index import LogIndex
from steno.view.query import SORTS, page_of, parse_query
from steno.view.recent import RecentFacts
from tests.view.plays import Nowhere

GOLDEN = Path(__file__).parents[1] / "golden"
FULL = '[audit]\ncontent = "full"\n'


def written(folder: Path, *recordings: Path, toml: str = FULL) -> Path:
    """Write the audit log of recordings into `folder`."""
    config = parse(toml, "steno.toml", replaying.DEFAULTS)
    outputs = replaying.Outputs(audit=folder)
    replaying.replay(recordings, config, outputs, configured_prices(config.prices), None, lambda _: None)  # type: ignore[arg-type]  # there is no standard input
    return folder


def opened(folder: Path) -> tuple[Archive, LogIndex]:
    index = LogIndex([folder])
    index.refresh()
    return Archive(index), index


def shown(view: Archive | LiveView, key: str, *, texts: bool = True) -> dict[str, Any]:
    make = view.timeline(key, texts=texts)
    assert make is not None
    found: dict[str, Any] = json.loads(make())
    return found


class _Both(AuditSink):
    """The sink of the log, with one beside it that remembers, as a daemon has both."""

    recent: RecentFacts

    def emit(self, origin: Origin, fact: Fact) -> None:
        """Take a fact."""
        super().emit(origin, fact)
        self.recent.emit(origin, fact)


class _Closed:
    conversations: Mapping[str, Conversation] = {}
    """No conversation is open."""


@pytest.mark.parametrize("name", sorted(each.parent.name for each in GOLDEN.glob("*/recording.jsonl")))
def test_a_log_shows_what_the_daemon_showed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(replay_log, "AuditSink", _Both)
    _Both.recent = RecentFacts(1 << 30, KINDS)
    archive, _ = opened(written(tmp_path, GOLDEN / name / "recording.jsonl"))
    maker = RecordMaker(AuditSink(Nowhere(), BodyEncoder(ContentPolicy.of("full")), 16_384).entry)
    daemon = LiveView(_Both.recent, _Closed(), archive.now, maker, "full")

    assert {row.key: row for row in daemon.rows()} == {row.key: row for row in archive.rows()}
    for row in daemon.rows():
        assert shown(daemon, row.key) == shown(archive, row.key)
        assert shown(daemon, row.key, texts=False) == shown(archive, row.key, texts=False)


def test_what_is_added_to_a_log_is_read_on_and_a_line_without_an_end_is_not(tmp_path: Path) -> None:
    recording = GOLDEN / "barge-in" / "recording.jsonl"
    whole = written(tmp_path / "whole", recording)
    (segment,) = whole.glob("audit-*.jsonl")
    lines = segment.read_bytes()
    grown = tmp_path / "grown"
    grown.mkdir()
    part = grown / segment.name
    archive, seen = None, []
    for end in (0, 100, len(lines) // 2, len(lines)):
        part.write_bytes(lines[:end])
        if archive is None:
            archive, index = opened(grown)
        seen.append((index.refresh(), index.stand().records, len(archive.rows())))

    last, _ = opened(whole)
    assert archive is not None
    assert [(added, rows) for added, _, rows in seen] == [(False, 0), (False, 0), (True, 1), (True, 1)]
    assert shown(archive, "replay/recording") == shown(last, "replay/recording")
    assert index.stand().unreadable == 0


def test_a_conversation_over_many_blocks_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = GOLDEN / "barge-in" / "recording.jsonl"
    folder = written(tmp_path, recording)
    whole = shown(opened(folder)[0], "replay/recording")
    monkeypatch.setattr(log_index, "BLOCK_BYTES", 700)

    archive, index = opened(folder)
    assert len(index.conversations()[0].blocks) > 5
    assert shown(archive, "replay/recording") == whole


def test_a_key_that_comes_again_in_a_log_is_the_newest_conversation(tmp_path: Path) -> None:
    recording = GOLDEN / "barge-in" / "recording.jsonl"
    once = shown(opened(written(tmp_path / "once", recording))[0], "replay/recording")
    written(tmp_path / "twice", recording)
    twice = shown(opened(written(tmp_path / "twice", recording))[0], "replay/recording")

    assert twice == once


def test_texts_beside_the_log_are_read_until_they_are_erased(tmp_path: Path) -> None:
    recording = GOLDEN / "barge-in" / "recording.jsonl"
    folder = written(tmp_path, recording, toml=FULL + "content_files = true\n")
    archive, _ = opened(folder)
    there = shown(archive, "replay/recording")
    withheld = shown(archive, "replay/recording", texts=False)
    for each in (folder / FOLDER).iterdir():
        each.unlink()
    gone = shown(archive, "replay/recording")

    assert [each["text"] for each in there["transcript"]] == ["Open?", "Yes, until six, and on"]
    assert [each["text"] for each in gone["transcript"]] == [None, None]
    assert [each["characters"] for each in gone["transcript"]] == [5, 22]
    assert (there["content"], withheld["content"]) == ("full", "withheld")
    assert "until six" not in json.dumps(withheld)


def test_what_is_no_record_is_counted_and_a_segment_that_went_is_missing(tmp_path: Path) -> None:
    recording = GOLDEN / "barge-in" / "recording.jsonl"
    folder = written(tmp_path, recording)
    (segment,) = folder.glob("audit-*.jsonl")
    with segment.open("ab") as file:
        file.write(b'{"seq":"x"}\nnonsense\n' + b"[" * 5_000 + b"\n")
    archive, index = opened(folder)
    segment.unlink()
    made = shown(archive, "replay/recording")

    assert index.stand().unreadable == 3
    assert (made["spans"], made["transcript"]) == ([], [])
    assert made["omitted"] == index.conversations()[0].tally.records > 10
    assert index.refresh() is False


def forged(folder: Path, fact: str, path: tuple[str, ...], value: object) -> tuple[Archive, LogIndex]:
    """Open the log of a call in which a member of a record was written by somebody else."""
    written(folder, GOLDEN / "barge-in" / "recording.jsonl")
    (segment,) = folder.glob("audit-*.jsonl")
    records = [json.loads(line) for line in segment.read_bytes().splitlines()]
    place = next(each for each in records if each["fact"] == fact)
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    lines = [json.dumps(each, separators=(",", ":")) for each in records]
    segment.write_text("\n".join(lines) + "\n")
    return opened(folder)


@pytest.mark.parametrize(
    ("fact", "path", "value"),
    [
        ("response.finished", ("body", "cost", "usd"), "a lot"),
        ("response.finished", ("body", "cost", "usd"), "sNaN"),
        ("response.finished", ("body", "cost"), "free"),
        ("response.finished", ("body", "tokens"), 7),
        ("response.finished", ("body", "tokens"), ["many"]),
        ("response.finished", ("body", "output"), 7),
        ("response.started", ("body", "response_id"), ["r"]),
        ("session.opened", ("body", "session_id"), {}),
        ("conversation.closed", ("body", "cost_usd"), "a lot"),
        ("conversation.closed", ("body", "cost_usd"), "NaN"),
        ("conversation.closed", ("body", "unpriced"), [{}]),
        ("conversation.closed", ("body", "unpriced"), [{"reason": True, "usages": 1}]),
        ("conversation.closed", ("at",), "yesterday"),
    ],
)
def test_a_record_of_another_form_takes_nothing_else_from_who_looks(
    tmp_path: Path, fact: str, path: tuple[str, ...], value: object
) -> None:
    whole = shown(opened(written(tmp_path / "whole", GOLDEN / "barge-in" / "recording.jsonl"))[0], "replay/recording")
    archive, _ = forged(tmp_path / "forged", fact, path, value)
    made = shown(archive, "replay/recording")
    document = archive.document("replay/recording", texts=True)
    assert document is not None
    pages = [page_of(archive.rows(), parse_query([("sort", sort)]), 0.0) for sort in SORTS]

    assert {page.total for page in pages} == {1}
    assert json.loads(document())["key"] == "replay/recording"
    assert made["transcript"][0]["text"] == whole["transcript"][0]["text"]
    assert archive.sources().at > 0


def test_a_log_that_was_cut_or_put_in_the_place_of_another_is_read_from_its_beginning(tmp_path: Path) -> None:
    archive, index = opened(written(tmp_path / "log", GOLDEN / "barge-in" / "recording.jsonl"))
    other = written(tmp_path / "other", GOLDEN / "session-cap" / "recording.jsonl")
    (segment,), (new,) = (tmp_path / "log").glob("audit-*.jsonl"), other.glob("audit-*.jsonl")
    whole, seen = segment.read_bytes(), []
    for lines in (whole[: len(whole) // 2], new.read_bytes()[:900], new.read_bytes()):
        segment.write_bytes(lines)
        seen.append((index.refresh(), index.stand().records, len(archive.rows())))
    expected, whole_index = opened(other)

    assert [changed for changed, _, _ in seen] == [True, True, True]
    assert seen[-1][1:] == (whole_index.stand().records, len(expected.rows()))
    assert [shown(archive, row.key) for row in archive.rows()] == [shown(expected, row.key) for row in expected.rows()]


def files(folder: Path) -> Iterator[tuple[str, int, int]]:
    for each in sorted(folder.rglob("*")):
        status = each.stat()
        yield str(each), status.st_mtime_ns, status.st_size


def test_nothing_is_written_into_the_folder(tmp_path: Path) -> None:
    folder = written(tmp_path, GOLDEN / "barge-in" / "recording.jsonl", toml=FULL + "content_files = true\n")
    for each in (folder, folder / FOLDER):
        each.chmod(0o500)
    before = list(files(folder))
    archive, _ = opened(folder)
    shown(archive, "replay/recording")
    document = archive.document("replay/recording", texts=True)
    assert document is not None
    archive.sources()

    assert json.loads(document())["transcript"][0]["text"] == "Open?"
    assert list(files(folder)) == before


@pytest.mark.parametrize("name", ["nothing", "file.txt"])
def test_where_there_is_no_log_that_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("no log")
    (tmp_path / "empty").mkdir()

    for path in (tmp_path / name, tmp_path / "empty"):
        with pytest.raises(DataError, match=r"holds no audit log|is no segment of an audit log"):
            LogIndex([path])


def test_a_table_that_is_full_leaves_out_who_was_silent_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_index, "ARCHIVE_CONVERSATIONS", 1)
    folder = written(tmp_path, *(GOLDEN / name / "recording.jsonl" for name in ("barge-in", "run-expires")))

    archive, index = opened(folder)

    assert (len(archive.rows()), index.stand().conversations_left_out > 0) == (1, True)


def test_a_segment_that_cannot_be_read_is_named_and_one_that_went_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log may be retired while it is read. Segments may be named one by one, too."""
    folder = written(tmp_path, GOLDEN / "barge-in" / "recording.jsonl")
    (segment,) = folder.glob("audit-*")
    index = LogIndex([segment])

    def fails(error: OSError) -> None:
        def raises(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(log_index.LogIndex, "_read_segment", raises)

    fails(FileNotFoundError(2, "No such file or directory", str(segment)))
    assert not index.refresh()
    fails(PermissionError(13, "Permission denied", str(segment)))
    with pytest.raises(DataError, match=f"cannot read {segment}: Permission denied"):
        index.refresh()
