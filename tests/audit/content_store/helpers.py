"""What the tests of the content store share: a log with content files beside it."""

import json
from pathlib import Path

from steno.audit.content_policy import BodyEncoder, ContentPolicy
from steno.audit.content_store.files import ContentFiles, file_name
from steno.audit.content_store.references import ERASED
from steno.audit.record import entry
from steno.core.facts import Content, Fact, ItemAdded
from tests.audit.helpers import AT, opened

CALL = "relay/call-1"


class ContentLog:
    """A log with content files beside it."""

    def __init__(self, directory: Path, *, in_files: bool = True) -> None:
        self.directory = directory
        self.log = opened(directory)
        self.files = ContentFiles(directory)
        self.bodies = BodyEncoder(ContentPolicy.of("full", files=in_files), files=self.files)

    def record(self, *texts: str, conversation: str = CALL) -> None:
        for text in texts:
            fact: Fact = ItemAdded(item_id="item_1", kind="message", role="user", text=Content("text", text))
            body = self.bodies.body(fact, conversation)
            self.log.append(entry(AT, "item.added", conversation, None, None, body))
        self.files.flush()
        self.log.flush()

    def erase(self, conversation: str = CALL) -> None:
        self.files.erase(conversation)
        body = json.dumps({"file": file_name(conversation)}).encode()
        self.log.append(entry(AT, ERASED, conversation, None, None, body))
        self.log.flush()

    def rotate(self) -> None:
        self.log.rotate(AT)
        self.log.flush()

    @property
    def file(self) -> Path:
        return self.directory / "words" / file_name(CALL)
