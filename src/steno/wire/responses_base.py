"""What all events of the Responses API share."""

from msgspec import UNSET, UnsetType

from steno.wire.base import Id, Index, TypedEvent


class ResponsesEvent(TypedEvent, frozen=True):
    """Base of the events of the Responses API.

    They have no id. `sequence_number` begins anew with each response: with the response it says which event it is. The
    events of a lane follow one another, and none but those with a whole response names it.

    What only Realtime's events have is a guard: with it the first look refuses the frame, and `signs.py` tells.
    """

    event_id: UnsetType = UNSET  # type: ignore[assignment]  # Realtime's
    response_id: UnsetType = UNSET
    sequence_number: Index | None = None  # type: ignore[assignment]  # no guard of its own events
    stream_id: Id | None = None
    """The lane, where the request named one."""


class OfItem(ResponsesEvent, frozen=True):
    """Base of the events that say something of one item."""

    item_id: Id | None = None
    output_index: Index | None = None


class OfPart(OfItem, frozen=True):
    """Base of the events that say something of one part of an item."""

    content_index: Index | None = None


class OfSummary(OfItem, frozen=True):
    """Base of the events that say something of one part of the summary of reasoning."""

    summary_index: Index | None = None


class OfCommand(OfItem, frozen=True):
    """Base of the events that say something of one command of a shell call."""

    command_index: Index | None = None
