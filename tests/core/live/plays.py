"""What the plays of Live sessions share: made-up frames."""

from typing import Any

from tests.core.helpers import Event, event

MODEL = "gpt-live-1"
SESSION = {"id": "live_1", "model": MODEL, "status": "active", "expires_at": 1_790_007_200}


def started(session_id: str = "live_1", **members: Any) -> Event:
    """The first event of a session."""
    return event("session.started", session={**SESSION, "id": session_id, **members})


def heard(start: int | None, end: int | None, words: str = "hi", **members: Any) -> Event:
    """A fragment of what the user said."""
    return event("session.input_transcript.delta", delta=words, start_ms=start, end_ms=end, **members)


def spoke(start: int | None, end: int | None, words: str = "hello", **members: Any) -> Event:
    """A fragment of what the model said."""
    return event("session.output_transcript.delta", delta=words, start_ms=start, end_ms=end, **members)


def used(seconds: float, **members: Any) -> Event:
    """A report of how long the session has lasted."""
    ratio = members.pop("ratio", None)
    window = {} if ratio is None else {"context_window": {"usage_ratio": ratio}}
    return event("session.usage.updated", usage={"seconds": seconds, **members}, **window)


def closed(seconds: float | None = None, reason: str | None = "close_requested", **members: Any) -> Event:
    """The end of a session."""
    usage = {} if seconds is None else {"usage": {"seconds": seconds, **members}}
    return event("session.closed", reason=reason, session=SESSION, **usage)


def delegated(key: str = "item_1", target: str = "responses", **members: Any) -> Event:
    """Work that is handed on."""
    offset = members.pop("offset_ms", None)
    return event("session.delegation.created", delegation={"id": key, "target": target, **members}, offset_ms=offset)


def backend(kind: str, delegation: str | None = "item_1", **members: Any) -> Event:
    """An event of the backend's."""
    return event("response.event", delegation_id=delegation, event={"type": kind, **members})


def response(key: str, status: str = "in_progress", **members: Any) -> dict[str, Any]:
    """A response of the backend's."""
    return {"id": key, "object": "response", "status": status, "model": "gpt-5.6-sol", "output": [], **members}


USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
