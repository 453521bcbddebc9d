"""The state of a ChatKit session: nothing but what all conversations have."""

from steno.core.conversation import Conversation


class ChatKitConversation(Conversation):
    """A ChatKit session."""

    family = "chatkit"
