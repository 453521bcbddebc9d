"""A log written by the pipeline, exported line by line."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from steno.app.export import export
from steno.cli import cli
from steno.errors import DataError, UsageError
from steno.export import FORMATS

RECORDINGS = Path("tests/golden")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two segments."""
    folder = tmp_path_factory.mktemp("log")
    for name in ("barge-in", "run-expires"):
        done = CliRunner().invoke(cli, ["replay", str(RECORDINGS / name / "recording.jsonl"), "--audit", str(folder)])
        assert done.exit_code == 0, done.output
    return folder


def lines_of(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.glob("audit-*")) for line in path.read_bytes().splitlines(keepends=True)]


@pytest.mark.parametrize("form", FORMATS)
def test_every_record_has_a_line_with_its_hash(form: str, log: Path) -> None:
    output = io.BytesIO()
    written = export([log], form, output)
    exported = output.getvalue().splitlines()

    assert written == len(exported) == len(lines_of(log)) > 30
    for record, line in zip(lines_of(log), exported, strict=True):
        json.loads(line)
        assert json.loads(record)["hash"].encode() in line


def test_an_export_goes_on_after_the_last_one(log: Path) -> None:
    """A shipper notes the number of the last record that it has."""
    whole, first, rest = io.BytesIO(), io.BytesIO(), io.BytesIO()
    export([log], "cloudevents", whole)
    export(sorted(log.glob("audit-*"))[:1], "cloudevents", first)
    last = int(json.loads(first.getvalue().splitlines()[-1])["id"])
    export([log], "cloudevents", rest, after=last)

    assert first.getvalue() + rest.getvalue() == whole.getvalue()


def test_a_line_that_is_being_written_is_left_for_later(log: Path, tmp_path: Path) -> None:
    segment = tmp_path / min(log.glob("audit-*")).name
    segment.write_bytes(lines_of(log)[0] + b'{"seq":2,"at":')
    output = io.BytesIO()

    assert export([tmp_path], "ecs", output) == 1


def test_what_is_no_log_is_named(log: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no audit log"):
        export([tmp_path], "ecs", io.BytesIO())
    with pytest.raises(DataError, match="is no segment of an audit log"):
        export([tmp_path / "notes"], "ecs", io.BytesIO())
    with pytest.raises(UsageError, match="each audit log is exported by itself"):
        export([log, tmp_path], "ecs", io.BytesIO())
    segment = tmp_path / min(log.glob("audit-*")).name
    with pytest.raises(DataError, match="cannot read"):
        export([segment], "ecs", io.BytesIO())
    segment.write_bytes(lines_of(log)[0] + b"no record\n" + lines_of(log)[1])
    with pytest.raises(DataError, match=r"line 2 is no record: `steno verify`"):
        export([tmp_path], "ecs", io.BytesIO())


def nested(levels: int) -> object:
    return [nested(levels - 1)] if levels else None


@pytest.mark.parametrize("strange", [{"at": "soon"}, {"body": {"deep": nested(600)}}])
def test_a_record_that_no_steno_wrote_is_named(strange: dict[str, object], log: Path, tmp_path: Path) -> None:
    record = json.loads(lines_of(log)[0])
    (tmp_path / min(log.glob("audit-*")).name).write_text(json.dumps(record | strange) + "\n")

    with pytest.raises(DataError, match="record 1 cannot be exported: `steno verify`"):
        export([tmp_path], "otel", io.BytesIO())


def test_the_command_prints_nothing_but_records(log: Path) -> None:
    done = CliRunner().invoke(cli, ["export", "--format", "otel", str(log)])

    assert (done.exit_code, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(lines_of(log))
