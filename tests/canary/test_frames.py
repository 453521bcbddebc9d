"""No output shows a secret, and few show content, whatever frame holds it and wherever."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from steno.core.facts import KINDS
from steno.core.frame import Frame
from steno.sources.recording import Close, close_line, frame_line
from tests.canary.canaries import AUDIO, CONTENT, PERSON, SECRET, SECRET_MEMBERS, SHAPES, Canaries, marks
from tests.canary.frames import AT, Planter, enveloped, every_type, planted, stories
from tests.canary.outputs import MemoryLog, Outputs
from tests.vocabulary import NAMES

WITHOUT_CONTENT = ("audit, none", "audit, none with digests", "audit, files", "metrics", "OTLP", "table")
"""Outputs without content."""


class Played(NamedTuple):
    """What was planted, and what was written."""

    canaries: Canaries
    events: set[str]
    logs: dict[str, MemoryLog]
    outputs: dict[str, bytes]

    def found(self, kind: str, *outputs: str) -> list[str]:
        """Return where canaries of a kind were found: in these outputs, or in all."""
        searched = {name: held for name, held in self.outputs.items() if not outputs or name in outputs}
        return self.canaries.where({name: marks(held, kind) for name, held in searched.items()})


def play(folder: Path, canaries: Canaries, identifier: Any) -> Outputs:
    """Feed a frame of every type, bare and in an envelope, each on a stream of its own."""
    outputs = Outputs(folder)
    for structs_first in (True, False):
        planter = Planter(canaries, identifier, structs_first=structs_first)
        for number, (name, frames) in enumerate(every_type(planter)):
            outputs.feed(f"{name}/{structs_first}", frames)
            wrapped = [enveloped(canaries, frame, f"{number}-{place}", number) for place, frame in enumerate(frames)]
            outputs.feed(f"{name}/{structs_first}/envelope", wrapped)
    return outputs


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Every type of frame and every scenario, with canaries in all their strings."""
    canaries = Canaries()
    outputs = play(tmp_path_factory.mktemp("content"), canaries, lambda _: "id_1")
    for name, events in stories():
        outputs.feed(name, [Frame(msgspec.json.encode(planted(canaries, event, name)), AT) for event in events])
    return Played(canaries, {NAMES[kind] for kind in outputs.pipeline.events}, outputs.logs, outputs.written())


