"""The files of words against the chain: each text that a record names is there, or its end is accounted for."""

import json
from pathlib import Path

import pytest

from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store.files import ContentFiles, file_name
from steno.audit.content_store.references import ERASED, ContentReferences, trace
from steno.audit.content_store.verify import Words, describe, verify_content
from steno.audit.record import entry
from steno.core.facts import Content, Fact, ItemAdded
from tests.audit.helpers import AT, files, opened

CALL = "relay/call-1"


class Play:
    """A log with files of words beside it."""

    def __init__(self, directory: Path, *, in_files: bool = True) -> None:
        self.directory = directory
        self.log = opened(directory)
        self.words = ContentFiles(directory)
        self.bodies = BodyEncoder(ContentPolicy.of("full", files=in_files), files=self.words)

    def say(self, *texts: str, conversation: str = CALL) -> None:
        for text in texts:
            fact: Fact = ItemAdded(item_id="item_1", kind="message", role="user", text=Content("text", text))
            body = self.bodies.body(fact, conversation)
            self.log.append(entry(AT, "item.added", conversation, None, None, body))
        self.words.flush()
        self.log.flush()

    def erase(self, conversation: str = CALL) -> None:
        self.words.erase(conversation)
        body = json.dumps({"file": file_name(conversation)}).encode()
        self.log.append(entry(AT, ERASED, conversation, None, None, body))
        self.log.flush()

    def rotate(self) -> None:
        self.log.rotate(AT)
        self.log.flush()

    @property
    def file(self) -> Path:
        return self.directory / "words" / file_name(CALL)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path / "log")


def found(
    proved: int = 0, erased: int = 0, retired: int = 0, missing: int = 0, first_missing: int | None = None
) -> Words:
    return Words(proved=proved, erased=erased, retired=retired, missing=missing, first_missing=first_missing)


def test_words_that_are_there_are_proved(play: Play) -> None:
    play.say("a", "b")
    play.say("c", conversation="relay/call-2")

    assert verify_content(play.directory) == found(proved=3)


def test_words_that_were_erased_are_accounted_for(play: Play) -> None:
    """What is said after an erasure is proved again."""
    play.say("a", "b")
    play.erase()
    play.say("c")

    assert verify_content(play.directory) == found(proved=1, erased=2)


@pytest.mark.parametrize("change", ["removed", "emptied", "text", "key", "line"])
def test_words_that_somebody_touched_are_missing(play: Play, change: str) -> None:
    """A file that was removed, a text that was changed, a key that is another one, a line that is gone."""
    play.say("first", "second")
    held = play.file.read_bytes()
    lines = held.splitlines(keepends=True)
    match change:
        case "removed":
            play.file.unlink()
        case "emptied":
            play.file.write_bytes(b"")
        case "text":
            play.file.write_bytes(held.replace(b"first", b"Fir5t"))
        case "key":
            header = json.loads(lines[0])
            play.file.write_bytes(held.replace(header["key"].encode(), b"0" * 64))
        case "line":
            play.file.write_bytes(lines[0] + lines[2])

    words = verify_content(play.directory)

    assert not words.ok
    assert words.proved + words.missing == 2
    assert words.first_missing == 2
    assert describe(words)[0] == f"WORDS ARE MISSING: {words.missing} texts, the first one that of record 2"


def test_words_named_by_the_oldest_segment_of_an_old_log_may_have_gone_with_those_before(play: Play) -> None:
    """Retention removes a file once the segments are gone in which it was written; the next ones it may be, too."""
    play.say("a")
    play.rotate()
    play.say("b")
    play.rotate()
    play.say("c")
    first, *_ = files(play.directory)
    (play.directory / first).unlink()
    play.file.unlink()

    assert verify_content(play.directory) == found(retired=1, missing=1, first_missing=8)


def test_a_name_that_leads_elsewhere_is_not_followed(play: Play, tmp_path: Path) -> None:
    """A log is not believed about where files are."""
    play.say("a")
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(play.file.read_bytes())
    for path in sorted(play.directory.glob("audit-*")):
        path.write_bytes(path.read_bytes().replace(file_name(CALL).encode(), b"../../elsewhere.jsonl"))

    assert verify_content(play.directory) == found(missing=1, first_missing=2)


# What stands in the chain -------------------------------------------------------------------------------------------


def test_what_the_records_hold_of_a_conversation(tmp_path: Path) -> None:
    """Words in the chain are counted; a conversation of which the name is the beginning is another one."""
    in_chain = Play(tmp_path / "chain", in_files=False)
    in_chain.say("a", "b")
    in_chain.say("c", conversation=CALL + "0")
    in_files = Play(tmp_path / "files")
    in_files.say("a")

    assert trace(in_chain.directory, CALL) == ContentReferences(chained=2, first_seq=2, in_files=False)
    assert trace(in_files.directory, CALL) == ContentReferences(chained=0, first_seq=None, in_files=True)
    in_files.erase()
    assert trace(in_files.directory, CALL) == ContentReferences(chained=0, first_seq=None, in_files=False)
    in_files.say("b")
    assert trace(in_files.directory, CALL) == ContentReferences(chained=0, first_seq=None, in_files=True)
    assert trace(in_files.directory, "relay/nobody") == ContentReferences(chained=0, first_seq=None, in_files=False)


def test_lengths_alone_are_no_traces(tmp_path: Path) -> None:
    play = Play(tmp_path / "log")
    play.bodies = BodyEncoder(ContentPolicy.of("none"))
    play.say("a")

    assert trace(play.directory, CALL) == ContentReferences(chained=0, first_seq=None, in_files=False)


def test_digests_are_traces(tmp_path: Path) -> None:
    """Who has the key can prove a guess by them."""
    play = Play(tmp_path / "log")
    play.bodies = BodyEncoder(ContentPolicy.of("none"), digest_key=b"k" * 32)
    play.say("a")

    assert trace(play.directory, CALL) == ContentReferences(chained=1, first_seq=2, in_files=False)


def test_a_file_that_is_no_record_and_an_empty_one_are_passed_over(play: Play) -> None:
    play.say("a")
    (play.directory / f"audit-{99:020}.jsonl").write_bytes(b"")
    (play.directory / f"audit-{98:020}.jsonl").write_bytes(b'{"conversation":"relay/call-1", torn')

    assert trace(play.directory, CALL) == ContentReferences(chained=0, first_seq=None, in_files=True)
