"""How a fact becomes the body of a record, and what a record keeps of content. Pure but for the content files.

A fact holds what people and models say as `Content`, and in no other form. The policy acts on that type alone. It fails
closed: a type that the encoder does not know is refused, and a text that the redactor cannot read is dropped.

A record has a longest length. Where a body is longer, the longest texts are cut first, then lists and strings. The body
says what was cut, and how long it was.
"""

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol, Self

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from steno.core.facts import KINDS, Content, Fact
from steno.core.memory import text_bytes
from steno.wire import mask

ContentRule = Literal["none", "redacted", "full"]
"""How much of a text is kept: how long it was; the text without what the redactor finds; all of it."""

IN_FILES: Final = "words-in-files"
IN_CHAIN: Final = "words-in-chain"
"""How `log.opened` says where content is: in files, where it can be erased, or in the records, where it cannot."""
REDACTION_WEIGHT: Final = 16
"""How many bytes of the queue a character takes that is to be redacted. The worst ones take 4 us each: a queue of 16
MiB so holds 4 s of such work at most, and what is written together a sixteenth of a second."""
CUT_BYTES: Final = 128
"""About how many bytes a content field takes to say that its text was cut."""


class ContentPolicy(Struct, frozen=True):
    """A rule for each kind of content."""

    rules: Mapping[str, ContentRule]
    files: bool = False
    """Whether content is kept in files beside the log, and not in its records."""

    @classmethod
    def of(cls, default: ContentRule, kinds: Mapping[str, ContentRule] | None = None, *, files: bool = False) -> Self:
        """Return the policy of a `default` rule, and of the `kinds` that have another one."""
        return cls({kind: (kinds or {}).get(kind, default) for kind in KINDS}, files)

    @property
    def redacts(self) -> bool:
        """Whether any kind is redacted."""
        return "redacted" in self.rules.values()

    @property
    def keeps_content(self) -> bool:
        """Whether any kind is kept."""
        return set(self.rules.values()) != {"none"}

    def describe(self) -> str:
        """Return what `log.opened` says: `none`, or each kind that is kept with its rule, and where content goes."""
        if not self.keeps_content:
            return "none"
        kept = [f"{kind}={rule}" for kind, rule in self.rules.items() if rule != "none"]
        return " ".join((*kept, IN_FILES if self.files else IN_CHAIN))


NONE: Final = ContentPolicy.of("none")


class Redacted(Protocol):
    """A text without the personal data that was found in it."""

    @property
    def text(self) -> str | None:
        """What is left; None where the text could not be read."""

    @property
    def counts(self) -> dict[str, int]:
        """How many finds were taken out, by class."""


class Redacts(Protocol):
    """Takes personal data out of texts, as far as a budget of work for each record goes."""

    @property
    def version(self) -> str:
        """Names what it looks for: texts that were redacted under one version were treated alike."""

    def budget(self) -> Any:
        """Return what the texts of one record may take together."""

    def redact(self, text: str, budget: Any) -> Redacted:
        """Return what is left of `text`, or nothing where that is over `budget`. Does not raise."""


class KeepsContent(Protocol):
    """Keeps content in files, out of the records."""

    def keep(self, conversation: str, kind: str, text: str) -> tuple[str, str]:
        """Keep `text`; return the name of its file, and its HMAC under that file's key, in hex.

        Raises OSError where that cannot be done.
        """


class ContentField(Struct, frozen=True, omit_defaults=True):
    """What a record holds of one `Content`."""

    kind: str
    """transcript, text, arguments, output, instructions, user, metadata or message."""
    length: int
    """In characters, of the text as it was said, whatever is kept of it."""
    text: str | UnsetType | None = UNSET
    """What is kept; null where nothing could be: a text that the redactor cannot read, or that would take it too long,
    is dropped."""
    cut: bool = False
    """Whether `text` is only the beginning, since a record has a longest length."""
    policy: str | UnsetType = UNSET
    """`full`, or the version of the redactor that read the text."""
    redacted: dict[str, int] | UnsetType = UNSET
    """How many finds were taken out, by class; `error` or `over_budget` where the text was dropped."""
    digest: str | UnsetType = UNSET
    """HMAC-SHA256 of the text as it was said, under the configured key, in hex."""
    sha256: str | UnsetType = UNSET
    """SHA-256 of all that was to be kept, in hex, where `text` is only the beginning and there is no `digest`."""
    file: str | UnsetType = UNSET
    """The file beside the log that holds what is kept. There is no `text` then."""
    hmac: str | UnsetType = UNSET
    """HMAC-SHA256 of what is kept, under the key in `file`, in hex."""


