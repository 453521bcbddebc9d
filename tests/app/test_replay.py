"""`steno replay`: the same files give the same bytes, whatever form their lines have."""

import gzip
import json
import operator
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import steno
from tests.recordings import frames, recording


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def write(folder: Path, name: str, content: bytes | Iterable[bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else b"".join(line + b"\n" for line in content))
    return path


def test_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """State, metrics and audit log of two replays into empty folders are identical."""
    files = [write(tmp_path, f"{kind}.jsonl", recording(kind)) for kind in ("voice", "assistants")]
    outputs = []
    for n in ("one", "two"):
        folder = tmp_path / n
        folder.mkdir()
        done = steno(
            "replay", *files,
            "--state", folder / "state", "--metrics", folder / "metrics", "--audit", folder / "audit",
            PYTHONHASHSEED=str(random.Random(n).randrange(1, 9999)),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outputs.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})

    first, second = outputs

    assert first == second
    assert len(first) >= 3


def test_a_recording_with_times_is_measured(tmp_path: Path) -> None:
    """The metrics of a replay hold durations where the lines have times."""
    file = write(tmp_path, "voice.jsonl", recording("voice"))

    steno("replay", file, "--metrics", tmp_path / "metrics")

    text = (tmp_path / "metrics").read_text()
    assert re.search(
        r'steno_time_to_first_audio_seconds_count\{model="gpt-realtime[^"]*",source="replay"\} [1-9]', text
    )
    assert 'steno_events_total{event="response.done",family="realtime",source="replay"}' in text
    assert "process_" not in text
    assert "steno_audit_" not in text


def test_a_recording_without_times_gives_no_durations(tmp_path: Path) -> None:
    """Bare events have no times."""
    file = write(tmp_path, "voice.jsonl", frames("voice"))

    steno("replay", file, "--metrics", tmp_path / "metrics", "--audit", tmp_path / "audit")

    records = [record for path in (tmp_path / "audit").glob("*.jsonl") for record in lines(path)]
    counted = [
        line
        for line in (tmp_path / "metrics").read_text().splitlines()
        if line.startswith("steno_time_to_first_audio_seconds_count")
    ]
    assert {line.rsplit(" ", 1)[1] for line in counted} == {"0.0"}
    assert {record["at"] for record in records} == {None}
    assert all(
        record["body"]["duration_seconds"] is None for record in records if record["fact"] == "response.finished"
    )


def test_every_ended_thing_is_recorded_once(tmp_path: Path) -> None:
    """One record for each response.done, each ended run, each ended step; the state has their objects as they came."""
    events = [json.loads(frame) for kind in ("voice", "assistants") for frame in frames(kind)]
    file = write(tmp_path, "both.jsonl", [json.dumps(event).encode() for event in events])

    steno("replay", file, "--state", tmp_path / "state", "--audit", tmp_path / "audit")

    records = [record for path in (tmp_path / "audit").glob("*.jsonl") for record in lines(path)]
    conversations = [line for line in lines(tmp_path / "state") if line["schema"] == "steno.conversation/1"]
    done = [event["response"] for event in events if event.get("type") == "response.done"]
    ended_steps = [
        event["data"]
        for event in events
        if event.get("event") in {"thread.run.step.completed", "thread.run.step.failed"}
    ]
    ended = {"completed", "failed", "incomplete"}
    runs = {
        event["data"]["id"] for event in events
        if event.get("event", "").startswith("thread.run.") and event["data"].get("status") in ended
        and event["data"]["object"] == "thread.run"
    }  # fmt: skip
    facts = [record["fact"] for record in records]
    assert [record["body"]["response_id"] for record in records if record["fact"] == "response.finished"] == [
        response["id"] for response in done
    ]
    assert facts.count("run.finished") == len(runs)
    assert facts.count("run_step.finished") == len(ended_steps)
    assert [response for state in conversations for response in state["responses"]] == done
    by_id = operator.itemgetter("id")
    steps = [step for state in conversations for step in state["run_steps"]]
    assert sorted(steps, key=by_id) == sorted(ended_steps, key=by_id)


