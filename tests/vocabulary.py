"""What all families know, as tables: for tests about every event."""

from typing import Final

from steno.core.families import FAMILIES
from steno.core.routing import Handler
from steno.wire import Event, name_of
from steno.wire.fallback import Fallback

decode = FAMILIES.decoder.decode
second_look = Fallback({family.name: family.vocabulary for family in FAMILIES.members}).decode
HANDLERS: Final[dict[type[Event], Handler]] = {
    kind: handler for family in FAMILIES.members for kind, handler in family.handlers.items()
}
NAMES: Final = {kind: name_of(kind) for kind in HANDLERS}
"""Event class to upstream's name for it."""
CLIENT_EVENTS: Final = frozenset(kind for kind in HANDLERS if kind.sent)
OBJECTS: Final = {name: bare for family in FAMILIES.members for name, bare in family.vocabulary.objects.items()}
"""`object` of each upstream object that may stand alone in a frame."""
SECRETS: Final = tuple(f.vocabulary.client_secret for f in FAMILIES.members if f.vocabulary.client_secret)
BARE_EVENTS: Final = tuple(kind for kind in HANDLERS if kind.raw_member == "" or kind in SECRETS)
"""What an upstream object that stands alone is decoded to."""
