"""The record of the assistants family."""

from typing import Final

from steno.core.assistants.handlers import HANDLERS
from steno.core.assistants.routing import AssistantsRouter
from steno.core.assistants.state import ThreadConversation
from steno.core.family import Family
from steno.wire import assistants

FAMILY: Final = Family(
    name=ThreadConversation.family,
    vocabulary=assistants.VOCABULARY,
    handlers=HANDLERS,
    router=AssistantsRouter,
)