def test_tokens_add_up(tmp_path: Path) -> None:
    """The buckets of the state sum to what upstream reported."""
    events = [json.loads(frame) for frame in frames("voice")]
    file = write(tmp_path, "voice.jsonl", frames("voice"))

    steno("replay", file, "--state", tmp_path / "state")

    usages = [event["response"]["usage"] for event in events if event["type"] == "response.done"]
    heard = [event["usage"] for event in events if event["type"].endswith("input_audio_transcription.completed")]
    transcribed = [usage for usage in heard if usage["type"] == "tokens"]
    (state, stream) = lines(tmp_path / "state")
    assert sum(bucket["tokens"] for bucket in state["totals"]["tokens"]) == sum(
        usage["total_tokens"] for usage in (*usages, *transcribed)
    )
    assert state["events"] + sum(stream["unknown"].values()) >= stream["events"] == stream["frames"] == len(events)


def test_strict_fails_where_lines_are_malformed(tmp_path: Path) -> None:
    """Without it a malformed line is counted; with it the exit code is 65."""
    file = write(tmp_path, "bad.jsonl", [b'{"type":"ping"}', b"{oops", b"", b"[]"])

    lenient = steno("replay", file, "--state", tmp_path / "state")
    strict = steno("replay", file, "--strict")

    assert (lenient.returncode, strict.returncode) == (0, 65)
    assert b"2 lines were malformed" in strict.stderr
    assert lines(tmp_path / "state") == [
        {
            "schema": "steno.stream/1",
            "stream": "replay/bad",
            "frames": 3,
            "events": 1,
            "unknown": {"ping": 1},
            "malformed": {"not_json": 1, "not_object": 1},
        }
    ]


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (gzip.compress(b'{"type":"ping"}'), "is compressed by gzip: zcat {} | steno replay -"),
        (b"\x28\xb5\x2f\xfd\x04\x58", "is compressed by zstd: zstdcat {} | steno replay -"),
        (b"\xfd7zXZ\x00\x00", "is compressed by xz: xzcat {} | steno replay -"),
    ],
    ids=["gzip", "zstd", "xz"],
)
def test_what_is_compressed_is_refused_with_what_to_do(tmp_path: Path, begin: bytes, said: str) -> None:
    """Before anything is written: a folder for the log is not even made."""
    file = write(tmp_path, "two words.jsonl.gz", begin)
    good = write(tmp_path, "good.jsonl", recording("voice"))

    done = steno("replay", good, file, "--audit", tmp_path / "audit", "--state", tmp_path / "state")

    assert (done.returncode, done.stderr.decode()) == (65, f"steno: {file} {said}\n".format(f"'{file}'"))
    assert not (tmp_path / "audit").exists()
    assert not (tmp_path / "state").exists()


def test_what_is_compressed_is_refused_on_standard_input_too() -> None:
    done = steno("replay", "-", stdin=gzip.compress(b'{"type":"ping"}'))

    said = "steno: standard input is compressed by gzip: zcat FILE | steno replay -\n"
    assert (done.returncode, done.stderr.decode()) == (65, said)


def test_a_file_without_a_good_line_is_no_recording(tmp_path: Path) -> None:
    """The state and the table are written all the same: they say why."""
    good, empty = write(tmp_path, "good.jsonl", recording("voice")), write(tmp_path, "empty.jsonl", b"\n\n")
    bad = write(tmp_path, "bad.jsonl", [b"{oops", b"[]"])

    done = steno("replay", good, bad, empty, "--state", tmp_path / "state")

    said = f"steno: every line was malformed: {bad}; a recording has a JSON object a line\n"
    assert (done.returncode, done.stderr.decode()) == (65, said)
    state = {line["stream"]: line.get("malformed") for line in lines(tmp_path / "state")}
    assert state["replay/bad"] == {"not_json": 1, "not_object": 1}
    assert b"malformed: not_json 1, not_object 1" in done.stdout


def test_what_was_recorded_of_a_hopeless_upstream_is_a_recording(tmp_path: Path) -> None:
    """Its lines are whole; the frames in them are what came."""
    file = write(tmp_path, "calls.jsonl", [b'{"dir":"received","text":"{oops"}', b'{"dir":"received","data":[]}'])

    done = steno("replay", file)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"malformed: not_json 1, not_object 1" in done.stdout


def test_one_line_is_no_plural(tmp_path: Path) -> None:
    file = write(tmp_path, "bad.jsonl", [b'{"type":"ping"}', b"{oops"])

    assert (
        steno("replay", file, "--strict").stderr == b"steno: 1 line was malformed: without --strict that is no error\n"
    )