class BodyEncoder:
    """Encodes facts as bodies of records, their content by a policy.

    Facts that hold content are encoded by one thread at a time, since `redactor` and `files` are for one. Other facts
    may be encoded by any thread.
    """

    def __init__(
        self,
        policy: ContentPolicy,
        *,
        redactor: Redacts | None = None,
        digest_key: bytes | None = None,
        files: KeepsContent | None = None,
    ) -> None:
        """Encode by `policy`.

        Args:
            policy: what is kept of which kind of content.
            redactor: takes out what is not to be kept. Without one, texts that would be redacted are dropped.
            digest_key: the secret under which texts are digested, so that who knows a text can show that it was said.
            files: where content goes if `policy.files`. Without them, it is dropped.
        """
        self.policy = policy
        self._redactor = redactor
        self._digest_key = digest_key
        self._files = files
        self.reads_content = policy.keeps_content or digest_key is not None
        """Whether any content is kept or digested: to go through it is too slow for the loop that reads sockets."""

    def weight(self, content: Content) -> int:
        """Return how much of the queue `content` takes while it waits: a text that is to be redacted is work, too."""
        if self._redactor is not None and self.policy.rules.get(content.kind) == "redacted":
            return len(content.text) * REDACTION_WEIGHT
        return text_bytes(content.text)

    def body(self, fact: Fact, owner: str = "", longest: int | None = None, *, brief: bool = False) -> bytes:
        """Return the members of `fact` as compact JSON, in the order of their declaration, null where None.

        Args:
            fact: what has happened.
            owner: the conversation whose content it may hold.
            longest: how many bytes the body may take, 32 or more. A longer one is cut, texts first.
            brief: whether texts that would have to be redacted are dropped, since there is no time for it.

        Raises NotImplementedError where a member is of a type that has no place in a fact, and OSError where a content
        file cannot be read.
        """
        if not self.reads_content:
            body = _LENGTHS.encode(fact)
            if longest is None or len(body) <= longest:
                return body
        # By identity: a body that is cut is encoded twice, and a text goes through the redactor and into its file once.
        fields: dict[int, ContentField] = {}
        budget = None if self._redactor is None or brief else self._redactor.budget()

        def encode_content(value: object) -> ContentField:
            if (field := fields.get(id(value))) is None:
                field = fields[id(value)] = self._field(value, owner, budget)
            return field

        body = msgspec.json.encode(fact, enc_hook=encode_content)
        if longest is None or len(body) <= longest:
            return body
        fields.update(_shortened(fields, len(body), longest))
        return _without_tails(msgspec.json.encode(fact, enc_hook=encode_content), longest)

    def _field(self, content: object, owner: str, budget: Any) -> ContentField:
        """Return what the policy lets a record hold of `content`; without a `budget` nothing is redacted."""
        content = _content(content)
        rule = self.policy.rules.get(content.kind, "none")
        field = ContentField(content.kind, len(content.text), digest=self._digest(content.text))
        if rule == "none":
            return field
        if rule == "full":
            return self._kept(replace(field, policy="full"), _masked(_utf8(content.text)), owner)
        if self._redactor is None:
            return replace(field, policy="redacted", text=None)
        if budget is None:
            return replace(field, policy=self._redactor.version, text=None, redacted={"over_budget": 1})
        redacted = self._redactor.redact(_masked(_utf8(content.text)), budget)
        field = replace(field, policy=self._redactor.version, redacted=redacted.counts)
        return replace(field, text=None) if redacted.text is None else self._kept(field, redacted.text, owner)

    def _kept(self, field: ContentField, text: str, owner: str) -> ContentField:
        """Return `field` with `text`, or with the file that `text` is kept in."""
        if not self.policy.files:
            return replace(field, text=text)
        if self._files is None:
            return replace(field, text=None)
        file, keyed = self._files.keep(owner, field.kind, text)
        return replace(field, file=file, hmac=keyed)

    def _digest(self, text: str) -> str | UnsetType:
        if self._digest_key is None:
            return UNSET
        return hmac.digest(self._digest_key, _utf8(text), "sha256").hex()