def shown(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a record that describe content, at any depth."""
    if isinstance(value, list):
        return [each for inner in value for each in shown(inner)]
    if not isinstance(value, dict):
        return []
    return [value] if {"kind", "length"} <= value.keys() else shown(list(value.values()))


def kinds(log: MemoryLog) -> set[str]:
    """Return the kinds of content whose text is in a log."""
    return {each["kind"] for record in log.records() for each in shown(record) if "text" in each}


def without_content(value: Any) -> Any:
    """Return a record without the objects that describe content."""
    if isinstance(value, list):
        return [without_content(each) for each in value]
    if not isinstance(value, dict):
        return value
    return None if {"kind", "length"} <= value.keys() else {name: without_content(each) for name, each in value.items()}


# What is planted ------------------------------------------------------------------------------------------------


def test_every_type_of_event_was_played(played: Played) -> None:
    unseen = {"conversation.item.truncated", "conversation.item.deleted"}  # of items that are not there

    assert set(NAMES.values()) - played.events <= unseen


def test_a_canary_is_found_however_it_is_written() -> None:
    mark = Canaries().mark(SECRET, "here")
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in mark)
    base64 = [msgspec.json.encode(b"." * before + mark.encode() + b"......") for before in range(3)]
    written = [mark.encode(), escaped.encode(), mark.encode().hex().encode(), mark.encode("utf-16-le"), *base64]

    assert [marks(b"[" + each + b"]", SECRET) for each in written] == [{mark}] * len(written)


# Secrets --------------------------------------------------------------------------------------------------------


def test_no_output_shows_a_secret(played: Played) -> None:
    assert len(played.canaries.marked(SECRET)) > 10_000
    assert played.found(SECRET) == []


def test_no_output_shows_a_secret_that_stands_for_an_identifier(tmp_path: Path) -> None:
    canaries = Canaries()

    outputs = play(tmp_path, canaries, canaries.key).written()

    assert canaries.where({name: marks(held, SECRET) for name, held in outputs.items()}) == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "{key}"},
        {"object": "{key}"},
        {"event": "{key}", "data": {}},
        {"type": "response.done", "response": {"id": "r", "model": "{key}", "status": "completed"}},
        {"type": "response.done", "response": {"id": "r", "status": "{key}"}},
        {"type": "error", "error": {"type": "{key}", "code": "{key}", "message": "no"}},
        {"type": "rate_limits.updated", "rate_limits": [{"name": "{key}", "remaining": 1}]},
        {"type": "conversation.item.added", "item": {"id": "i", "type": "{key}", "role": "{key}", "name": "{key}"}},
        {"type": "conversation.item.added", "item": {"id": "i", "type": "mcp_call", "name": "{key}", "output": "."}},
        {"specversion": "1.0", "id": "1", "source": "/a", "subject": "{key}", "data": {"type": "session.created"}},
        {"specversion": "1.0", "id": "{key}", "source": "{key}", "time": "{key}", "sequence": "{key}", "data": {}},
    ],
)
def test_no_output_shows_a_secret_that_stands_for_a_name(event: Any, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    mark = Canaries().mark(SECRET, "name")
    frame = msgspec.json.encode(event).replace(b"{key}", f"sk-proj-{mark}".encode())

    outputs.feed("a", [Frame(frame, AT)])

    assert {name for name, held in outputs.written().items() if marks(held, SECRET)} == set()


DAMAGED = (
    b"GET / HTTP/1.1\r\nAuthorization: Bearer %b\r\n\r\n",
    b'{"type":"session.created","session":{"client_secret":{"value":"%b',
    b'{"type":"x","client_secret":"%b","y":"\xff"}',
    b'\xff\xfe{"api_key":"%b"}',
    b'{"type":"x","text":"key:\\nsk-proj-%b',
    b'{"type":"x","arguments":"{\\"password\\":\\"%b\\"}',
    b'{"type":"x","client\\u005fsecret":"%b"',
    b'{"type":"x","text":"\\u0073k-proj-%b"',
    b'{"type":"x","text":"Bearer 12345678\\/%b"',
    b'{"type":"x","url":"wss://host/?model=a\\u0026api_key=%b"',
    b'{"type":"x","url":"wss://user:%b@host/"',
    b"[" * 5_000 + b'{"headers":{"x":"%b"}}' + b"]" * 5_000,
    b'{"type":5,"apiKey":"%b"}',
    b'["sk-proj-%b"]',
    b'"ek_%b"',
    b"{'type': 'x', 'key': 'sk-proj-%b'}",
)


@pytest.mark.parametrize("damaged", DAMAGED)
def test_no_output_shows_a_secret_of_a_malformed_frame(damaged: bytes, tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    canaries = Canaries()

    outputs.feed("a", [Frame(damaged.replace(b"%b", canaries.mark(SECRET, "damaged").encode()), AT)])

    assert canaries.where({name: marks(held, SECRET) for name, held in outputs.written().items()}) == []


def cuttable(canaries: Canaries) -> list[Any]:
    """Return values with a secret each."""
    named = [{name: f"a {canaries.mark(SECRET, name)}"} for name in SECRET_MEMBERS]
    nested = [{name: [{"x": canaries.mark(SECRET, name)}]} for name in SECRET_MEMBERS]
    shaped = [f"\n{canaries.key('shaped')}" for _ in SHAPES]
    within = [msgspec.json.encode(each).decode() for each in (*named, *nested)]
    url = f"https://host/?model=a&api-key={canaries.mark(SECRET, 'url')}"
    return [*named, *nested, *shaped, *within, url]


@pytest.mark.parametrize("number", range(4 * len(SECRET_MEMBERS) + len(SHAPES) + 1))
def test_a_frame_may_be_cut_off_anywhere(number: int) -> None:
    """Of a secret that is itself cut off, only so much is shown as does not have the form of a key yet."""
    secret = cuttable(Canaries())[number]
    payload = msgspec.json.encode({"type": "x", "text": "content", "x": secret})

    lines = [frame_line(Frame(payload[:end], AT)) for end in range(len(payload) + 1)]

    assert [line for line in lines if b"SECRET00" in line] == []
    assert all(b"content" in line for line in lines[30:])


def test_the_reason_of_a_close_shows_no_secret() -> None:
    canaries = Canaries()

    line = close_line(Close(AT, 1008, f"bad key: {canaries.key('reason')}, {canaries.key('reason')}"))

    assert marks(line, SECRET) == set()


# Content --------------------------------------------------------------------------------------------------------


def test_no_content_where_none_is_kept(played: Played) -> None:
    assert len(played.canaries.marked(CONTENT)) > 5_000
    assert played.found(CONTENT, *WITHOUT_CONTENT) == []
    assert played.found(PERSON, *WITHOUT_CONTENT) == []


def test_content_of_all_kinds_where_all_is_kept(played: Played) -> None:
    assert kinds(played.logs["full"]) == set(KINDS)
    assert marks(played.outputs["audit, full"], CONTENT) == marks(played.outputs["audit, full with digests"], CONTENT)
    assert len(marks(played.outputs["audit, full"], CONTENT)) > 300


def test_content_of_the_kinds_that_are_kept(played: Played) -> None:
    assert kinds(played.logs["transcripts"]) == {"transcript"}
    assert kinds(played.logs["all but messages"]) == set(KINDS) - {"message"}


def test_content_stands_only_where_the_policy_acts_on_it(played: Played) -> None:
    """Under every policy a record holds names and numbers beside `Content`, and nothing else."""
    others = msgspec.json.encode([without_content(record) for record in played.logs["full"].records()])

    assert len(others) > 100_000
    assert marks(others, CONTENT) | marks(others, PERSON) == set()


def test_personal_data_is_redacted_and_other_content_stays(played: Played) -> None:
    assert played.found(PERSON, "audit, redacted") == []
    assert len(marks(played.outputs["audit, full"], PERSON)) > 300
    assert marks(played.outputs["audit, redacted"], CONTENT) == marks(played.outputs["audit, full"], CONTENT)


def test_content_in_files_is_not_in_the_chain(played: Played) -> None:
    assert played.found(CONTENT, "audit, files") == []
    assert marks(played.outputs["content files"], CONTENT) == marks(played.outputs["audit, full"], CONTENT)


def test_state_and_recording_show_content(played: Played) -> None:
    assert len(marks(played.outputs["state"], CONTENT)) > len(marks(played.outputs["audit, full"], CONTENT))
    assert len(marks(played.outputs["recording"], CONTENT)) > 5_000


def test_audio_is_recorded_and_shown_nowhere_else(played: Played) -> None:
    silent = [name for name in played.outputs if name != "recording"]

    assert marks(played.outputs["recording"], AUDIO) == played.canaries.marked(AUDIO) != set()
    assert played.found(AUDIO, *silent) == []


# Limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "my password is {}",
        "password={}",
        "{{'password': '{}'}}",
        "AKIA{}",
        "ek_ {}",
        "sk-a, and on it goes with {}",
    ],
)
def test_a_secret_without_the_form_or_the_name_of_one_is_taken_for_content(text: str, tmp_path: Path) -> None:
    """Under `full`, in the state and in a recording it is shown as all content is; under `none` it is not."""
    outputs = Outputs(tmp_path)
    transcript = text.format(Canaries().mark(SECRET, "limit"))
    event = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": transcript}

    outputs.feed("a", [Frame(msgspec.json.encode(event), AT)])

    assert {name for name, held in outputs.written().items() if marks(held, SECRET)} == {
        *("audit, redacted", "audit, full", "audit, full with digests", "audit, transcripts"),
        *("audit, all but messages", "content files", "state", "recording"),
    }


def test_a_key_in_pieces_is_masked_where_it_is_joined(tmp_path: Path) -> None:
    """A recording has the pieces apart, a frame a line, and none has the form of a key."""
    outputs = Outputs(tmp_path)
    mark = Canaries().mark(SECRET, "pieces")
    of = {"response_id": "r", "item_id": "i"}
    pieces = [{"type": "response.output_text.delta", **of, "delta": piece} for piece in ("sk-p", f"roj-{mark}")]
    joined = {"type": "response.output_text.done", **of, "text": f"sk-proj-{mark}"}
    done = {"type": "response.done", "response": {"id": "r", "status": "completed"}}

    outputs.feed("a", [Frame(msgspec.json.encode(event), AT) for event in (*pieces, joined, done)])

    assert {name for name, held in outputs.written().items() if marks(held, SECRET)} == {"recording"}
