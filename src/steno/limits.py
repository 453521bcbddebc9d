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
    """Responses, transcriptions, runs or steps in progress in a conversation. Past it, the oldest of its kind is closed
    as `abandoned`."""

    kept_objects: Annotated[int, Meta(ge=0, le=10_000_000)] = 256
    """Terminal objects (responses, runs, steps, messages) kept for a conversation, each kind apart; oldest go first."""

    object_bytes: Bytes = 256 * 1024
    """Longest terminal object that is kept. A longer one is counted, and only its facts remain."""

    transcript_bytes: Bytes = 1024 * 1024
    """Text of a conversation's transcript. Past it, the oldest items lose their text, a sixteenth of it at a time."""

    memory_bytes: Annotated[int, Meta(ge=4 * 1024 * 1024, le=1 << 50)] = 192 * 1024 * 1024
    """All that the daemon holds of what it receives: half of it conversations with their texts and kept objects, a
    quarter frames that are read ahead, a quarter the audit queue. Past its half the oldest kept objects go, then the
    conversations that were silent longest are closed (`evicted`). With the program itself (50 to 80 MB) and a frame of
    16 MiB in decoding (up to 150 MB), and `recent_bytes`, the process stays below the 512 MB of the systemd unit
    (MemoryHigh)."""

    duplicates_window: Count = 128
    """Events of a conversation whose identity is remembered, so that one that is delivered again changes nothing: so
    many for certain, and up to half as many more. Those that were seen to come again came within 20. Each takes some
    130 bytes."""

    label_values: Count = 100
    """Values of a metric label that the upstream of one source chooses. Past it: `other`; a model that has a price is
    then shown under the name of its price."""

    series: Annotated[int, Meta(ge=1_000, le=10_000_000)] = 50_000
    """Series of the metrics of conversations in which a word of upstream's stands: a model, a tool, a code. A histogram
    has as many as it has buckets. Past it, what would need a further one counts under `other`. Values multiply, so that
    the limit on each leaves room for millions; Prometheus takes as many, and a scrape of these some 5 MB."""

    drain_seconds: Seconds = 10.0
    """Longest time from the first SIGTERM to the exit. Where a proxy lets calls go to their end (`drain_seconds` of the
    source), it begins after that. Keep the sum below the service manager's own limit."""

    @property
    def conversation_bytes(self) -> int:
        """What all open conversations together may hold."""
        return self.memory_bytes // 2

    @property
    def recent_bytes(self) -> int:
        """What the recent facts of all conversations may take that the page shows, beside `memory_bytes`.

        A sixth of it, by default 32 MiB: some 60,000 facts, the last minutes of a busy daemon.
        """
        return self.memory_bytes // 6

    @property
    def read_ahead_bytes(self) -> int:
        """What all connections together may hold of frames that were received and not fed yet."""
        return self.memory_bytes // 4


NESTING_DEPTH: Final = 200
"""Brackets within brackets in one frame. Real events nest 12 deep. Decoders in C fail near 1,000, each at another
depth. With a limit of our own the same frames give the same result everywhere."""

STRUCTURE_ELEMENTS: Final = 200_000
"""`,`, `[` and `{` outside of strings in one frame: as many elements as are built or skipped in some 20 ms. The longest
real frames (a thread's list of messages, a session with all its tools) have a few thousand. Past it the frame is
rejected unread (`too_complex`)."""

LIST_ELEMENTS: Final = 256
"""Elements that are read of one list in an event: items of a response, tool calls of a step, parts of a message. Real
lists have at most 128. What is further in it is counted as drift, and stays in the kept bytes."""

MEMBERS_TRIED: Final = 1_000
"""Members of one frame that are read one by one, since the event as a whole has some of an unexpected type. Each takes
about 2 us. Past it what does not fit at once is left out with all that is in it."""

HALF_CHARACTERS: Final = 4_000
"""Halves of characters, and runs of whole ones, in escapes of one frame that has a lone half. A text that a server cut
into deltas has one or two. Past it the frame is rejected (`too_complex`)."""

FACTS_OF_A_KIND: Final = 128
"""Facts of one kind that one event may lead to: as many as a model may call tools at once. Further ones are counted by
one fact (`facts.omitted`). Each takes some 20 us until it is recorded."""

LINE_BYTES: Final = 128 * 1024 * 1024
"""Longest line of a recording that `steno replay` reads, unless a configured source takes frames of more than an eighth
of it: the largest frame, were each of its bytes escaped."""

TOKENS_MAX: Final = 2**53
"""Largest token count that is accepted. Past it a float, and so Prometheus, no longer counts by ones."""

ENDED_IDS: Final = 1_024
"""Ids of ended responses, runs and steps remembered for a conversation, so that an end that is reported twice counts
once."""

OWNERS: Final = 100_000
"""Open steps and messages whose thread is remembered, since their deltas name none; and names of conversations that
were used more than once. Each takes a few MB."""

CHAINED_RESPONSES: Final = 65_536
"""Responses whose conversation is remembered, since those that follow them name nothing else: those of a busy day. Each
takes some 400 bytes. A response that follows one which was forgotten begins a conversation of its own."""

CHAINED_BYTES: Final = 16 * 1024 * 1024
"""The ids of these responses and the keys of their conversations. Real ones take some 200 bytes each, 13 MB in all; ids
may have ten times that."""

LANES: Final = 64
"""Lanes of one connection, and requests of one conversation that were not answered yet, that are remembered; and the
conversations that end with a connection. Upstream takes 32 lanes and 16 responses at once. Past it the one that was
silent longest is forgotten; a conversation is closed (`replaced`)."""

