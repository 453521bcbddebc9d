"""What can have happened: one frozen Struct a fact, in the past tense. All of them are named here.

    base.py           what facts are made of: where they come from, content, tokens and their cost
    streams.py        streams, frames and events
    conversations.py  conversations and sessions
    turns.py          what the user did, and the items of a conversation
    responses.py      responses, and what the caller heard of them
    chains.py         responses that follow one another
    tools.py          calls of tools, and what a person must allow
    upstream.py       limits and errors of upstream
    live.py           sessions that are spoken all the time: their time, segments, and delegated work
    assistants.py     threads, runs, steps and messages

A fact holds identifiers, numbers, closed words and `Content`, never an upstream object. Its `Origin` says which
conversation and stream it is about, and when it happened. Durations are in seconds, and None where the input carries
no times.

Nothing that a fact holds leads back to it, so the collector need not look at any (`gc=False`): the newest are
remembered by the thousand for whoever looks at a conversation (`view/recent.py`).
"""

from typing import Final

from steno.core.facts import assistants, chains, conversations, live, responses, streams, tools, turns, upstream
from steno.core.facts.assistants import (
    MessageFinished,
    RunAbandoned,
    RunActionRequired,
    RunFinished,
    RunStarted,
    RunStepAbandoned,
    RunStepFinished,
    RunStepStarted,
    ThreadCreated,
    ThreadDeleted,
)
from steno.core.facts.base import (
    KINDS,
    UNPRICED,
    CacheWrite,
    Content,
    Cost,
    CostLine,
    Fact,
    Origin,
    Tokens,
    Unpriced,
    content,
    metadata_content,
)
from steno.core.facts.chains import (
    ChainAnswered,
    ContextResent,
    ResponseRefused,
    SteerAccepted,
    SteerFailed,
    SteerPending,
)
from steno.core.facts.conversations import (
    ConversationClosed,
    ConversationOpened,
    SessionCancelled,
    SessionChanged,
    SessionExpired,
    SessionFinished,
    SessionNearsEnd,
    SessionOpened,
)
from steno.core.facts.live import (
    CallAnswered,
    CallFailed,
    CallRang,
    ContextAppended,
    DecisionMade,
    DelegationFinished,
    DelegationOpened,
    DtmfSent,
    InputMuted,
    InputUnmuted,
    SegmentFinished,
    SessionMetered,
    SessionPaused,
    SessionResumed,
)
from steno.core.facts.responses import (
    DeltasDiffered,
    PlaybackCleared,
    PlaybackStarted,
    PlaybackStopped,
    ResponseAbandoned,
    ResponseFinished,
    ResponseInterrupted,
    ResponseOutputStarted,
    ResponseStarted,
)
from steno.core.facts.streams import (
    MISSING,
    REJECTED,
    EventRejected,
    EventsMissed,
    FactsOmitted,
    FrameRejected,
    StreamClosed,
    StreamOpened,
    StreamResumed,
)
from steno.core.facts.tools import (
    ApprovalGiven,
    ApprovalRequested,
    ToolCallFinished,
    ToolCallsBilled,
    ToolCallStarted,
    ToolsListed,
)
from steno.core.facts.turns import (
    DtmfReceived,
    InputCommitted,
    InputTimedOut,
    ItemAdded,
    ItemDeleted,
    ItemTruncated,
    SpeechStarted,
    SpeechStopped,
    TranscriptionFinished,
    TurnUnanswered,
)
from steno.core.facts.upstream import RateLimitReported, UpstreamErred

__all__ = [
    "KINDS",
    "MISSING",
    "NAMES",
    "REJECTED",
    "SUBJECTS",
    "UNPRICED",
    "ApprovalGiven",
    "ApprovalRequested",
    "CacheWrite",
    "CallAnswered",
    "CallFailed",
    "CallRang",
    "ChainAnswered",
    "Content",
    "ContextAppended",
    "ContextResent",
    "ConversationClosed",
    "ConversationOpened",
    "Cost",
    "CostLine",
    "DecisionMade",
    "DelegationFinished",
    "DelegationOpened",
    "DeltasDiffered",
    "DtmfReceived",
    "DtmfSent",
    "EventRejected",
    "EventsMissed",
    "Fact",
    "FactsOmitted",
    "FrameRejected",
    "InputCommitted",
    "InputMuted",
    "InputTimedOut",
    "InputUnmuted",
    "ItemAdded",
    "ItemDeleted",
    "ItemTruncated",
    "MessageFinished",
    "Origin",
    "PlaybackCleared",
    "PlaybackStarted",
    "PlaybackStopped",
    "RateLimitReported",
    "ResponseAbandoned",
    "ResponseFinished",
    "ResponseInterrupted",
    "ResponseOutputStarted",
    "ResponseRefused",
    "ResponseStarted",
    "RunAbandoned",
    "RunActionRequired",
    "RunFinished",
    "RunStarted",
    "RunStepAbandoned",
    "RunStepFinished",
    "RunStepStarted",
    "SegmentFinished",
    "SessionCancelled",
    "SessionChanged",
    "SessionExpired",
    "SessionFinished",
    "SessionMetered",
    "SessionNearsEnd",
    "SessionOpened",
    "SessionPaused",
    "SessionResumed",
    "SpeechStarted",
    "SpeechStopped",
    "SteerAccepted",
    "SteerFailed",
    "SteerPending",
    "StreamClosed",
    "StreamOpened",
    "StreamResumed",
    "ThreadCreated",
    "ThreadDeleted",
    "Tokens",
    "ToolCallFinished",
    "ToolCallStarted",
    "ToolCallsBilled",
    "ToolsListed",
    "TranscriptionFinished",
    "TurnUnanswered",
    "Unpriced",
    "UpstreamErred",
    "content",
    "metadata_content",
]

SUBJECTS: Final = (streams, conversations, turns, responses, chains, tools, upstream, live, assistants)
"""The modules of facts, in the order of docs/facts.md."""

NAMES: Final[dict[type[Fact], str]] = {
    kind: kind.tag
    for subject in SUBJECTS
    for kind in vars(subject).values()
    if isinstance(kind, type) and issubclass(kind, Fact) and kind.tag
}
"""Each fact and its name in the audit log, in the order of their definition."""
