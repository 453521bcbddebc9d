"""The record of the responses family."""

from typing import Final

from steno.core.family import Family
from steno.core.responses.handlers import EFFECTS, HANDLERS
from steno.core.responses.routing import ResponsesRouter
from steno.core.responses.state import ResponsesConversation
from steno.wire import responses

FAMILY: Final = Family(
    name=ResponsesConversation.family,
    vocabulary=responses.VOCABULARY,
    handlers=HANDLERS,
    router=ResponsesRouter,
    error_codes=tuple(EFFECTS),
)