SUPERSEDED_SECONDS: Final = 120.0
"""Silence after which a session that another one has followed on its stream is closed. In a call somebody speaks more
often; shorter, and a call on hold that shares its stream would be cut in two."""

UNKNOWN_TYPES: Final = 64
"""Unknown event types counted by name for a stream. Past it they are counted as `other`."""

CLOSED_WORD_CHARACTERS: Final = 64
"""Longest upstream word (a status, a code, a model) that is accepted as a label or as a word of a closed list."""

ID_CHARACTERS_MAX: Final = 512
"""Longest identifier that is accepted; real ones have 21 to 40 characters. A frame with a longer one is malformed,
since identifiers are the keys of what is kept in memory."""

ID_CHARACTERS: Final = 256
"""Longest identifier of the event that an audit record refers to; a longer one is cut. In the key of a conversation a
name has as many bytes; a longer one is cut and has a hash (`core/keys.py`)."""

CLAIMS: Final = 16_384
"""Usages whose id is remembered, so that a call which two sources follow is billed once: the responses of hours. Each
takes some 250 bytes."""

CLAIMANTS: Final = 64
"""Open conversations that are known by one id of a session or call. Two or three sources follow a call. A sender may
give one id to all its sessions, and each usage looks at all that have it. A further one is billed by itself."""

LOG_QUEUE_BYTES: Final = 1024 * 1024
"""Lines of the operational log that wait for its reader: some 5,000, so that a pause of the reader loses nothing. Past
it the oldest of the least important are dropped."""

LOG_QUEUE_LINES: Final = 8_192
"""The same as a number: short lines cost more in memory than their bytes."""

LOG_LIBRARY_LINES: Final = 20
"""Lines of one library's logger within `LOG_LIBRARY_SECONDS`. What a library says a connection or a frame is under the
control of whoever sends."""

LOG_LIBRARY_SECONDS: Final = 10.0
"""The time for `LOG_LIBRARY_LINES`."""

LOG_LIBRARY_LOGGERS: Final = 64
"""Loggers of libraries that are counted by name. Past it they share one count."""

ATTACH_BURST: Final = 200
"""Requests about calls, of one kind (HTTP, control socket, webhooks), that are answered at once: a script has a list of
the calls of a busy minute."""

ATTACH_RATE: Final = 50.0
"""Requests of a kind a second after that. Each that attaches opens a connection and flushes a file."""

ATTACH_BYTES: Final = 16 * 1024
"""Longest request about a call. An id and eight labels have 2 KB."""

WEBHOOK_BYTES: Final = 64 * 1024
"""Longest webhook. A call that comes in has its SIP headers in it, some KB. Strangers may send as many at once as the
HTTP face has connections, and each is held until its signature was verified."""

WEBHOOK_IDS: Final = 32_768
"""Ids of webhooks that were accepted and have no effect again. At `ATTACH_RATE` they last for 10 minutes, twice the
tolerance within which a webhook is accepted at all, so that no clock is needed to forget them."""

GIVEN_UP_SECONDS: Final = 7_200.0
"""How long a call is tried to be followed without a connection that was of use. A Realtime session of OpenAI lasts an
hour at most, a Live session two: the call is over then, and its place is wanted."""

RESUME_IDS: Final = 2_048
"""Senders of `listen` whose last message is remembered, so that they can go on after a break. Each takes some 1 KB, and
a record of 300 bytes in each segment of the audit log. Past it the one that was away longest is forgotten."""

RESUME_SECONDS: Final = 86_400.0
"""How long they are remembered once they are away: longer than any outage in which a sender keeps what it could not
send."""

RESUME_LOG_BYTES: Final = 128 * 1024 * 1024
"""How much of the end of the audit log is read at most when the daemon starts, for where senders are: two segments of
the default size, in about a second."""

RESUME_UNLIKE: Final = 100
"""Messages of a sender in a row, after a kill, which lead to facts that are not in the log, before none that follows is
looked for there. A few lead to other facts than before the kill, since the state was lost. Each takes a search among
the records of one flush."""

SHARDS: Final = 1000
"""Processes that share a configuration. To find the one of a name takes a SHA-256 for each: some ms for as many."""

HANDSHAKES: Final = 128
"""Handshakes of clients that a source which listens has under way. An honest one takes milliseconds; past it the oldest
makes room. Each holds a file descriptor."""

RECENT_FACTS: Final = 2_000
"""Facts of one conversation that are remembered for its timeline: an hour of a voice session has some 1,500. Past it
the oldest are left out, and their number is shown."""

RECENT_ENDED: Final = 1_000
"""Conversations that have ended and stay in the table. Each takes about 2 KB without its facts."""

RECENT_ENDED_WHOLE: Final = 256
"""Conversations that have ended and keep their facts before those that are open lose any."""

RECENT_STREAM_CONVERSATIONS: Final = 256
"""Conversations of one stream that a gap of the stream is shown in: a relay may carry thousands of threads, and only
the newest of them may still be about to go on."""

RECENT_STREAMS: Final = 1_024
"""Streams that have ended and may yet be resumed by another one."""

STREAM_CLIENTS: Final = 32
"""Clients that follow `/v1/stream`: pages that people look at. Each holds a connection, and is sent up to 600 KB a
second where 10,000 conversations go on at once. A scrape must always find a connection."""

ARCHIVE_CONVERSATIONS: Final = 100_000
"""Conversations of an audit log that `steno serve` has in its table: those with the newest records. Each takes about
1.5 KB."""

ARCHIVE_RECORDS: Final = 10_000
"""Records of one conversation that `steno serve` makes a timeline of, the newest ones. Each takes some 2 KB."""
