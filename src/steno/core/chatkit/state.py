"""The state of a ChatKit session: nothing but what all conversations have."""

from steno.core.conversation import Conversation
from steno.wire.chatkit import ChatKitSessionSeen


class ChatKitConversation(Conversation):
    """A ChatKit session."""

    __slots__ = ()

    family = "chatkit"
    begun_by = (ChatKitSessionSeen,)
