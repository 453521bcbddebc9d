"""All families: the one place that lists them.

A family is a value. Its record stands in its folder (`core/<family>/family.py`), and decode, registry, pipeline,
metrics, audit log and state ask the record. A further family is a folder, a module in `wire/`, and a line here.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

from steno.core.assistants.family import FAMILY as ASSISTANTS
from steno.core.chatkit.family import FAMILY as CHATKIT
from steno.core.family import Family
from steno.core.live.family import FAMILY as LIVE
from steno.core.realtime.family import FAMILY as REALTIME
from steno.core.responses.family import FAMILY as RESPONSES
from steno.wire import Decoder, Event
from steno.wire.signs import rivals


class Families:
    """Some families together: they share one decoder, and no two know the same event."""

    def __init__(self, members: Sequence[Family]) -> None:
        """Join the `members`. Raises ValueError where two share an event, or a name on the wire that no sign tells."""
        self.members = tuple(members)
        self.names = tuple(family.name for family in members)
        self._vocabularies = {family.name: family.vocabulary for family in members}
        rivals(self._vocabularies)
        self.of_event: dict[type[Event], Family] = {kind: family for family in members for kind in family.handlers}
        if len(self.of_event) < sum(len(family.handlers) for family in members):
            raise ValueError("two families handle the same event")

    @cached_property
    def decoder(self) -> Decoder:
        """What decodes the frames of all of them. It is compiled for the first stream."""
        return Decoder(self._vocabularies)


FAMILIES: Final = Families((REALTIME, ASSISTANTS, CHATKIT, RESPONSES, LIVE))
"""The families that steno knows. An unknown event that no prefix assigns is counted under the first family that uses
its form, typed or paired."""
