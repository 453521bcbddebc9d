"""The record of the live family."""

from typing import Final

from steno.core.family import Family
from steno.core.live.handlers import HANDLERS
from steno.core.live.routing import LiveRouter
from steno.core.live.sessions import EFFECTS
from steno.core.live.state import LiveConversation
from steno.wire import live

FAMILY: Final = Family(
    name=LiveConversation.family,
    vocabulary=live.VOCABULARY,
    handlers=HANDLERS,
    router=LiveRouter,
    error_codes=tuple(EFFECTS),
)
