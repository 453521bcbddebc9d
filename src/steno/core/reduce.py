"""The one way in which an event moves a conversation."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from steno.core import assistants, chatkit, realtime
from steno.core.conversation import Conversation
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.wire import Event

Handler = Callable[[Any, Any, Frame], Sequence[Fact]]
"""Each takes the conversation of its own family, and its own event: the keys of the tables see to that."""

HANDLERS: Final[Mapping[type[Event], Handler]] = dict(
    chain[tuple[type[Event], Handler]](realtime.HANDLERS.items(), assistants.HANDLERS.items(), chatkit.HANDLERS.items())
)
"""All that is known about what events do. Which conversation they do it to, the table decides."""


def reduce(state: Conversation, event: Event, frame: Frame) -> Sequence[Fact]:
    """Let `event`, decoded from `frame`, move `state` in place, and return what has happened.

    Disorder moves nothing: it comes back as one `EventRejected`, and is counted in `state.rejected`.
    """
    return HANDLERS[type(event)](state, event, frame)