def _content(value: object) -> Content:
    """Return `value`, which the encoder does not know, where it is content. Raises NotImplementedError otherwise."""
    if not isinstance(value, Content):
        raise NotImplementedError(f"a fact holds a {type(value).__name__}, which no content policy knows")
    return value


def length_alone(value: object) -> ContentField:
    """Return what a record holds of content of which nothing is kept. Raises NotImplementedError for all else."""
    content = _content(value)
    return ContentField(content.kind, len(content.text))


_LENGTHS: Final = msgspec.json.Encoder(enc_hook=length_alone)
"""Encodes facts where nothing is kept of any content."""


def _utf8(text: str) -> bytes:
    """Return `text` in UTF-8, with `?` for a lone surrogate."""
    return text.encode(errors="replace")


def _masked(text: bytes) -> str:
    """Return `text` without its secrets."""
    # `mask` puts JSON on one line. Where there is no secret, the text keeps its line breaks.
    on_one_line = text.translate(_SPACES)
    return (text if mask(on_one_line) == on_one_line else mask(text)).decode()


_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


# Cut ------------------------------------------------------------------------------------------------------


def beginning(text: str, longest: int) -> str:
    """Return the beginning of `text` that takes at most `longest` bytes as a JSON string, quotes included."""
    lengths = range(min(len(text), max(0, longest)) + 1)
    return text[: max(0, bisect_right(lengths, longest, key=lambda length: _size(text[:length])) - 1)]


def _size(text: str) -> int:
    return len(msgspec.json.encode(text))


def _shortened(fields: Mapping[int, ContentField], size: int, longest: int) -> dict[int, ContentField]:
    """Return the fields whose texts are cut, the longest ones, so that a body of `size` bytes takes `longest`.

    The room that is left is shared out from the shortest text on: a text that needs less than its share is not cut, and
    what it leaves goes to the longer ones.
    """
    texts = {key: field.text for key, field in fields.items() if isinstance(field.text, str)}
    sizes = {key: _size(text) for key, text in texts.items()}
    room = longest - size + sum(sizes.values())
    cut = {}
    for left, key in zip(range(len(texts), 0, -1), sorted(texts, key=sizes.__getitem__), strict=True):
        share = max(0, room // left)
        if sizes[key] > share:
            cut[key] = _cut(fields[key], texts[key], share - CUT_BYTES)
        room -= min(share, sizes[key])
    return cut


def _cut(field: ContentField, text: str, longest: int) -> ContentField:
    """Return `field` with the beginning of `text`, and the hash of all of it unless it has a digest."""
    sha256 = hashlib.sha256(text.encode()).hexdigest() if field.digest is UNSET else UNSET
    return replace(field, text=beginning(text, longest), cut=True, sha256=sha256)


def _without_tails(body: bytes, longest: int) -> bytes:
    """Return `body` with its lists and strings cut until it fits; the member `cut` says how long they were."""
    if len(body) <= longest:
        return body
    members: dict[str, Any] = msgspec.json.decode(body)
    shorter: dict[str, Any] = {**members, "cut": {}}
    while len(encoded := msgspec.json.encode(shorter)) > longest:
        name = _longest_member(shorter)
        if name is None:
            return msgspec.json.encode({"cut": {"body": len(body)}})
        shorter[name] = shorter[name][: len(shorter[name]) // 2]
        shorter["cut"][name] = len(members[name])
    return encoded


def _longest_member(members: Mapping[str, Any]) -> str | None:
    """Return the name of the list or string that takes most bytes; None where all are empty."""
    filled = [name for name, value in members.items() if value and isinstance(value, list | str)]
    return max(filled, key=lambda name: len(msgspec.json.encode(members[name])), default=None)
