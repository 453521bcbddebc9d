"""The record of the chatkit family."""

from typing import Final

from steno.core.chatkit.handlers import HANDLERS
from steno.core.chatkit.routing import ChatKitRouter
from steno.core.chatkit.state import ChatKitConversation
from steno.core.family import Family
from steno.wire import chatkit

FAMILY: Final = Family(
    name=ChatKitConversation.family,
    vocabulary=chatkit.VOCABULARY,
    handlers=HANDLERS,
    router=ChatKitRouter,
)