def test_standard_input_and_output(tmp_path: Path) -> None:
    """With `-` for an output, standard output holds nothing but that, and the table goes to standard error."""
    done = steno("replay", "-", "--state", "-", stdin=recording("assistants"))

    state = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert {line["schema"] for line in state} == {"steno.conversation/1", "steno.stream/1"}
    assert state[-1]["stream"] == "replay/-"
    assert b"conversation" in done.stderr


def test_an_output_that_is_not_a_regular_file_is_written_in_place(tmp_path: Path) -> None:
    """`/dev/stdout` is not replaced by a file."""
    file = write(tmp_path, "assistants.jsonl", recording("assistants"))

    done = steno("replay", file, "--metrics", "/dev/stderr")

    assert done.returncode == 0
    assert b"steno_runs_total" in done.stderr


def test_writes_only_what_is_named(tmp_path: Path) -> None:
    """Without an option no file is written."""
    file = write(tmp_path / "in", "voice.jsonl", recording("voice"))

    done = steno("replay", file)

    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "voice.jsonl"]


def test_what_follows_a_close_is_another_stream(tmp_path: Path) -> None:
    """A recording of two connections has two streams, and the session of the first has ended."""
    close = b'{"dir":"close","at":"2026-01-01T00:01:00Z","code":1011,"reason":"gone","ok":false}\n'
    file = write(tmp_path, "two.jsonl", recording("voice", 1) + close + recording("voice", 2))

    steno("replay", file, "--state", tmp_path / "state")

    state = lines(tmp_path / "state")
    assert [(line["key"], line["open"], line["closed_reason"]) for line in state if "key" in line] == [
        ("replay/two", False, "disconnected"),
        ("replay/two#2", True, None),
    ]
    assert [line["stream"] for line in state if "frames" in line] == ["replay/two", "replay/two#2"]


CLEARED = b'{"type":"input_audio_buffer.cleared"}'
CLOSE = b'{"dir":"close","code":1000,"reason":""}'


def keys_of(tmp_path: Path, *files: Path) -> list[tuple[str, str | None]]:
    """The stream and the key of each conversation, then the streams."""
    assert steno("replay", *files, "--state", tmp_path / "state").returncode == 0
    return sorted((line["stream"], line.get("key")) for line in lines(tmp_path / "state") if "key" in line)


def test_stream_names(tmp_path: Path) -> None:
    """A stream has the name of its file, without folder and suffix; a repeated name is numbered, as a further part is.

    A number that a name has by itself, and one that a second session has, are other numbers.
    """
    names = ("a/x.jsonl", "b/x.jsonl", "y.frames.jsonl", "c/x.jsonl", "x#2.jsonl", "z.jsonl", "c/z.jsonl")
    contents: dict[str, list[bytes]] = {
        "b/x.jsonl": [CLEARED, CLOSE, CLEARED],
        "z.jsonl": [session("sess_1"), created("resp_1"), done("resp_1"), session("sess_2")],
    }
    files = []
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        files.append(write(path.parent, path.name, contents.get(name, [CLEARED])))

    assert keys_of(tmp_path, *files) == [
        ("replay/x", "replay/x"),
        ("replay/x#2", "replay/x#2"),
        ("replay/x#3", "replay/x#3"),
        ("replay/x#4", "replay/x#4"),
        ("replay/x%232", "replay/x%232"),
        ("replay/y.frames", "replay/y.frames"),
        ("replay/z", "replay/z"),
        ("replay/z", "replay/z#2"),
        ("replay/z#3", "replay/z#3"),
    ]


def test_replies_of_one_chain_are_one_conversation(tmp_path: Path) -> None:
    """As they were when they were recorded. Of a connection the lane is one."""
    line, reply = b'{"dir":"received",%b"data":%b}', b'"reply":true,'
    one, two, three = answered("resp_1"), answered("resp_2", "resp_1"), answered("resp_3")
    files = [
        write(tmp_path, "one.jsonl", [line % (reply, one), CLOSE]),
        write(tmp_path, "two.jsonl", [line % (reply, two), CLOSE]),
        write(tmp_path, "three.jsonl", [line % (b"", three), CLOSE]),
    ]

    assert keys_of(tmp_path, *files) == [("replay/one", "replay/resp_1"), ("replay/three", "replay/three/default")]


def answered(key: str, former: str | None = None) -> bytes:
    members = {"object": "response", "status": "completed", "previous_response_id": former}
    return json.dumps({"id": key, **members}).encode()


