"""The one way in which an event moves a conversation: its handler, which moves the state in place and returns facts.

Disorder moves nothing: it comes back as one `EventRejected`, and is counted in `Conversation.rejected`.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from steno.core import assistants, chatkit, realtime
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.wire import Event

Handler = Callable[[Any, Any, Frame], Sequence[Fact]]
"""Each takes the conversation of its own family, and its own event: the keys of the tables see to that."""

HANDLERS: Final[Mapping[type[Event], Handler]] = dict(
    chain[tuple[type[Event], Handler]](realtime.HANDLERS.items(), assistants.HANDLERS.items(), chatkit.HANDLERS.items())
)
"""All that is known about what events do. Which conversation they do it to, the table decides."""
