"""Finds the content of a conversation in the records of a log, where it cannot be erased. I/O."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from steno.audit.content_store.files import file_name
from steno.audit.directory import segments
from steno.audit.record import LINE_BYTES
from steno.errors import DataError
from steno.regular_files import NotRegularError, open_regular

ERASED: Final = "content.erased"
"""The fact that the content of a conversation was erased, with the key of its file."""
PIECE_BYTES: Final = 1024 * 1024
"""How much of a segment is searched at once."""
CHAINED: Final = ("text", "digest", "sha256")
"""Members of a content field that hold a text, or that confirm a guess at one."""


class ContentReferences(Struct, frozen=True):
    """Where the content of a conversation is."""

    chained: int
    """Records that hold a text of it, or confirm a guess at one."""
    first_seq: int | None
    """The first of these."""
    in_files: bool
    """Whether a record names the conversation's content file, and no later record says that it was erased."""


class _Record(Struct, frozen=True):
    seq: int
    fact: str
    conversation: str | None
    body: dict[str, Any]


def content_references(directory: Path, conversation: str) -> ContentReferences:
    """Return what all records of `conversation` in the log hold.

    Raises OSError where it cannot be read, and DataError where a segment is no file that a writer left: what is in it
    is not known then.
    """
    file = file_name(conversation)
    chained, first_seq, in_files = 0, None, False
    for record in _records(directory, conversation):
        fields = list(content_fields(record.body))
        if record.fact == ERASED:
            in_files = False
        elif any(field.get("file") == file for field in fields):
            in_files = True
        if any(field.get(member) for field in fields for member in CHAINED):
            chained += 1
            first_seq = first_seq or record.seq
    return ContentReferences(chained, first_seq, in_files)


def _records(directory: Path, conversation: str) -> Iterator[_Record]:
    """Yield the records of a conversation, in order. Lines that are no records are skipped: the verifier finds them."""
    conversation = conversation.encode(errors="replace").decode()  # as records have it
    wanted = b'"conversation":%b,' % msgspec.json.encode(conversation)
    for path in segments(directory):
        for lines in _pieces(path):
            yield from _matching(lines, wanted, conversation)


def _pieces(path: Path) -> Iterator[bytes]:
    """Yield a segment in pieces of whole lines, so that none of it is larger than a piece and a line."""
    try:
        with open_regular(path, follow=False) as file:
            rest = b""
            while piece := file.read(PIECE_BYTES):
                lines, newline, rest = (rest + piece).rpartition(b"\n")
                if len(rest) > LINE_BYTES:
                    raise DataError(f"{path}: a line is longer than any record; `steno verify` shows what is wrong")
                yield lines + newline
            yield rest
    except NotRegularError as error:
        raise DataError(f"{path} {error.strerror}; `steno verify` shows what is wrong") from None


def _matching(lines: bytes, wanted: bytes, conversation: str) -> Iterator[_Record]:
    """Yield the records in `lines` that hold `wanted`. Finding bytes is far faster than decoding each line."""
    place = lines.find(wanted)
    while place >= 0:
        start = lines.rfind(b"\n", 0, place) + 1
        end = lines.find(b"\n", place)
        with suppress(ValueError, RecursionError):
            record = msgspec.json.decode(lines[start : end if end >= 0 else len(lines)], type=_Record)
            if record.conversation == conversation:
                yield record
        place = lines.find(wanted, end) if end >= 0 else -1


def content_fields(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the content fields of a body, at any depth: the objects with a kind and a length."""
    if isinstance(value, dict):
        if {"kind", "length"} <= value.keys():
            yield value
        for inner in value.values():
            yield from content_fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from content_fields(inner)
