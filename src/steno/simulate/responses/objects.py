"""Ids, responses, items and usage of the Responses API, with the members and the order of the wire.

The form is that of recordings of 2026-09: `id`, `type` and `status` first, then the members in alphabetical order.
"""

from random import Random
from typing import Any, Final

from steno.simulate.steps import Ids

Object = dict[str, Any]

CACHE_BLOCK_TOKENS: Final = 128
"""The cache is read in whole blocks."""
CACHE_TOKENS_MIN: Final = 1_024
"""Shorter contexts are not cached."""
_SNAPSHOTS: Final = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
}
_HEX: Final = "0123456789abcdef"


class ResponseIds:
    """Makes the ids of one chain of responses, from `rng` alone: they share their first half."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._calls = Ids(rng)
        self._stem = self._draw(16)

    def new(self, prefix: str, second: int) -> str:
        """Return an id: prefix, the chain's 16 digits, `00`, the Unix second, 24 more, all hexadecimal."""
        return f"{prefix}_{self._stem}00{second:08x}{self._draw(24)}"

    def call(self) -> str:
        """Return the id of a call."""
        return self._calls.plain("call")

    def padding(self, delta: str) -> str:
        """Return the `obfuscation` of a delta."""
        return self._calls.padding(delta)

    def _draw(self, length: int) -> str:
        return "".join(self._rng.choices(_HEX, k=length))


def snapshot_of(model: str) -> str:
    """Return the name under which a model answers: the older ones with the day of their snapshot."""
    return _SNAPSHOTS.get(model, model)


def item(item_id: str, kind: str, status: str | None, **members: Any) -> Object:
    """Return an item with its members in the order of the wire."""
    begun = {"id": item_id, "type": kind, **({"status": status} if status else {})}
    return begun | {name: members[name] for name in sorted(members)}


def event(kind: str, **members: Any) -> Object:
    """Return an event with its members in the order of the wire."""
    return {"type": kind, **{name: members[name] for name in sorted(members)}}


def usage(input_tokens: int, cached: int, written: int, output_tokens: int, reasoning: int, ttl: str | None) -> Object:
    """Return the usage of a response. `cached` and `written` to the cache are parts of the input."""
    details: Object = {"cache_write_tokens": written}
    if ttl:
        details["cache_write_tokens_details"] = {
            f"ttl_{each}_tokens": written if each == ttl else 0 for each in ("12h", "30m")
        }
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {**details, "cached_tokens": cached},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input_tokens + output_tokens,
    }


def tool_usage(searches: int, images: int) -> Object:
    """Return what the tools of the provider used: it is not part of the response's own usage."""
    drawn = images * 1_056
    return {
        "image_gen": {
            "input_tokens": images * 50,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": images * 50},
            "output_tokens": drawn,
            "output_tokens_details": {"image_tokens": drawn, "text_tokens": 0},
            "total_tokens": drawn + images * 50,
        },
        "web_search": {"num_requests": searches},
    }


def response_object(response_id: str, created_at: int, asked: Object) -> Object:
    """Return a response that has just begun. `asked` are the members of its request that it shows."""
    begun = {
        "access_programs": {"cyber": "standard"},
        "background": False,
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "moderation": None,
        "output": [],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "auto",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tool_usage": tool_usage(0, 0),
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
    } | asked
    ordered = {name: begun[name] for name in sorted(begun) if name not in _LAST}
    last = {"user": begun.get("user"), "metadata": begun.get("metadata") or {}}
    return {"id": response_id, "object": "response", "created_at": created_at, "status": "in_progress"} | ordered | last


_LAST: Final = ("user", "metadata")
