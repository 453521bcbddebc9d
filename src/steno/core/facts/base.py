"""What facts are made of: the base of all, where one comes from, content, and tokens with their cost."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from steno.timestamps import Micros

KINDS: Final = ("transcript", "text", "arguments", "output", "instructions", "user", "metadata", "message")
"""The kinds of content: what was said, what was written, what a tool was called with and what it returned, the
instructions of a model, the identifier of the end user, what a client attached, and the message of an error."""


class Content:
    """A text of people or models. No encoder knows this type: whoever writes it must apply a content policy first."""

    __slots__ = ("kind", "text")

    def __init__(self, kind: str, text: str) -> None:
        """Hold `text`; `kind` is one of `KINDS`."""
        self.kind = kind
        self.text = text

    def __eq__(self, other: object) -> bool:
        """Compare kind and text."""
        return isinstance(other, Content) and (self.kind, self.text) == (other.kind, other.text)

    def __hash__(self) -> int:
        """Hash kind and text."""
        return hash((self.kind, self.text))

    def __repr__(self) -> str:
        """Show the length and never the text: this may end up in a traceback."""
        return f"Content({self.kind!r}, {len(self.text)} characters)"


def content(kind: str, text: str | None) -> Content | None:
    """Return `text` as content of a `kind`; None where it is empty."""
    return Content(kind, text) if text else None


def metadata_content(metadata: Mapping[str, Any] | None) -> Content | None:
    """Return what a client attached to an object as content, in JSON; None where that is nothing."""
    return Content("metadata", msgspec.json.encode(metadata).decode()) if metadata else None


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """Which conversation and stream a fact is about, when it happened, and which upstream event caused it."""

    at: Micros | None
    source: str
    stream: str | None
    conversation: str | None = None
    family: str | None = None
    event_id: str | None = None


class Tokens(Struct, frozen=True, gc=False):
    """One disjoint bucket of tokens: `direction` input or output, `modality` text, audio, image or unknown."""

    model: str | None
    direction: str
    modality: str
    cached: bool
    tokens: int


class CacheWrite(Struct, frozen=True, gc=False):
    """Tokens of the fresh input that were written to the prompt cache, and how long they are kept there."""

    kept: str
    """30m or 12h."""
    tokens: int


class CostLine(Struct, frozen=True, gc=False):
    """A quantity and its rate: the tokens of one bucket, a duration, or calls of a tool. Decimals are exact strings."""

    rate: str
    """USD a token, a second, a minute or a call."""
    per: str
    quantity: str
    direction: str | None = None
    modality: str | None = None
    cached: bool | None = None
    cache_write: str | UnsetType = UNSET
    """How long these tokens of the bucket are kept in the cache that they were written to, 30m or 12h; absent where
    they were not written, or cost nothing for it."""
    standby: bool | UnsetType = UNSET
    """True of the seconds in which a session was paused; else absent."""


UNPRICED: Final = (
    *("no_price_list", "no_model", "unknown_model", "unknown_modality", "no_rate", "no_usage", "duplicate_source"),
)
"""Why a usage has no price."""


class Cost(Struct, frozen=True, kw_only=True, gc=False):
    """The price of a usage and its calculation, or why there is no price: `usd` or `unpriced`."""

    usd: str | None = None
    """A decimal string."""
    unpriced: str | None = None
    """no_price_list, no_model, unknown_model, unknown_modality, no_rate, no_usage, duplicate_source."""
    model: str | None = None
    """The name under which the rates were found."""
    table_version: str | None = None
    lines: tuple[CostLine, ...] = ()
    service_tier: str | UnsetType = UNSET
    """By whose rates it was priced: flex, priority, batch, scale, ultrafast, decisions; absent for standard ones."""
    above_tokens: int | UnsetType = UNSET
    """The input was longer than this, and was priced by the rates for that; absent where they are not other ones."""


class Unpriced(Struct, frozen=True, gc=False):
    """How many usages have no price for one reason."""

    reason: str
    usages: int


class Fact(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all facts.

    `tag` is the name of the fact in the audit log. It is a class attribute and not the `tag` of msgspec: that one would
    be written into every body, and a record has the name already.
    """

    tag: ClassVar = ""