def session(key: str) -> bytes:
    return json.dumps({"type": "session.created", "session": {"id": key}}).encode()


def created(key: str) -> bytes:
    return json.dumps({"type": "response.created", "response": {"id": key}}).encode()


def done(key: str) -> bytes:
    return json.dumps({"type": "response.done", "response": {"id": key, "status": "completed"}}).encode()


def test_a_file_and_a_conversation_of_one_name_stay_apart(tmp_path: Path) -> None:
    """Whichever of them comes first."""
    named = b'{"specversion":"1.0","id":"%d","source":"s","subject":"x","data":%b}'
    envelopes = write(tmp_path, "envelopes.jsonl", [named % (1, CLEARED)])
    bare = write(tmp_path, "x.jsonl", [CLEARED])

    assert keys_of(tmp_path, envelopes, bare) == [
        ("replay/envelopes", "replay/x"),
        ("replay/x#2", "replay/x#2"),
    ]
    assert keys_of(tmp_path, bare, envelopes) == [("replay/envelopes", "replay/x~"), ("replay/x", "replay/x")]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["missing.jsonl"], 65, b"cannot read missing.jsonl"),
        ([], 64, b"Missing argument"),
        (["x", "--state", "/nowhere/at/all/state"], 69, b"cannot write /nowhere/at/all/state"),
        (["x", "--state", "-", "--metrics", "-"], 64, b"only one output"),
    ],
)
def test_mistakes_end_in_a_clear_line(args: list[str], code: int, message: bytes, tmp_path: Path) -> None:
    """An exit code for the kind of mistake, a line that names it, and no traceback."""
    file = write(tmp_path, "x", b"")

    done = steno("replay", *[str(file) if arg == "x" else arg for arg in args])

    assert done.returncode == code
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("limits", "kept"), [("", 300), ("[limits]\nitems = 9", 300), ("[limits]\nkept_objects = 2", 2)]
)
def test_all_objects_are_kept_unless_the_configuration_says_otherwise(tmp_path: Path, limits: str, kept: int) -> None:
    """A configuration without the key changes nothing."""
    done = ({"type": "response.done", "response": {"id": f"resp_{n}", "status": "completed"}} for n in range(300))
    file = write(tmp_path, "many.jsonl", (json.dumps(each).encode() for each in done))
    config = write(tmp_path, "steno.toml", limits.encode())

    ran = steno("replay", file, "-c", config, "--state", tmp_path / "state")

    assert ran.returncode == 0, ran.stderr
    state = lines(tmp_path / "state")[0]
    assert (len(state["responses"]), state["totals"]["dropped_objects"]) == (kept, 300 - kept)


@pytest.mark.parametrize("terminal", ["dumb", "xterm-256color"])
def test_names_that_look_like_markup_are_shown_as_they_are(terminal: str, tmp_path: Path) -> None:
    """The tables colour and interpret nothing that a sender chose, and one name does not end the command."""
    names = ("[bold]", "[red]loud", "a:smile:", "[link=x]")  # a slash is escaped in the key of a conversation
    session = {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1"}}
    events = [
        {"specversion": "1.0", "id": f"e{n}", "source": "//relay", "subject": name, "data": session}
        for n, name in enumerate(names)
    ]
    invented = {"type": "[/dim]invented"}
    file = write(tmp_path, "[bold]x.jsonl", (json.dumps(each).encode() for each in (*events, invented)))

    done = steno("replay", file, FORCE_COLOR="1", TERM=terminal, COLUMNS="120")

    printed = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert [name for name in (*names, "[/dim]invented") if name not in printed] == []


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    """One GiB without a newline, in a process that may have half of it. What comes before it counts."""
    opened = b'{"type":"session.created","session":{"id":"sess_long"}}\n'
    file = write(tmp_path, "long.jsonl", opened)
    with file.open("ab") as sparse:
        sparse.truncate(1 << 30)

    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))"
    done = steno("replay", file, "--metrics", tmp_path / "metrics", "--audit", tmp_path / "audit", limit=limit)

    assert (done.returncode, done.stderr) == (0, b"")
    records = [
        json.loads(line) for path in (tmp_path / "audit").glob("*.jsonl") for line in path.read_bytes().splitlines()
    ]
    closed = next(record["body"] for record in records if record["fact"] == "stream.closed")
    assert (closed["frames"], closed["code"], closed["gap"]) == (1, 1009, "frame_too_big")
