"""The two names of an event: GA's and beta's. Some servers send both, each with an `event_id` of its own.

The name that comes first for a part is the part's name, and the same under the other name is a duplicate. A part is an
item, an index of its content, and a kind: text, transcript or audio. Each part decides for itself, so that a server may
change names between parts. The end of a part may come under either name; the first one counts.
"""

from typing import Final, Protocol

from steno.core.transcript import PARTS, PartName
from steno.wire import Event

TEXT: Final = PartName("text", "ga")
BETA_TEXT: Final = PartName("text", "beta")
TRANSCRIPT: Final = PartName("transcript", "ga")
BETA_TRANSCRIPT: Final = PartName("transcript", "beta")
AUDIO: Final = PartName("audio", "ga")
BETA_AUDIO: Final = PartName("audio", "beta")


def are_two(kind: type[Event], other: type[Event] | None) -> bool:
    """Return whether two kinds of events are one under two names: beta's is a subclass of GA's."""
    return other is not None and kind is not other and (issubclass(kind, other) or issubclass(other, kind))


class Speaker(Protocol):
    """Whose speech goes by a name: an item, or a response whose deltas name no item."""

    audio_index: int | None
    """The part that the last piece of speech belongs to."""
    audio_name: PartName | None
    """The name of that part's deltas; None before the first."""
    audio_parts: dict[int | None, PartName] | None
    """The names of all parts, where there is more than one."""


def speaks_by(speaker: Speaker, index: int | None, name: PartName) -> bool:
    """Return whether deltas of `name` are those of the part `index`: the first name is."""
    if speaker.audio_name is None:
        speaker.audio_index, speaker.audio_name = index, name
        return True
    if speaker.audio_parts is None:
        speaker.audio_parts = {speaker.audio_index: speaker.audio_name}
    if len(speaker.audio_parts) < PARTS:
        speaker.audio_parts.setdefault(index, name)
    if speaker.audio_parts.get(index, name) is not name:
        return False
    speaker.audio_index, speaker.audio_name = index, name
    return True
