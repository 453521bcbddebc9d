# ruff: noqa: INP001  # a script, in no package
"""Replays recordings with another revision and with the working tree, and compares every byte that they write.

    PYTHONPATH=. python tools/compare_outputs.py --base REVISION [--keep FOLDER] [FILE or FOLDER...]

The recordings are those of the golden tests, the simulated ones (the base writes them, once for both sides), and those
that the arguments name: files, and every `*.jsonl` below folders. Each is replayed alone, and all of them together in
one run, under every configuration below. Compared are the state, the metrics, every file of the audit log, the table
on standard output, standard error and the exit code.

Exit codes, as `diff` has them: 0 no difference; 1 differences; 2 nothing was compared.

Left out: `audit.content_files`, since its keys are random and no two runs write the same bytes.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from time import monotonic
from typing import Final

from msgspec import Struct

from tools import revisions
from tools.revisions import RevisionError

REDACTION: Final = ("phonenumbers", "stdnum")
"""The libraries that `content = "redacted"` needs."""
TOGETHER: Final = "all together"
SECRETS: Final = {"AUDIT_KEY": "a" * 64, "DIGEST_KEY": "d" * 64}
"""Environment variables that `KEYED` reads its keys from."""
EXCERPT_BEFORE: Final = 40
"""Bytes of a differing line that are shown before the first differing byte."""
EXCERPT_BYTES: Final = 120

SAME, DIFFERENT, TROUBLE = 0, 1, 2
"""Exit codes."""

REDACTED: Final = """
[audit]
content = "redacted"
regions = ["US", "DE"]
patterns = { contract = "C-[0-9]{8}" }
"""
KEYED: Final = """
[audit]
content = { default = "none", transcript = "full", arguments = "full", metadata = "full", message = "full" }
key = { env = "AUDIT_KEY" }
digest_key = { env = "DIGEST_KEY" }
"""
SMALL: Final = """
[audit]
content = "full"
[limits]
conversations = 2
items = 5
open_responses = 2
kept_objects = 3
object_bytes = 1024
transcript_bytes = 1024
duplicates_window = 4
"""
SHORT_RECORDS: Final = """
[audit]
content = "full"
record_bytes = 4096
segment_bytes = 65536
"""
CONFIGURATIONS: Final[Mapping[str, str]] = {
    "defaults": "",
    "full": '[audit]\ncontent = "full"\n',
    "redacted": REDACTED,
    "by kind, keyed": KEYED,
    "small limits": SMALL,
    "short records": SHORT_RECORDS,
    "short silence": "[limits]\nidle_seconds = 0.5\n",
    "1 label value": "[limits]\nlabel_values = 1\n",
    "3 label values": "[limits]\nlabel_values = 3\n",
}
"""What is compared, by name: the text of a configuration file."""


# What is run ----------------------------------------------------------------------------------------------


class Job(Struct, frozen=True):
    """One run of `steno`, made by both sides."""

    configuration: str
    recording: str
    """For people: enough of the path, or `TOGETHER`."""
    arguments: tuple[str, ...]


def configurations(*, redaction: bool) -> dict[str, str]:
    """Return the configurations that can be run, with or without the libraries of redaction."""
    return {name: text for name, text in CONFIGURATIONS.items() if redaction or name != "redacted"}


def jobs(configured: Mapping[str, Path], recordings: Sequence[Path]) -> list[Job]:
    """Return a job for each recording alone and one for all together, under each configuration.

    Args:
        configured: where each configuration is written, by its name.
        recordings: absolute paths; a job runs in a folder of its own.
    """
    inputs = [(shown(recording), [recording]) for recording in recordings]
    if len(recordings) > 1:
        inputs.append((TOGETHER, list(recordings)))
    return [Job(name, title, _replay(config, files)) for name, config in configured.items() for title, files in inputs]


def _replay(config: Path, files: Sequence[Path]) -> tuple[str, ...]:
    outputs = ("--state", "state", "--metrics", "metrics", "--audit", "audit")
    return ("replay", "-c", str(config), *outputs, *map(str, files))


def shown(recording: Path) -> str:
    """Return enough of a path to tell it from others: many recordings have one name."""
    return str(Path(*recording.parts[-2:]))


def run_both(sides: Sequence[Path], todo: Sequence[Job], folder: Path) -> list[Path]:
    """Run the jobs with both sides at a time; return the folders with what each side wrote, by the job's number.

    Raises RevisionError where a side did not come to its end.
    """
    written = [folder / "base", folder / "new"]
    with ThreadPoolExecutor(len(written)) as threads:
        list(threads.map(_run, sides, [todo] * len(written), written))
    return written


def _run(side: Path, todo: Sequence[Job], where: Path) -> None:
    lines = (
        json.dumps({"arguments": job.arguments, "folder": str(where / str(number))}) for number, job in enumerate(todo)
    )
    done = subprocess.run(  # noqa: S603  # this Python, on one of the two checkouts
        [sys.executable, str(revisions.RUN_JOBS)],
        env={**revisions.environment(side), **SECRETS, "PYTHONHASHSEED": "0"},
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RevisionError(f"{side} could not be run:\n{done.stderr}")


# What is compared -----------------------------------------------------------------------------------------


class Difference(Struct, frozen=True):
    """A file that the two sides wrote differently."""

    file: str
    """Its path below the folder of the job."""
    line: int
    """The first line that differs, from 1 on; 0 where only one side wrote the file, or both sides failed."""
    base: str
    new: str
    """What stands there: an excerpt around the first differing byte."""

    @property
    def output(self) -> str:
        """Which output the file belongs to: `state`, `metrics`, `audit`, `stdout`, `stderr` or `exit`."""
        return self.file.partition("/")[0]


class Comparison(Struct):
    """What was compared, and what was found."""

    files: int = 0
    size: int = 0
    """Bytes that the base wrote."""
    found: list[tuple[Job, Difference]] = []


def compare(written: Sequence[Path], todo: Sequence[Job]) -> Comparison:
    """Compare what both sides wrote for each job."""
    result = Comparison()
    for number, job in enumerate(todo):
        base, new = (side / str(number) for side in written)
        mine = _contents(base)
        result.files += len(mine)
        result.size += sum(map(len, mine.values()))
        result.found += [(job, difference) for difference in differences(mine, _contents(new))]
    return result


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def differences(base: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[Difference]:
    """Yield the files that differ, and a run that failed on both sides: it shows nothing.

    Args:
        base: what one side wrote for a job: contents by name.
        new: what the other one wrote.
    """
    for name in sorted({*base, *new}):
        mine, other = base.get(name), new.get(name)
        if mine is None or other is None:
            yield Difference(name, 0, _presence(mine), _presence(other))
        elif mine != other:
            yield first_difference(name, mine, other)
        elif name == "exit" and mine != b"0\n":
            yield Difference(name, 0, *(_failure(side) for side in (base, new)))


def _presence(content: bytes | None) -> str:
    return "no such file" if content is None else f"{len(content)} bytes"


def _failure(side: Mapping[str, bytes]) -> str:
    errors = side.get("stderr", b"").decode(errors="replace").strip().splitlines()
    return f"exit code {side['exit'].decode().strip()}: {errors[-1] if errors else ''}"


def first_difference(name: str, base: bytes, new: bytes) -> Difference:
    """Return where two contents that differ do so first."""
    lines = zip_longest(base.splitlines(keepends=True), new.splitlines(keepends=True), fillvalue=b"")
    number, mine, other = next((number, *pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1])
    start = max(_same_bytes(mine, other) - EXCERPT_BEFORE, 0)
    return Difference(name, number, _excerpt(mine, start), _excerpt(other, start))


def _same_bytes(mine: bytes, other: bytes) -> int:
    pairs = zip(mine, other, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(mine), len(other)))


def _excerpt(line: bytes, start: int) -> str:
    if not line:
        return "end of file"
    text = line[start : start + EXCERPT_BYTES].decode(errors="backslashreplace").rstrip("\n")
    return ("…" if start else "") + text + ("…" if len(line) > start + EXCERPT_BYTES else "")


# The report -----------------------------------------------------------------------------------------------


def report(result: Comparison) -> Iterator[str]:
    """Yield the lines that say what was compared and what differs."""
    yield f"compared        {result.files:,} files, {result.size:,} bytes"
    if not result.found:
        yield "differences     none: every byte is the same"
        return
    kinds = Counter(difference.output for _, difference in result.found)
    counts = ", ".join(f"{count} {output}" for output, count in kinds.items())
    yield f"differences     {len(result.found)} files ({counts}) of {len({job for job, _ in result.found})} runs"
    yield "The first of each output under each configuration:"
    for job, difference in _examples(result.found):
        place = f"{difference.file}{f', line {difference.line}' if difference.line else ''}"
        yield f"  {job.configuration}: {job.recording}: {place}"
        yield f"    base  {difference.base}"
        yield f"    new   {difference.new}"


def _examples(found: Sequence[tuple[Job, Difference]]) -> Iterable[tuple[Job, Difference]]:
    firsts: dict[tuple[str, str], tuple[Job, Difference]] = {}
    for job, difference in found:
        firsts.setdefault((job.configuration, difference.output), (job, difference))
    return firsts.values()


def main(arguments: Sequence[str]) -> int:
    """Compare, print the report, and return the exit code."""
    options = _options(arguments)
    try:
        with revisions.checkout(options.base) as base, ExitStack() as stack:
            folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steno-compare-")))
            return _compare(base, options.places, folder.resolve())
    except RevisionError as error:
        sys.stderr.write(f"{error}\n")
        return TROUBLE


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare what two revisions write for the same recordings.")
    parser.add_argument("--base", required=True, metavar="REVISION", help="what the working tree is compared with")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave all inputs and outputs in this new folder")
    parser.add_argument("places", nargs="*", type=Path, metavar="PLACE", help="more recordings: files or folders")
    return parser.parse_args(arguments)


def _compare(base: Path, places: Sequence[Path], folder: Path) -> int:
    began = monotonic()
    sides = (base, revisions.ROOT)
    for side in sides:
        revisions.require_own_code(side)
    _say(f"base            {revisions.described(base)}", revisions.lock_warning(*sides))
    recordings = _recordings(sides, places, folder)
    configured = _configured(folder)
    todo = jobs(configured, recordings)
    _say(f"runs            {len(todo)} with each side: every recording alone, and all together in one run")
    result = compare(run_both(sides, todo, folder), todo)
    _say(*report(result), f"took            {monotonic() - began:.0f} s")
    return DIFFERENT if result.found else SAME


def _recordings(sides: Sequence[Path], places: Sequence[Path], folder: Path) -> list[Path]:
    simulated = folder / "simulated"
    try:
        simulated.mkdir(parents=True)
    except FileExistsError:
        raise RevisionError(f"{folder} holds an earlier comparison: name a new folder") from None
    writer = revisions.write_simulated(sides, simulated)
    written = revisions.recordings_in([simulated])
    golden, given = revisions.golden(revisions.ROOT), revisions.recordings_in(places)
    found = [*golden, *written, *given]
    by = "the base" if writer == sides[0] else "the working tree, since the base cannot write them all"
    _say(
        f"recordings      {len(found)}, {sum(path.stat().st_size for path in found):,} bytes: {len(golden)} golden, "
        f"{len(written)} simulated, {len(given)} in {', '.join(map(str, places)) or 'no other place'}",
        f"                the simulated ones were written by {by}",
    )
    return found


def _configured(folder: Path) -> dict[str, Path]:
    redaction = all(map(importlib.util.find_spec, REDACTION))
    texts = configurations(redaction=redaction)
    paths = {name: folder / f"{number}.toml" for number, name in enumerate(texts)}
    for name, text in texts.items():
        paths[name].write_text(text)
    left_out = "content_files (its keys are random)" + ("" if redaction else ", redacted (its libraries are missing)")
    _say(f"configurations  {len(texts)}: {'; '.join(texts)}", f"left out        {left_out}")
    return paths


def _say(*lines: str | None) -> None:
    for line in lines:
        if line is not None:
            sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
