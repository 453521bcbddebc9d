"""Heads that leave the house: real files, real servers, a real authority, and an audit log that is proved by them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from itertools import chain, repeat
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from click.testing import CliRunner

from steno.app.verify import Checkpoints, checkpoints_of, verify
from steno.audit import anchoring
from steno.audit.anchoring import Anchors, parts_of
from steno.audit.verification.trust import Trust
from steno.audit.writing.batch import ChainHead
from steno.audit.writing.log import AuditLog
from steno.cli import cli
from steno.config.schema import Anchor
from steno.config.secret_ref import SecretRef
from steno.errors import ConfigError, DataError, UsageError
from tests.audit.authority import key_pair, server, stamping
from tests.audit.helpers import said, terms
from tests.docs.pages import blocks

LOG = "ab" * 32
AT = 1_772_359_200_250_000


def head(seq: int) -> ChainHead:
    return ChainHead(seq, bytes([seq]) * 32, AT)


def anchored(anchor: Anchor, *heads: ChainHead, log_id: str = LOG) -> Anchors:
    """Anchor `heads` one after the other, and end."""
    anchors = Anchors(parts_of(anchor), log_id)
    anchors.start()
    for each in heads[:-1]:
        anchors.submit(each)
    anchors.finish(heads[-1], 30.0)
    return anchors


def test_a_head_is_added_to_a_file(tmp_path: Path) -> None:
    place = tmp_path / "heads.jsonl"
    first = anchored(Anchor(file=str(place)), head(1))
    anchored(Anchor(file=str(place)), head(2))

    assert place.read_text() == "".join(
        f'{{"schema":"steno.head/1","log_id":"{LOG}","seq":{seq},"hash":"{bytes([seq]).hex() * 32}",'
        '"at":"2026-03-01T10:00:00.250000Z","proof":{}}\n'
        for seq in (1, 2)
    )
    assert (first.stats.seq, first.stats.done, first.stats.failed) == (1, {"file": 1}, {"file": 0})


def test_a_stranger_checks_a_signature_with_openssl(tmp_path: Path) -> None:
    """The recipe of the documentation."""
    private, _ = key_pair(tmp_path)
    place = tmp_path / "heads.jsonl"
    anchored(Anchor(file=str(place), signing_key=str(private)), head(7))
    (recipe,) = [block.text for block in blocks("bash") if "openssl pkeyutl" in block.text]
    done = subprocess.run(["sh", "-ec", recipe], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "Signature Verified Successfully\n"), done.stderr
    assert str(private.read_text().splitlines()[1]) not in place.read_text()


def test_a_webhook_takes_heads_with_its_headers(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("Bearer of-the-webhook\n")
    taken: list[tuple[str | None, str | None, Any]] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        taken.append((request.headers["authorization"], request.headers["content-type"], json.loads(body)["seq"]))
        return 204, b""

    with server(answer) as url:
        anchors = anchored(Anchor(webhook=url, headers={"Authorization": SecretRef(file=str(token))}), head(3))

    assert taken == [("Bearer of-the-webhook", "application/json", 3)]
    assert anchors.stats.done == {"webhook": 1}


@pytest.mark.parametrize("status", [302, 401, 500])
def test_a_place_that_refuses_is_counted_and_no_redirect_is_followed(status: int) -> None:
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler, _body: bytes) -> tuple[int, bytes]:
        asked.append(request.path)
        return status, b"the secret of the server"

    with server(answer) as url:
        anchors = anchored(Anchor(webhook=url), head(3))

    assert asked == ["/heads"]
    assert (anchors.stats.done, anchors.stats.failed, anchors.stats.seq) == ({"webhook": 0}, {"webhook": 1}, 0)


def test_the_newest_head_replaces_one_that_could_not_be_delivered(tmp_path: Path) -> None:
    """The other place has each of them once."""
    answers: Queue[int] = Queue()
    asked: Queue[int] = Queue()
    place = tmp_path / "heads.jsonl"

    def answer(_request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        asked.put(json.loads(body)["seq"])
        return answers.get(), b""

    with server(answer) as url:
        anchors = Anchors(parts_of(Anchor(webhook=url, file=str(place))), LOG)
        anchors.start()
        anchors.submit(head(1))
        assert asked.get(timeout=30) == 1
        anchors.submit(head(2))
        anchors.submit(head(3))
        answers.put(503)
        assert asked.get(timeout=30) == 3
        answers.put(200)
        anchors.finish(None, 30.0)

    assert [json.loads(line)["seq"] for line in place.read_text().splitlines()] == [1, 3]
    assert (anchors.stats.seq, anchors.stats.failed["webhook"], anchors.stats.done["webhook"]) == (3, 1, 1)


def test_a_head_is_tried_again_while_no_newer_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchoring, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(anchoring, "RETRY_SECONDS_MAX", 0.001)
    statuses = iter([500, 500, 200])
    done: Queue[int] = Queue()

    def answer(_request: BaseHTTPRequestHandler, _body: bytes) -> tuple[int, bytes]:
        done.put(status := next(statuses))
        return status, b""

    with server(answer) as url:
        anchors = Anchors(parts_of(Anchor(webhook=url)), LOG)
        anchors.start()
        anchors.submit(head(1))
        assert [done.get(timeout=30) for _ in range(3)] == [500, 500, 200]
        anchors.finish(None, 30.0)

    assert (anchors.stats.seq, anchors.stats.failed, anchors.stats.done) == (1, {"webhook": 2}, {"webhook": 1})


def test_who_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda *_: (200, b"")) as url:
        pass  # nobody listens there any more
    anchors = anchored(Anchor(webhook=url, headers={"X-Key": SecretRef(env="NO_SUCH_VARIABLE")}), head(1))
    assert anchors.stats.failed == {"webhook": 1}
    assert anchored(Anchor(webhook=url), head(1)).stats.failed == {"webhook": 1}

    monkeypatch.setattr(anchoring, "REPLY_BYTES", 3)
    with server(lambda *_: (200, b"much more")) as url:
        assert anchored(Anchor(webhook=url), head(1)).stats.failed == {"webhook": 1}


def dripping(connection: socket.socket, parts: Iterator[bytes]) -> None:
    """Send `parts`, each soon enough to count as an answer, until the client has gone."""
    with connection, suppress(OSError):
        connection.settimeout(0.01)
        for part in parts:
            connection.sendall(part)
            with suppress(TimeoutError):
                while connection.recv(65536):
                    pass


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_a_byte_now_and_then_holds_no_thread(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchoring, "REQUEST_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        anchors = Anchors(parts_of(Anchor(webhook=f"http://127.0.0.1:{listener.getsockname()[1]}/")), LOG)
        anchors.start()
        anchors.submit(head(1))
        dripping(listener.accept()[0], chain([begin], repeat(b"0")))  # ends when the client does
        anchors.finish(None, 30.0)

    assert (anchors.stats.failed, anchors.stats.done) == ({"webhook": 1}, {"webhook": 0})


def test_a_file_that_cannot_be_written_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert anchored(Anchor(file=str(tmp_path)), head(1)).stats.failed == {"file": 1}

    place, write = tmp_path / "heads.jsonl", os.write
    anchored(Anchor(file=str(place)), head(1))
    before = place.read_bytes()
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:10]))
    assert anchored(Anchor(file=str(place)), head(2)).stats.failed == {"file": 1}
    assert place.read_bytes() == before  # no half line that the next one would be joined to


def test_a_pipe_that_nobody_reads_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "heads"
    os.mkfifo(pipe)

    assert anchored(Anchor(file=str(pipe)), head(1)).stats.failed == {"file": 1}


def test_a_head_after_a_half_line_begins_a_line_of_its_own(tmp_path: Path) -> None:
    """A crash cut off the write before; the heads on either side still count."""
    place = tmp_path / "heads.jsonl"
    anchored(Anchor(file=str(place)), head(1))
    with place.open("ab") as file:
        file.write(place.read_bytes()[:50])
    anchored(Anchor(file=str(place)), head(3))

    assert place.read_bytes().count(b"\n") == 3
    assert [each.seq for each in Checkpoints((place,)).read(None, 1).heads] == [1, 3]


@pytest.mark.parametrize("place", ["http://[", "http://127.0.0.1:port/"])
def test_a_redirect_to_nowhere_is_a_failure_like_others(place: str) -> None:
    with server(lambda *_: (302, b""), location=place) as url:
        anchors = anchored(Anchor(webhook=url), head(1))

    assert anchors.stats.failed == {"webhook": 1}


def test_a_place_that_fails_in_a_way_nobody_thought_of_does_not_end_the_thread() -> None:
    tried: Queue[bytes] = Queue()

    def place(line: bytes) -> None:
        tried.put(line)
        raise ZeroDivisionError

    anchors = Anchors(anchoring.AnchorParts(None, None, {"file": place}), LOG)
    anchors.start()
    anchors.submit(head(1))
    tried.get(timeout=30)
    anchors.finish(head(2), 30.0)

    assert (json.loads(tried.get(timeout=30))["seq"], anchors.stats.failed) == (2, {"file": 2})


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "cannot read"), ("no key", "does not hold an unencrypted private key"), ("public", "private key")],
)
def test_a_key_that_is_none_is_a_fault_of_the_configuration(tmp_path: Path, text: str | None, expected: str) -> None:
    key = tmp_path / "key.pem"
    if text:
        key.write_text(key_pair(tmp_path)[1].read_text() if text == "public" else text)
    with pytest.raises(ConfigError, match=expected) as raised:
        parts_of(Anchor(file="/x", signing_key=str(key)))

    assert raised.value.faults[0].key == "audit.anchor.signing_key"


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", key], check=True, capture_output=True)
    with pytest.raises(ConfigError, match="another kind of key than Ed25519"):
        parts_of(Anchor(file="/x", signing_key=str(key)))


# Verified by them -----------------------------------------------------------------------------------------


def write_log(directory: Path, count: int, nonce: str = "one") -> list[dict[str, Any]]:
    """Write a log; return its records."""
    with AuditLog.open(directory, terms(), at=AT, segment_bytes=1 << 20, nonce=nonce) as log:
        for number in range(count):
            log.append(said(number))
        log.close(AT)
    lines = [line for segment in sorted(directory.glob("audit-*")) for line in segment.read_bytes().splitlines()]
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("anchored")


class Case:
    """A log, and the file of its heads, signed and stamped."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.private, self.public = key_pair(folder)
        self.root, answer = stamping(folder)
        self.heads = folder / "heads.jsonl"
        self.written = write_log(self.log, 9)
        with server(answer) as url:
            anchor = Anchor(file=str(self.heads), signing_key=str(self.private), timestamp_authority=url)
            last = self.written[-1]
            kept = ChainHead(last["seq"], bytes.fromhex(last["hash"]), AT)
            self.anchors = anchored(anchor, kept, log_id=self.written[0]["hash"])

    def checkpoints(self) -> Checkpoints:
        return Checkpoints((self.heads,), (self.public,), (self.root,))


