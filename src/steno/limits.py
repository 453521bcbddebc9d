"""The limits of everything that grows, each with its unit in its name and its reason beside it.

A name without a unit is a number of what it names. `Limits` is the `[limits]` table of the configuration. The constants
below it cannot be configured: they bound what hostile input may cost, or keep a promise.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 40)]
Seconds = Annotated[float, Meta(gt=0, le=86_400 * 30)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[limits]` table: what the operator may bound.

    Every number is a ceiling, not a reservation: nothing is allocated before it is needed.
    """

    conversations: Count = 10_000
    """Open conversations. Past it, the one that was silent longest is closed (`evicted`)."""

    idle_seconds: Seconds = 3_600.0
    """Silence after which a thread or a named conversation is closed (`idle`). Voice sessions end after 60 minutes."""

    items: Count = 2_000
    """Items (turns, tool calls) of a conversation. Past it, the oldest leave the transcript; the totals stay."""

    open_responses: Count = 64
    """Responses, runs or steps in progress in a conversation. Past it, the oldest is closed as `abandoned`."""

    kept_objects: Annotated[int, Meta(ge=0, le=10_000_000)] = 256
    """Terminal objects (responses, runs, steps, messages) kept for a conversation, each kind apart; oldest go first."""

    object_bytes: Bytes = 256 * 1024
    """Longest terminal object that is kept. A longer one is counted, and only its facts remain."""

    transcript_bytes: Bytes = 1024 * 1024
    """Text of a conversation's transcript. Past it, the oldest items lose their text; their lengths stay."""

    memory_bytes: Annotated[int, Meta(ge=4 * 1024 * 1024, le=1 << 50)] = 192 * 1024 * 1024
    """All that the daemon holds of what it receives: half of it conversations with their texts and kept objects, a
    quarter frames that are read ahead, a quarter the audit queue. Past its half the oldest kept objects go, then the
    conversations that were silent longest are closed (`evicted`). With the program itself (50 to 80 MB) and a frame of
    16 MiB in decoding (up to 150 MB), the process stays below the 512 MB of the systemd unit (MemoryHigh)."""

    duplicates_window: Count = 1_024
    """Events of a conversation whose identity is remembered, so that one that is delivered again changes nothing."""

    label_values: Count = 100
    """Values of a metric label that upstream chooses. Past it: `other`."""

    drain_seconds: Seconds = 10.0
    """Longest time from the first SIGTERM to the exit. Keep it below the service manager's own limit."""

    @property
    def conversation_bytes(self) -> int:
        """What all open conversations together may hold."""
        return self.memory_bytes // 2

    @property
    def read_ahead_bytes(self) -> int:
        """What all connections together may hold of frames that were received and not fed yet."""
        return self.memory_bytes // 4

    @property
    def queue_bytes_max(self) -> int:
        """What the audit queue may be configured to."""
        return self.memory_bytes // 4


NESTING_DEPTH: Final = 200
"""Brackets within brackets in one frame. Real events nest 12 deep. Decoders in C fail near 1,000, each at another
depth. With a limit of our own the same frames give the same result everywhere."""

TOKENS_MAX: Final = 2**53
"""Largest token count that is accepted. Past it a float, and so Prometheus, no longer counts by ones."""

ENDED_IDS: Final = 1_024
"""Ids of ended responses, runs and steps remembered for a conversation, so that an end that is reported twice counts
once."""

OWNERS: Final = 100_000
"""Open steps and messages whose thread is remembered, since their deltas name none; and names of conversations that
were used more than once. Each takes a few MB."""

UNKNOWN_TYPES: Final = 64
"""Unknown event types counted by name for a stream. Past it they are counted as `other`."""

CLOSED_WORD_CHARACTERS: Final = 64
"""Longest upstream word (a status, a code, a model) that is accepted as a label or as a word of a closed list."""

ID_CHARACTERS_MAX: Final = 512
"""Longest identifier that is accepted; real ones have 21 to 40 characters. A frame with a longer one is malformed,
since identifiers are the keys of what is kept in memory."""

ID_CHARACTERS: Final = 256
"""Longest identifier in the key of a conversation, and of the event that an audit record refers to. A longer one is
cut."""
