"""ChatKit sessions, as far as a relay tells of them: bare objects, no events of their own yet."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steno.core import facts
from steno.core.conversation import Conversation
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.session import CANCELLED, EXPIRED
from steno.wire import RealtimeEvent, raw_object, sessions


class ChatKitConversation(Conversation):
    """A ChatKit session."""

    family = "chatkit"


def session_told(state: ChatKitConversation, event: sessions.ChatKitSessionSeen, frame: Frame) -> Sequence[Fact]:
    """A session was made, or is seen again."""
    session = event.session
    if session is None:
        return state.reject(event, "missing_object")
    told = facts.SessionChanged if state.session else facts.SessionOpened
    state.session = state.within_limit(raw_object(event, frame.payload))
    life = state.session_life
    life.tell(session.id, "chatkit", session.expires_at, frame.at)
    ended = life.end(session.status) if session.status in (EXPIRED, CANCELLED) else ()
    opened = told(
        session_id=session.id,
        model=None,
        expires_at=session.expires_at,
        kind="chatkit",
        user=facts.content("user", session.user),
        metadata=facts.metadata_content(session.workflow.state_variables if session.workflow else None),
    )
    return (opened, *ended)


HANDLERS: Final[Mapping[type[RealtimeEvent], Callable[[ChatKitConversation, Any, Frame], Sequence[Fact]]]] = {
    sessions.ChatKitSessionSeen: session_told,
}