@pytest.fixture(scope="module")
def case(folder: Path) -> Case:
    return Case(folder)


def test_a_log_is_proved_by_heads_that_are_signed_and_stamped(case: Case) -> None:
    found = verify([case.log], Trust(), content=False, checkpoints=case.checkpoints())
    kept = found.kept

    assert found.ok, found.lines()
    assert found.log.heads == (case.written[-1]["seq"],)
    assert kept
    assert kept.stamped
    assert any(line.startswith("signed    each head, under key ") for line in found.lines())
    assert any(line.startswith("stamped   each head by the authority, from 20") for line in found.lines())
    assert case.anchors.stats.done == {"timestamp": 1, "file": 1}


def test_a_log_that_was_written_anew_or_cut_off_does_not_hold(case: Case, tmp_path: Path) -> None:
    """Its own chain is right each time."""
    anew, short = tmp_path / "anew", tmp_path / "short"
    write_log(anew, 9, nonce="another")
    short.mkdir()
    for segment in case.log.glob("audit-*"):
        lines = segment.read_bytes().splitlines(keepends=True)
        (short / segment.name).write_bytes(b"".join(lines[:-2]))

    assert not verify([anew], Trust(), content=False, checkpoints=case.checkpoints()).ok
    cut = verify([short], Trust(), content=False, checkpoints=case.checkpoints())
    assert not cut.ok
    assert "before a head that was kept" in cut.lines()[0]


