"""What the chained records themselves hold of a conversation's words, where nobody can erase them. I/O."""

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.audit.content_store.files import file_name
from steno.audit.directory import segments

ERASED: Final = "content.erased"
"""Says that the words of a conversation were removed, and the key that proved them."""
CHAINED: Final = ("text", "digest", "sha256")
"""Members of words in a record that tell them, or by which a guess can be proved."""


class ContentReferences(Struct, frozen=True):
    """What a log holds of the words of a conversation."""

    chained: int
    """Records that hold words, or by which a guess at them can be proved."""
    first_seq: int | None
    """The first of these."""
    in_files: bool
    """Whether a record names the conversation's file of words, and none after it says that it was erased."""


class _Record(Struct, frozen=True):
    seq: int
    fact: str
    conversation: str | None
    body: dict[str, Any]


def trace(directory: Path, conversation: str) -> ContentReferences:
    """Look through all records of `conversation` in the log. Raises OSError where it cannot be read."""
    file = file_name(conversation)
    chained, first_seq, in_files = 0, None, False
    for record in _records(directory, conversation):
        words = list(tellings(record.body))
        if record.fact == ERASED:
            in_files = False
        elif any(told.get("file") == file for told in words):
            in_files = True
        if any(told.get(member) for told in words for member in CHAINED):
            chained += 1
            first_seq = first_seq or record.seq
    return ContentReferences(chained, first_seq, in_files)


def _records(directory: Path, conversation: str) -> Iterator[_Record]:
    """Yield the records of a conversation, in order. Lines that are none are passed over: `steno verify` finds them."""
    conversation = conversation.encode(errors="replace").decode()  # as records have it
    wanted = b'"conversation":%b,' % msgspec.json.encode(conversation)
    for path in segments(directory):
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                continue
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as held:
                yield from _matching(held, wanted, conversation)


def _matching(held: mmap.mmap, wanted: bytes, conversation: str) -> Iterator[_Record]:
    place = held.find(wanted)
    while place >= 0:
        start = held.rfind(b"\n", 0, place) + 1
        end = held.find(b"\n", place)
        with suppress(ValueError):
            record = msgspec.json.decode(held[start : end if end >= 0 else len(held)], type=_Record)
            if record.conversation == conversation:
                yield record
        place = held.find(wanted, end) if end >= 0 else -1


def tellings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield what a body tells of words, at any depth: an object a text, with its kind and length."""
    if isinstance(value, dict):
        if {"kind", "length"} <= value.keys():
            yield value
        for inner in value.values():
            yield from tellings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from tellings(inner)
