"""What an audit log on the disk shows of its conversations: the same as a running daemon, as of its newest record. I/O.

Texts are in the records, or in files beside the log (`audit/content_store`). These are read where they are there and
may be read; what was erased is gone.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from steno.audit.content_store.files import FOLDER, StoredText, file_name
from steno.core.facts import KINDS
from steno.regular_files import open_regular
from steno.timestamps import SECOND, Micros, parse_timestamp
from steno.view.changes import Fingerprint
from steno.view.document import document_of
from steno.view.log_index import Indexed, LogIndex
from steno.view.rows import Row, counted_at_end, row_of
from steno.view.shapes import Texts
from steno.view.sources import SourceList, SourceRow
from steno.view.timeline import ContentShown, Timeline, timeline

STORED_BYTES: Final = 64 * 1024 * 1024
"""How much is read of the texts of one conversation."""

Work = Callable[[], bytes]


class FiledTexts(Texts):
    """Texts of one conversation, out of its records and out of its file beside the log."""

    def __init__(self, folder: Path | None, key: str) -> None:
        """Read from the log in `folder`; None where there are no files."""
        self._name = file_name(key)
        self._path = None if folder is None else folder / FOLDER / self._name
        self._by_hmac: dict[str, str] | None = None

    def stored(self, content: dict[str, Any]) -> str | None:
        """Return the text that a record refers to; None where its file is gone, or is not for us to read."""
        if content.get("file") != self._name or self._path is None:
            return None
        if self._by_hmac is None:
            self._by_hmac = _stored(self._path)
        return self._by_hmac.get(str(content.get("hmac")))


def _stored(path: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    with suppress(OSError), open_regular(path, follow=False) as file:
        for line in file.read(STORED_BYTES).splitlines()[1:]:
            with suppress(msgspec.DecodeError):
                stored = msgspec.json.decode(line, type=StoredText)
                texts[stored.hmac] = stored.text
    return texts


class Archive:
    """The conversations of an audit log."""

    def __init__(self, index: LogIndex) -> None:
        """Show what `index` has found."""
        self._index = index

    def now(self) -> Micros:
        """Return the time of the newest record: what the log says is true then. 0 where it has no times."""
        at = self._index.stand().last_at
        return 0 if at is None else parse_timestamp(at)

    @property
    def _content(self) -> ContentShown:
        """What the log keeps of texts, by its newest segment."""
        policy = self._index.content_policy
        if policy == "none":
            return "none"
        return "full" if all(f"{kind}=full" in policy.split() for kind in KINDS) else "redacted"

    # Rows -----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Return the rows of all conversations."""
        now = self.now()
        return [_row(each, now) for each in self._index.conversations()]

    def fingerprints(self) -> dict[str, Fingerprint]:
        """Return what differs where a row does."""
        return {each.tally.key: (each.tally.records,) for each in self._index.conversations()}

    def rows_of(self, keys: Iterable[str]) -> list[Row]:
        """Return the rows of some conversations."""
        now = self.now()
        return [_row(found, now) for key in keys if (found := self._index.find(key)) is not None]

    def sources(self) -> SourceList:
        """Return the sources that the log names. None of them is ready: nothing is received."""
        newest: dict[str, float | None] = {}
        counts: dict[str, int] = {}
        for row in self.rows():
            counts[row.source] = counts.get(row.source, 0) + 1
            newest[row.source] = max((newest.get(row.source), row.last_event_at), key=lambda at: at or 0.0)
        rows = [
            SourceRow(
                name=name,
                kind="log",
                labels={},
                ready=False,
                problem=None,
                streams=0,
                conversations=counts[name],
                last_event_at=newest[name],
            )
            for name in sorted(counts)
        ]
        return SourceList(self.now() / SECOND, rows)

    # One conversation -----------------------------------------------------------------------------------

    def timeline(self, key: str, *, texts: bool) -> Work | None:
        """Return what makes the timeline of a conversation; None where there is none."""
        indexed = self._index.find(key)
        return None if indexed is None else lambda: msgspec.json.encode(self._timeline(indexed, texts=texts))

    def document(self, key: str, *, texts: bool) -> Work | None:
        """Return what makes the document of a conversation, likewise. A log has no objects of upstream."""
        indexed = self._index.find(key)
        return None if indexed is None else lambda: document_of(self._timeline(indexed, texts=texts))

    def _timeline(self, indexed: Indexed, *, texts: bool) -> Timeline:
        now = self.now()
        row = _row(indexed, now)
        records = self._index.records(indexed)
        return timeline(
            records,
            row,
            at=now / SECOND,
            content=self._content if texts else "withheld",
            omitted=max(0, indexed.tally.records - len(records)),
            texts=FiledTexts(self._index.folder, row.key),
        )


def _row(indexed: Indexed, now: Micros) -> Row:
    return row_of(indexed.tally, counted_at_end(indexed.tally), {}, now)