def changed(case: Case, tmp_path: Path, old: str, new: str) -> Path:
    file = tmp_path / "changed.jsonl"
    text = case.heads.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return file


def test_a_head_that_was_changed_has_no_proof(case: Case, tmp_path: Path) -> None:
    file = changed(case, tmp_path, '"at":"2026', '"at":"2025')

    with pytest.raises(DataError, match=r"changed.jsonl, line 1 has a signature that does not hold"):
        Checkpoints((file,), (case.public,)).read(None, 1)
    with pytest.raises(DataError, match=r"line 1 has a time stamp that does not hold"):
        Checkpoints((file,), (), (case.root,)).read(None, 1)


def test_a_proof_that_is_not_there_is_missed(case: Case, tmp_path: Path) -> None:
    bare = tmp_path / "bare.jsonl"
    anchored(Anchor(file=str(bare)), head(3))
    other = key_pair(tmp_path, "other")[1]

    with pytest.raises(DataError, match="is not signed"):
        Checkpoints((bare,), (case.public,)).read(None, 1)
    with pytest.raises(DataError, match="has no time stamp"):
        Checkpoints((bare,), (), (case.root,)).read(None, 1)
    with pytest.raises(DataError, match="is signed by another key than was given"):
        Checkpoints((case.heads,), (other,)).read(None, 1)
    with pytest.raises(DataError, match="not base64"):
        Checkpoints((changed(case, tmp_path, '"signature":"', '"signature":"!'),), (case.public,)).read(None, 1)
    with pytest.raises(DataError, match="time stamp that does not hold"):
        Checkpoints((changed(case, tmp_path, '"timestamp":"MII', '"timestamp":"AAA'),), (), (case.root,)).read(None, 1)


