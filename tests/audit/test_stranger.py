"""A log can be verified without steno: the verifiers that stand in the documentation, run as they are."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from steno.audit.verification.files import verify
from tests.audit.helpers import files, write
from tests.audit.tampered_log import TamperedLog, lines

PAGE = Path(__file__).parent.parent.parent / "docs/audit-for-auditors.md"

Stranger = Callable[..., tuple[int, str]]


@pytest.fixture(params=[("js", "node"), ("sh", "sh")], ids=["node", "sh"])
def stranger(request: pytest.FixtureRequest, tmp_path: Path) -> Stranger:
    """Return a verifier from the page: it takes arguments and returns its exit code and its output."""
    language, program = request.param
    needed = [program] if language == "js" else [program, "basenc", "sha256sum"]
    for each in needed:
        if shutil.which(each) is None:
            pytest.skip(f"{each} is not installed")
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) <= 10
    script = tmp_path / f"verify.{language}"
    script.write_text(block)

    def run(*args: str | Path) -> tuple[int, str]:
        done = subprocess.run([program, script, *args], capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.strip()

    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the folder of a log of several segments, as the daemon writes them."""
    write(tmp_path / "log", range(4), segment_bytes=1000)
    write(tmp_path / "log", range(4, 6))
    assert len(files(tmp_path / "log")) > 2
    return tmp_path / "log"


def test_it_finds_the_head_that_steno_finds(log: Path, stranger: Stranger) -> None:
    report = verify([log])

    assert report.ok
    assert stranger(log) == (0, f"{report.last_seq}:{report.head}")


def test_it_verifies_what_is_left_of_a_log_whose_oldest_segments_were_retired(
    tmp_path: Path, stranger: Stranger
) -> None:
    log = TamperedLog(10, b"w" * 32).begin()
    log.record("log.retired", last_seq=9, last_hash="77" * 32, segments=["audit-00000000000000000001.jsonl"])
    for name, held in log.held.items():
        (tmp_path / name).write_bytes(held)

    assert stranger(tmp_path, "9", "77" * 32) == (0, f"11:{log.head.hex()}")
    assert stranger(tmp_path, "9", "78" * 32) == (1, "record 10 does not hold")


def _removed(held: bytes) -> bytes:
    return b"".join(lines(held)[:1] + lines(held)[2:])


def _twice(held: bytes) -> bytes:
    return b"".join(lines(held)[:2] + lines(held)[1:])


def _swapped(held: bytes) -> bytes:
    first, second, third, *rest = lines(held)
    return b"".join([first, third, second, *rest])


@pytest.mark.parametrize(
    "tamper",
    [
        lambda held: held.replace(b"event_0", b"event_9"),
        lambda held: held.replace(b"event_0", b"event\x000"),
        lambda held: held.replace(b'"item_0"', b'"item_0" '),
        _removed,
        _twice,
        _swapped,
    ],
    ids=["a letter", "a zero", "a space", "a line removed", "a line twice", "lines swapped"],
)
def test_it_names_the_first_record_that_does_not_hold(
    log: Path, stranger: Stranger, tamper: Callable[[bytes], bytes]
) -> None:
    path = log / min(files(log))
    path.write_bytes(tamper(path.read_bytes()))

    report = verify([log])

    assert report.fault is not None
    assert stranger(log) == (1, f"record {report.fault.seq} does not hold")


def test_it_finds_that_a_segment_is_missing(log: Path, stranger: Stranger) -> None:
    second = sorted(files(log))[1]
    (log / second).unlink()

    assert stranger(log) == (1, f"record {int(second[6:26])} does not hold")


def test_a_torn_line_does_not_hold(log: Path, stranger: Stranger) -> None:
    newest, last = log / max(files(log)), verify([log]).last_seq
    for cut in (1, 10):
        newest.write_bytes(newest.read_bytes()[:-cut])

        assert stranger(log) == (1, f"record {last} does not hold")
