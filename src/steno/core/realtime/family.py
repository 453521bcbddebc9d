"""The record of the realtime family."""

from typing import Final

from steno.core.family import Family
from steno.core.realtime.handlers import EFFECTS, HANDLERS
from steno.core.realtime.routing import RealtimeRouter
from steno.core.realtime.state import RealtimeConversation
from steno.wire import realtime

FAMILY: Final = Family(
    name=RealtimeConversation.family,
    vocabulary=realtime.VOCABULARY,
    handlers=HANDLERS,
    router=RealtimeRouter,
    error_codes=tuple(EFFECTS),
)
