"""What the caller hears: playback as WebRTC and SIP report it, and the truncation of what was not heard."""

from collections.abc import Iterator, Sequence
from itertools import islice

from steno.core import facts
from steno.core.facts import Content, Fact
from steno.core.frame import Frame
from steno.core.realtime.conversation_item import ConversationItem
from steno.core.realtime.state import RealtimeConversation
from steno.limits import LIST_ELEMENTS
from steno.wire import realtime


def playback_started(state: RealtimeConversation, event: realtime.PlaybackStarted, frame: Frame) -> Sequence[Fact]:
    """Note since when the caller hears a response. It may answer the turn."""
    response = state.open.get(event.response_id) if event.response_id else None
    out_of_band = response is not None and response.out_of_band
    latency = state.elapsed(state.turn.playback_began(out_of_band=out_of_band), frame.at)
    if event.response_id is not None and frame.at is not None:
        state.playing_since[event.response_id] = frame.at
        if len(state.playing_since) > state.limits.open_responses:
            del state.playing_since[next(iter(state.playing_since))]
    model = state.session_model
    if response is not None:
        model = response.model
        response.turn_latency = latency if response.turn_latency is None else response.turn_latency
    return (facts.PlaybackStarted(response_id=event.response_id, model=model, turn_latency_seconds=latency),)


def playback_stopped(state: RealtimeConversation, event: realtime.PlaybackStopped, _frame: Frame) -> Sequence[Fact]:
    """Note that the caller heard all of a response, but for the items that were cut off."""
    if event.response_id is not None:
        state.playing_since.pop(event.response_id, None)
    for item in _items_of(state, event.response_id):
        item.heard_all = item.heard_ms is None
    return (facts.PlaybackStopped(response_id=event.response_id),)


def playback_cleared(state: RealtimeConversation, event: realtime.PlaybackCleared, frame: Frame) -> Sequence[Fact]:
    """Divide the time that a response was played among its messages, in order. The rest was not heard."""
    since = state.playing_since.pop(event.response_id, None) if event.response_id else None
    played = state.elapsed(since, frame.at)
    left = None if played is None else played * 1000
    for item in _items_of(state, event.response_id):
        if item.kind != "message":
            continue
        if item.heard_ms is not None:  # cut off by upstream, which knows it better than the clock
            left = None if left is None else max(left - item.heard_ms, 0)
            continue
        generated = item.generated_ms
        if generated is None or left is None:  # the first message has all that is left, where its length is unknown
            item.heard_ms, left = left, 0
        else:
            item.heard_ms, left = min(left, generated), max(left - generated, 0)
        item.heard_ms = 0.0 if item.heard_ms is None else item.heard_ms
    return (facts.PlaybackCleared(response_id=event.response_id, played_seconds=played),)


def item_truncated(state: RealtimeConversation, event: realtime.ItemTruncated, _frame: Frame) -> Sequence[Fact]:
    """Note how much of an item was played."""
    item = state.items.get(event.item_id) if event.item_id else None
    if item is None:
        return state.reject(event, "unknown_item")
    item.heard_ms = event.audio_end_ms
    heard, _ = item.heard()
    return (
        facts.ItemTruncated(
            item_id=item.id,
            audio_end_ms=event.audio_end_ms,
            generated_ms=item.generated_ms,
            heard=None if heard is None else Content("transcript", heard),
        ),
    )


def _items_of(state: RealtimeConversation, response_id: str | None) -> Iterator[ConversationItem]:
    """Yield the items that a response made, in the order in which they were first seen.

    What is played was made lately: a conversation of thousands of items is not gone through at each event.
    """
    newest = list(islice(reversed(state.items.values()), LIST_ELEMENTS))
    return (item for item in reversed(newest) if response_id is not None and item.response_id == response_id)