def test_heads_of_several_logs_are_told_apart(case: Case, tmp_path: Path) -> None:
    """A webhook may keep those of all daemons in one file."""
    both = tmp_path / "both.jsonl"
    anchored(Anchor(file=str(both)), head(3))
    both.write_text(both.read_text() + case.heads.read_text() + '{"schema":"steno.he')
    checkpoints = Checkpoints((both,))

    with pytest.raises(DataError, match="heads of 2 logs: say by --log"):
        checkpoints.read(None, 1)
    assert [each.seq for each in checkpoints.read(LOG, 1).heads] == [3]
    with pytest.raises(DataError, match="holds no head of log"):
        checkpoints.read("cd" * 32, 1)
    assert verify([case.log], Trust(log_id=case.written[0]["hash"]), content=False, checkpoints=checkpoints).ok


def test_heads_of_what_was_retired_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "heads.jsonl"
    for seq in (2, 8, 9):
        anchored(Anchor(file=str(file)), head(seq))
    kept = Checkpoints((file,)).read(None, 9)

    assert ([each.seq for each in kept.heads], list(kept.lines())) == (
        [8, 9],  # the hash of record 8 stands in the first record that is left
        ["older     1 of the heads that were kept are of records that are no longer here"],
    )
    with pytest.raises(DataError, match="no head of what is left of the log, from record 100 on"):
        Checkpoints((file,)).read(None, 100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "cannot read"),
        ("", "holds no head of a log"),
        ("{}\n", "line 1 is no head of the form steno.head/1"),
        (f'{{"schema":"x/2","log_id":"{LOG}","seq":1,"hash":"{LOG}","at":null,"proof":{{}}}}\n', "another form"),
    ],
)
def test_a_file_that_holds_no_heads_is_named(tmp_path: Path, text: str | None, expected: str) -> None:
    file = tmp_path / "heads.jsonl"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=expected):
        Checkpoints((file,)).read(None, 1)


def test_a_key_or_a_root_that_is_none_is_named(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="does not hold a public key"):
        Checkpoints((case.heads,), (case.root,)).read(None, 1)
    with pytest.raises(DataError, match="cannot read"):
        Checkpoints((case.heads,), (), (tmp_path / "none.pem",)).read(None, 1)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    with pytest.raises(UsageError, match=r"pip install \"steno\[anchor\]\""):
        Checkpoints((case.heads,), (case.public,)).read(None, 1)


def test_a_folder_that_cannot_be_listed_is_named(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """By who reads the log. Until then all heads are taken for those of what is left."""

    def refuses(_folder: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(case.log))

    monkeypatch.setattr("steno.app.verify.segment_names", refuses)
    assert verify([case.log], Trust(), content=False, checkpoints=case.checkpoints()).ok


def test_options_without_a_file_of_heads_are_refused() -> None:
    with pytest.raises(UsageError, match="name it by --checkpoint"):
        checkpoints_of((), (Path("key"),), ())
    assert checkpoints_of((), (), ()) is None


def test_the_command_holds_a_log_against_a_file_of_heads(case: Case) -> None:
    options = ("--checkpoint", case.heads, "--checkpoint-key", case.public, "--timestamp-root", case.root)
    done = CliRunner().invoke(cli, ["verify", *map(str, (case.log, *options))])

    assert (done.exit_code, done.output.splitlines()[0]) == (0, "the audit log holds")
    assert "signed    each head, under key " in done.output


def test_what_an_authority_answers_is_looked_at(tmp_path: Path) -> None:
    """A stamp for something else, or none, is a failure, and the head is kept without it."""
    _, answer = stamping(tmp_path)
    replies: list[bytes] = []

    def again(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        replies.append(replies[0] if replies else answer(request, body)[1])
        return 200, replies[-1]

    place = tmp_path / "heads.jsonl"
    with server(again) as url:
        for seq in (1, 2):
            anchors = anchored(Anchor(file=str(place), timestamp_authority=url), head(seq))
    with server(lambda *_: (200, b"no stamp")) as url:
        garbage = anchored(Anchor(file=str(place), timestamp_authority=url), head(3))

    assert anchors.stats.failed == garbage.stats.failed == {"timestamp": 1, "file": 0}
    assert ["timestamp" in json.loads(line)["proof"] for line in place.read_text().splitlines()] == [True, False, False]
