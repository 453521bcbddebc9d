"""What a family is: all that the rest of the house needs to know of it, in one record."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from steno.core.routing import Handler, Openings, Router
from steno.wire import Event, Vocabulary


class Family(Struct, frozen=True, kw_only=True):
    """One family of upstream protocols.

    What a conversation of the family exports for `--state` is a method of its conversations, `exported`.
    """

    name: str
    """What it is called in metrics, records and the state: a closed vocabulary, lower case."""
    vocabulary: Vocabulary
    """Its events, as they stand on the wire."""
    handlers: Mapping[type[Event], Handler]
    """What each event does to a conversation: the family's state machine."""
    router: Callable[[Openings], Router]
    """Makes what finds the conversation of an event, and opens it where it is new."""
    error_codes: tuple[str, ...] = ()
    """Codes of errors that its upstream is known to report. There may be others."""
