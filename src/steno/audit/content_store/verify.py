"""`steno verify --words`: the files of words held against the records that name them. I/O.

The chain says of each text that it was kept, and its HMAC under its file's key. What a file has lost is missing, unless
a later record says that it was erased, or the segments that named it are old enough to go.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.audit.content_store.files import FILE_NAME, FOLDER, Header, Text, proof
from steno.audit.content_store.references import ERASED, tellings
from steno.audit.directory import segments

FILES_KEPT: Final = 256
"""Files whose proofs are remembered while the records are gone through."""


class Words(Struct, frozen=True):
    """What was found of the words that records name."""

    proved: int
    """Texts that stand in their file as they were kept."""
    erased: int
    """Texts that are gone, as a later record says."""
    retired: int
    """Texts that are gone and were named by the oldest segment: they went with those before it."""
    missing: int
    first_missing: int | None
    """The first record that names a text which is not in its file."""

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return self.missing == 0


class _Record(Struct, frozen=True):
    seq: int
    fact: str
    body: dict[str, Any]


class _Open:
    """Texts of one file that were named and not found, as long as no record says that they were erased."""

    def __init__(self) -> None:
        self.in_first_segment = 0
        self.others = 0
        self.first_other: int | None = None


def verify_content(directory: Path) -> Words:
    """Hold the files of words beside the log in `directory` against its records, which are taken to be proved.

    Raises OSError where a file cannot be read.
    """
    proofs = lru_cache(FILES_KEPT)(lambda name: _proofs(directory / FOLDER / Path(name).name))
    proved = erased = 0
    lost: dict[str, _Open] = {}
    for number, record in _records(directory):
        if record.fact == ERASED:
            gone = lost.pop(str(record.body.get("file")), _Open())
            erased += gone.in_first_segment + gone.others
            continue
        for told in tellings(record.body):
            file = told.get("file")
            if file is None:
                continue
            if told.get("hmac") in proofs(str(file)):
                proved += 1
            else:
                _lose(lost.setdefault(str(file), _Open()), record.seq, first_segment=number == 0)
    firsts = [each.first_other for each in lost.values() if each.first_other is not None]
    return Words(
        proved=proved,
        erased=erased,
        retired=sum(each.in_first_segment for each in lost.values()),
        missing=sum(each.others for each in lost.values()),
        first_missing=min(firsts, default=None),
    )


def _lose(into: _Open, seq: int, *, first_segment: bool) -> None:
    # The first segment of a log that begins at record 1 is not old: nothing went before it.
    if first_segment:
        into.in_first_segment += 1
        return
    into.others += 1
    into.first_other = into.first_other or seq


def _records(directory: Path) -> Iterator[tuple[int, _Record]]:
    """Yield the records that are about words in files, each with the number of its segment here, from 0."""
    found = segments(directory)
    begins_late = bool(found) and not found[0].name.endswith(f"{1:020}.jsonl")
    for number, path in enumerate(found, start=0 if begins_late else 1):
        with path.open("rb") as file:
            for line in file:
                if b'"hmac":"' in line or b'"fact":"content.erased"' in line:
                    try:
                        yield number, msgspec.json.decode(line, type=_Record)
                    except ValueError:  # a line that does not hold is told by the proof of the chain
                        continue


def _proofs(path: Path) -> frozenset[str]:
    """Return the proofs of the texts in a file, made anew from its key; empty where there is no such file."""
    if not FILE_NAME.fullmatch(path.name):
        return frozenset()
    try:
        with path.open("rb") as file:
            key = bytes.fromhex(msgspec.json.decode(file.readline(), type=Header).key)
            texts = (msgspec.json.decode(line, type=Text) for line in file if line.endswith(b"\n"))
            return frozenset(proof(key, text.text) for text in texts)
    except (FileNotFoundError, ValueError):
        return frozenset()


def describe(words: Words) -> list[str]:
    """Return what was found, as lines for a terminal."""
    counts = [f"{words.proved} texts stand as they were kept"]
    counts += [f"{words.erased} were erased"] if words.erased else []
    counts += [f"{words.retired} went with the segments before them"] if words.retired else []
    lines = [f"words     {', '.join(counts)}"]
    if words.missing:
        lines.insert(0, f"WORDS ARE MISSING: {words.missing} texts, the first one that of record {words.first_missing}")
    return lines
