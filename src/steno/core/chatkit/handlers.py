"""ChatKit sessions. A relay reports them as bare objects: there are no events of their own yet."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steno.core import facts
from steno.core.chatkit.state import ChatKitConversation
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.session import CANCELLED, EXPIRED
from steno.wire import Event, chatkit, raw_object


def session_reported(state: ChatKitConversation, event: chatkit.ChatKitSessionSeen, frame: Frame) -> Sequence[Fact]:
    """Take a session object, which may say that the session expired or was cancelled."""
    session = event.session
    if session is None:
        return state.reject(event, "missing_object")
    reported = facts.SessionChanged if state.session else facts.SessionOpened
    state.keep_session(raw_object(event, frame.payload))
    life = state.session_life
    life.report(session.id, "chatkit", session.expires_at, frame.at)
    ended = life.end(session.status) if session.status in (EXPIRED, CANCELLED) else ()
    return (
        reported(
            session_id=session.id,
            model=None,
            expires_at=session.expires_at,
            kind="chatkit",
            user=facts.content("user", session.user),
            metadata=facts.metadata_content(session.workflow.state_variables if session.workflow else None),
        ),
        *ended,
    )


HANDLERS: Final[Mapping[type[Event], Callable[[ChatKitConversation, Any, Frame], Sequence[Fact]]]] = {
    chatkit.ChatKitSessionSeen: session_reported,
}
"""Event to its handler."""
