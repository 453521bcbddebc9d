"""The open conversations by the stream on which each was last heard, for while we end one stream after the other.

A conversation that outlives its streams ends with the last one where steno closes that. Going through all of them for
each stream took a drain of 9,300 streams 9 to 20 s. Keeping this up with each event would make every event pay for what
happens once. So the registry makes it when it ends a stream, keeps it up from then on, and drops it at the next second.
"""

from collections.abc import Iterable

from steno.core.conversation import Conversation


class LastHeard:
    """Conversations by stream, those of each in the order of their last events."""

    __slots__ = ("_streams", "_where")

    def __init__(self, states: Iterable[Conversation]) -> None:
        """Begin with `states`, in the order of their last events."""
        self._streams: dict[str, dict[str, Conversation]] = {}
        """Stream to key to conversation."""
        self._where: dict[str, str] = {}
        """Key to the stream under which it is."""
        for state in states:
            self.heard(state)

    def heard(self, state: Conversation) -> None:
        """Note that the newest event is one of `state`."""
        key, stream = state.key, state.last_stream
        former = self._where.get(key)
        if former is not None:
            self._streams[former].pop(key, None)
        self._where[key] = stream
        self._streams.setdefault(stream, {})[key] = state

    def on(self, stream: str) -> list[Conversation]:
        """Return the open conversations that were heard on `stream` last, the one that was silent longest first."""
        return [state for state in self._streams.get(stream, {}).values() if state.closed_reason is None]
