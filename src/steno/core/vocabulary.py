"""Closed lists: a status, code or kind of upstream that is on no list does not become a label."""

import re
from functools import lru_cache
from typing import Final, Protocol

from steno.limits import CLOSED_WORD_CHARACTERS
from steno.wire.realtime_objects import RealtimeResponseStatusDetail
from steno.wire.secrets import mask_text

RESPONSE_ENDS: Final = frozenset({"completed", "cancelled", "failed", "incomplete"})
RUN_ENDS: Final = frozenset({"completed", "cancelled", "failed", "incomplete", "expired"})
STEP_ENDS: Final = frozenset({"completed", "cancelled", "failed", "expired"})
CALL_ENDS: Final = frozenset({"completed", "failed"})
"""How upstream ends a tool call. One that it leaves open is abandoned."""
INTERRUPTIONS: Final = frozenset({"turn_detected", "client_cancelled", "max_output_tokens", "content_filter"})
TOOL_KINDS: Final = frozenset(
    {
        *("function", "custom", "mcp", "code_interpreter", "file_search", "web_search", "image_generation"),
        *("computer", "shell", "local_shell", "apply_patch", "tool_search", "program"),
    }
)
SESSION_ENDS: Final = frozenset({"close_requested", "expired", "content", "remote_hangup", "connection_lost"})
"""Why upstream closes a session, where it says so."""
DELEGATION_TARGETS: Final = frozenset({"client", "responses", "decisions"})
DELEGATION_ENDS: Final = frozenset({"answered", "failed", "orphaned"})
SERVICE_TIERS: Final = frozenset({"auto", "default", "flex", "priority", "fast", "scale", "ultrafast", "batch"})
STEP_KINDS: Final = frozenset({"message_creation", "tool_calls"})

_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/+ -]*")


def closed(word: str | None, known: frozenset[str]) -> str:
    """Return `word` if it is `known`, else `other`."""
    return word if word in known else "other"


class Failure(Protocol):
    """An error as upstream reports it, in whatever family."""

    @property
    def type(self) -> str | None:
        """What kind of error it is."""

    @property
    def code(self) -> str | int | None:
        """What went wrong."""


def code(error: Failure | None) -> str:
    """Return the code of an error, else its type, else `unknown`. One that does not look like a name is `other`."""
    if error is None:
        return "unknown"
    return short(str(error.code) if error.code is not None else error.type) or short(error.type) or "unknown"


def short(word: str | None) -> str | None:
    """Return `word` if it is short and looks like a name, `other` if it is prose, None if it is empty."""
    if not word:
        return None
    return _named(word) if len(word) <= CLOSED_WORD_CHARACTERS else "other"


@lru_cache(maxsize=1_024)  # a stream has few different ones
def _named(word: str) -> str:
    return word if _WORD.fullmatch(word) and mask_text(word) == word else "other"


def response_reason(status: str, details: RealtimeResponseStatusDetail | None) -> str | None:
    """Return why a response ended with `status`; None if it was completed."""
    if status == "completed":
        return None
    if status == "failed":
        return code(details.error if details else None)
    return closed(details.reason, INTERRUPTIONS) if details and details.reason else "unknown"


def is_session_expiry(close_reason: str) -> bool:
    """Return whether a connection was closed because its session reached the longest duration, by `close_reason`."""
    return "maximum duration" in close_reason or "session_expired" in close_reason
