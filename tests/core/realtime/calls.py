"""Calls that share a stream, for the plays of it: all ids of each have its letter."""

import json
import re
from typing import Any

from steno.core.facts import ConversationClosed
from tests.core.helpers import Event, Play, event, line_of, session, spoken_turn


def of(who: str, *frames: Event) -> list[Event]:
    """Frames with all their ids as those of the session `who`, and of its one conversation."""
    text = re.sub(r'"(sess|resp|item|user|conv|call|out|mcp)_(\d+)"', rf'"\1_{who}\2"', json.dumps(frames))
    own: list[Event] = json.loads(text)
    for frame in own:
        if frame["type"] in ("response.created", "response.done"):
            frame["response"]["conversation_id"] = f"conv_{who}1"
    return own


def begin(who: str) -> list[Event]:
    return of(who, session())


def turn(who: str, number: int = 1) -> list[Event]:
    return of(who, *spoken_turn(number, f"{who} asks {number}", f"{who} answers {number}"))


def typed(who: str, item: str, text: str, previous: str | None) -> Event:
    content = [{"type": "input_text", "text": text}]
    added = {"id": item, "type": "message", "role": "user", "status": "completed", "content": content}
    return of(who, event("conversation.item.added", item=added, previous_item_id=previous))[0]


def words(state: Any) -> list[str]:
    return [entry["text"] for entry in line_of(state)["transcript"]]


def said(play: Play) -> dict[str, list[str]]:
    """The words of each conversation that is open."""
    return {key: words(state) for key, state in play.pipeline.registry.conversations.items()}


def dialogue(who: str, *numbers: int) -> list[str]:
    return [text for number in numbers for text in (f"{who} asks {number}", f"{who} answers {number}")]


def closings(play: Play) -> dict[str | None, str]:
    return {origin.conversation: fact.reason for origin, fact in play.emitted if isinstance(fact, ConversationClosed)}
