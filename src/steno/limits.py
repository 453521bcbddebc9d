"""Everything that grows has a limit: here they are, each with its unit in its name and its reason beside it.

`Limits` is the `[limits]` table of the configuration. The constants below it are not the operator's to
choose: they keep hostile input from costing more than it is worth, or a promise from being broken.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 40)]
Seconds = Annotated[float, Meta(gt=0, le=86_400 * 30)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the operator may bound: the `[limits]` table.

    Every number is a ceiling, not a reservation: nothing is allocated before it is needed.
    """

    conversations: Count = 10_000
    """Conversations kept in memory; past it the one that was silent longest is closed (`evicted`)."""

    idle_seconds: Seconds = 3_600.0
    """Silence after which a thread or a named conversation is closed (`idle`); voice sessions end at 60 minutes."""

    items: Count = 2_000
    """Items (turns, tool calls) kept a conversation; past it the oldest leave the transcript, totals stay."""

    open_responses: Count = 64
    """Responses, runs or steps in progress a conversation; past it the oldest is given up as `abandoned`."""

    kept_objects: Annotated[int, Meta(ge=0, le=10_000_000)] = 256
    """Ended responses, runs, steps and messages kept whole a conversation, each kind apart; the oldest go first."""

    object_bytes: Bytes = 256 * 1024
    """Longest upstream object that is kept whole; a longer one is counted and only its facts remain."""

    transcript_bytes: Bytes = 1024 * 1024
    """Words kept a conversation; past it the oldest items lose their text, their lengths stay."""

    duplicates_window: Count = 1_024
    """Events a conversation whose identity is remembered, so that one that is delivered again changes nothing."""

    label_values: Count = 100
    """Values an upstream word may take as a metric label; past it: `other`."""

    drain_seconds: Seconds = 10.0
    """Longest time from the first SIGTERM to the exit; keep it under the service manager's own patience."""


NESTING_DEPTH: Final = 200
"""Brackets within brackets in one frame. Real events nest 12 deep; decoders in C give up near 1,000 and
differ in where, so that a limit of our own keeps the same frames giving the same result everywhere."""

TOKENS_MAX: Final = 2**53
"""Largest token count that is believed: past it a float, and so Prometheus, no longer counts by ones."""

ENDED_IDS: Final = 1_024
"""Ids of ended responses, runs and steps remembered a conversation, so that an end that is told twice counts once."""

OWNERS: Final = 100_000
"""Open steps and messages whose deltas, which name no thread, can be told to their thread; a few MB."""

SHOWN_UNKNOWN: Final = 64
"""Different unknown event types named a stream; past it they are counted as `other`."""

CLOSED_WORD_BYTES: Final = 64
"""Longest upstream word (a status, a code, a model) that is taken as a label or a closed word."""

ID_LONGEST: Final = 512
"""Characters of the longest identifier that is believed: real ones have 21 to 40. A frame with a longer one is
malformed, since identifiers are what memory is keyed by."""

ID_CHARACTERS: Final = 256
"""Longest upstream identifier that names a conversation, or the event behind an audit record; a longer one is cut."""
