"""What is kept of people's words, and how a fact becomes the body of a record. Pure but for the files of words.

The policy acts on `Content` alone, since a fact holds words in no other form, and it fails closed: what the
encoder does not know it refuses, and what the redactor cannot read is dropped. A record has a longest length;
what does not fit is cut, and says so.
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
from steno.wire import mask

ContentRule = Literal["none", "redacted", "full"]
"""How much of a text is kept: how long it was; the text without what the redactor finds; all of it."""

IN_FILES: Final = "words-in-files"
IN_CHAIN: Final = "words-in-chain"
"""How a policy says that words stand in the records themselves, where they cannot be erased."""
CUT_BYTES: Final = 128
"""What it takes to say that a text was cut."""


class ContentPolicy(Struct, frozen=True):
    """A rule for each kind of words."""

    rules: Mapping[str, ContentRule]
    files: bool = False
    """Whether words are kept in files beside the log, where they can be erased, and not in the chain."""

    @classmethod
    def of(cls, default: ContentRule, kinds: Mapping[str, ContentRule] | None = None, *, files: bool = False) -> Self:
        """Return the policy of a `default` and of the `kinds` that differ from it."""
        return cls({kind: (kinds or {}).get(kind, default) for kind in KINDS}, files)

    @property
    def redacts(self) -> bool:
        """Whether any words are redacted."""
        return "redacted" in self.rules.values()

    @property
    def keeps_words(self) -> bool:
        """Whether any words are kept at all."""
        return set(self.rules.values()) != {"none"}

    def describe(self) -> str:
        """Return what `log.opened` says: `none`, or each kind that is kept with its rule, and where words go."""
        if not self.keeps_words:
            return "none"
        kept = [f"{kind}={rule}" for kind, rule in self.rules.items() if rule != "none"]
        return " ".join((*kept, IN_FILES if self.files else IN_CHAIN))


NONE: Final = ContentPolicy.of("none")


class Found(Protocol):
    """What is left of a text, and what was taken out."""

    @property
    def text(self) -> str | None:
        """The text without what was found; None where it could not be looked at."""

    @property
    def counts(self) -> dict[str, int]:
        """Class to how many finds."""


class Redacts(Protocol):
    """What takes personal data out of texts."""

    @property
    def version(self) -> str:
        """Names what it finds: two texts that were redacted under one version were treated alike."""

    def redact(self, text: str) -> Found:
        """Return what is left of `text`. Does not raise."""


class WordFiles(Protocol):
    """Where words go that are to stay out of the chain."""

    def keep(self, conversation: str, kind: str, text: str) -> tuple[str, str]:
        """Keep `text`; return the name of its file, and the HMAC under that file's key, in hex.

        Raises OSError where that cannot be done.
        """


class ContentField(Struct, frozen=True, omit_defaults=True):
    """What a record tells of words."""

    kind: str
    """transcript, text, arguments, output, instructions, user, metadata or message."""
    length: int
    """In characters, of the words as they were said, whatever is kept of them."""
    text: str | UnsetType | None = UNSET
    """What is kept; null where that could not be: what the redactor cannot read is dropped."""
    cut: bool = False
    """Whether `text` is the beginning alone, since a record has a longest length."""
    policy: str | UnsetType = UNSET
    """`full`, or the version of what the words were redacted by."""
    redacted: dict[str, int] | UnsetType = UNSET
    """How many finds were taken out, by class."""
    digest: str | UnsetType = UNSET
    """HMAC-SHA256 of the words as they were said, under the configured key, in hex."""
    sha256: str | UnsetType = UNSET
    """Of all that is kept, where `text` is the beginning alone and there is no `digest`, in hex."""
    file: str | UnsetType = UNSET
    """The file beside the log that holds what is kept; there is no `text` then."""
    hmac: str | UnsetType = UNSET
    """HMAC-SHA256 of what is kept, under the key that stands in `file`, in hex."""


class BodyEncoder:
    """Writes facts as bodies of records, their words as the policy has it.

    Facts that hold words are for one thread at a time, since `redactor` and `files` may be; others are for any.
    """

    def __init__(
        self,
        policy: ContentPolicy,
        *,
        redactor: Redacts | None = None,
        digest_key: bytes | None = None,
        files: WordFiles | None = None,
    ) -> None:
        """Write by `policy`.

        Args:
            policy: what is kept of which words.
            redactor: takes out what is not to be kept; without one, what would be redacted is dropped.
            digest_key: the secret under which words are digested, so that one who knows them can ask for them.
            files: where words go if `policy.files`.
        """
        self.policy = policy
        self._redactor = redactor
        self._digest_key = digest_key
        self._files = files

    @property
    def keeps_words(self) -> bool:
        """Whether words are looked through, or go to files: too slow for whoever reads a socket."""
        return self.policy.keeps_words

    def body(self, fact: Fact, owner: str = "", longest: int | None = None) -> bytes:
        """Return the members of `fact` as compact JSON, in the order of their declaration, null where None.

        Args:
            fact: what has happened.
            owner: the conversation whose words it may hold.
            longest: how many bytes that may take, 32 at least: what is longer is cut, texts first.

        Raises NotImplementedError where a member is of a type that has no place in a fact, and OSError where a file of
        words cannot be read.
        """
        told: dict[int, ContentField] = {}

        def tell(value: object) -> ContentField:
            if (known := told.get(id(value))) is None:
                known = told[id(value)] = self._tell(value, owner)
            return known

        body = msgspec.json.encode(fact, enc_hook=tell)
        if longest is None or len(body) <= longest:
            return body
        told.update(_shortened(told, len(body), longest))
        return _without_tails(msgspec.json.encode(fact, enc_hook=tell), longest)

    def _tell(self, words: object, owner: str) -> ContentField:
        """Return what may be told of words."""
        if not isinstance(words, Content):
            raise NotImplementedError(f"a fact holds a {type(words).__name__}, which no content policy knows")
        rule = self.policy.rules.get(words.kind, "none")
        told = ContentField(words.kind, len(words.text), digest=self._digest(words.text))
        if rule == "none":
            return told
        text = _masked(_utf8(words.text))
        if rule == "full":
            return self._kept(replace(told, policy="full"), text, owner)
        if self._redactor is None:
            return replace(told, policy="redacted", text=None)
        found = self._redactor.redact(text)
        told = replace(told, policy=self._redactor.version, redacted=found.counts)
        return replace(told, text=None) if found.text is None else self._kept(told, found.text, owner)

    def _kept(self, told: ContentField, text: str, owner: str) -> ContentField:
        """Return `told` with what is kept, or with where it is."""
        if not self.policy.files:
            return replace(told, text=text)
        if self._files is None:
            return replace(told, text=None)
        file, proof = self._files.keep(owner, told.kind, text)
        return replace(told, file=file, hmac=proof)

    def _digest(self, text: str) -> str | UnsetType:
        if self._digest_key is None:
            return UNSET
        return hmac.digest(self._digest_key, _utf8(text), "sha256").hex()


def _utf8(text: str) -> bytes:
    """Return `text` in bytes, with `?` for half a character."""
    return text.encode(errors="replace")


def _masked(text: bytes) -> str:
    """Return `text` without its secrets; where it has none, with its spaces and line breaks as they were."""
    on_a_line = text.translate(_SPACES)
    return (text if mask(on_a_line) == on_a_line else mask(text)).decode()


_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


# Cut ------------------------------------------------------------------------------------------------------


def beginning(text: str, longest: int) -> str:
    """Return as much of `text` as takes `longest` bytes or less as a JSON string, its quotes included."""
    lengths = range(min(len(text), max(0, longest)) + 1)
    return text[: max(0, bisect_right(lengths, longest, key=lambda length: _size(text[:length])) - 1)]


def _size(text: str) -> int:
    return len(msgspec.json.encode(text))


def _shortened(told: Mapping[int, ContentField], size: int, longest: int) -> dict[int, ContentField]:
    """Return those of `told` whose texts are to be cut, the longest ones, so that `size` bytes become `longest`."""
    texts = {key: each.text for key, each in told.items() if isinstance(each.text, str)}
    sizes = {key: _size(text) for key, text in texts.items()}
    room = longest - size + sum(sizes.values())
    cut = {}
    for left, key in zip(range(len(texts), 0, -1), sorted(texts, key=sizes.__getitem__), strict=True):
        share = max(0, room // left)
        if sizes[key] > share:
            cut[key] = _cut(told[key], texts[key], share - CUT_BYTES)
        room -= min(share, sizes[key])
    return cut


def _cut(told: ContentField, text: str, longest: int) -> ContentField:
    """Return `told` with the beginning of `text`, and the hash of all of it."""
    digest = hashlib.sha256(text.encode()).hexdigest() if told.digest is UNSET else UNSET
    return replace(told, text=beginning(text, longest), cut=True, sha256=digest)


def _without_tails(body: bytes, longest: int) -> bytes:
    """Return `body` with its lists and strings cut until it fits; the member `cut` tells how long they were."""
    if len(body) <= longest:
        return body
    members: dict[str, Any] = msgspec.json.decode(body)
    shorter: dict[str, Any] = {**members, "cut": {}}
    while len(told := msgspec.json.encode(shorter)) > longest:
        name = _fattest(shorter)
        if name is None:
            return msgspec.json.encode({"cut": {"body": len(body)}})
        shorter[name] = shorter[name][: len(shorter[name]) // 2]
        shorter["cut"][name] = len(members[name])
    return told


def _fattest(members: Mapping[str, Any]) -> str | None:
    """Return which of the lists and strings takes most; None where all are empty."""
    filled = [name for name, value in members.items() if value and isinstance(value, list | str)]
    return max(filled, key=lambda name: len(msgspec.json.encode(members[name])), default=None)
