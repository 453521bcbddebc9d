"""The objects of the Assistants stream: threads, runs, steps, messages, with all members in the order of the wire.

Each object is a dict that changes as the run goes on. `Desk.emit` makes an event of a copy of its present state.
"""

from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.assistants_scripts import Office
from steno.simulate.steps import Ids, Step

RUN_SECONDS: Final = 600
"""Time after which a run expires."""

_CACHE_BLOCK_TOKENS: Final = 128  # prompts are cached in blocks of this size ...
_CACHE_TOKENS_MIN: Final = 1024  # ... from this length on


class Thread(msgspec.Struct):
    """A thread: its object, and the tokens that the model reads at each step."""

    object: dict[str, Any]
    prompt_tokens: int
    cached_tokens: int = 0


class Desk:
    """The clock and the ids of one connection, and its assistant.

    `now` is the time since the connection began, in seconds. `wait` advances it; `emit` makes a frame that is due now.
    """

    def __init__(self, rng: Random, started_at: int, office: Office, assistant_id: str | None = None) -> None:
        self.rng = rng
        self.office = office
        self.ids = Ids(rng)
        self.now = 0.0
        self._emitted_at = 0.0
        self._started_at = started_at
        self._assistant_id = assistant_id or self.ids.plain("asst")

    @property
    def second(self) -> int:
        """The current Unix second."""
        return self._started_at + int(self.now)

    def wait(self, least: float, most: float) -> None:
        """Advance the clock by `least` to `most` seconds."""
        self.now = round(self.now + self.rng.uniform(least, most), 3)

    def emit(self, event: str, data: dict[str, Any] | str) -> Step:
        """Return the frame of `event`, which is due now."""
        pause, self._emitted_at = round(self.now - self._emitted_at, 3), self.now
        return Step(pause, {"event": event, "data": data if isinstance(data, str) else dict(data)})

    def new_thread(self) -> Thread:
        """Return a thread with a first message of the user, which the stream does not show."""
        thread = {
            "id": self.ids.plain("thread"),
            "object": "thread",
            "created_at": self.second,
            "metadata": {},
            "tool_resources": {"code_interpreter": {"file_ids": []}},
        }
        return Thread(thread, self.office.instruction_tokens + self.rng.randint(20, 60))

    def new_run(
        self, thread: Thread, tools: list[dict[str, Any]], max_completion_tokens: int | None = None
    ) -> dict[str, Any]:
        """Return a queued run."""
        return {
            "id": self.ids.plain("run"),
            "object": "thread.run",
            "created_at": self.second,
            "assistant_id": self._assistant_id,
            "thread_id": thread.object["id"],
            "status": "queued",
            "started_at": None,
            "expires_at": self.second + RUN_SECONDS,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": None,
            "required_action": None,
            "last_error": None,
            "model": self.office.model,
            "instructions": self.office.instructions,
            "tools": tools,
            "tool_resources": {"code_interpreter": {"file_ids": []}},
            "metadata": {},
            "temperature": 1.0,
            "top_p": 1.0,
            "reasoning_effort": None,
            "max_completion_tokens": max_completion_tokens,
            "max_prompt_tokens": None,
            "truncation_strategy": {"type": "auto", "last_messages": None},
            "incomplete_details": None,
            "usage": None,
            "response_format": "auto",
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        }

    def new_step(self, run: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
        """Return a step of `run` in progress."""
        return {
            "id": self.ids.plain("step"),
            "object": "thread.run.step",
            "created_at": self.second,
            "run_id": run["id"],
            "assistant_id": self._assistant_id,
            "thread_id": run["thread_id"],
            "type": details["type"],
            "status": "in_progress",
            "cancelled_at": None,
            "completed_at": None,
            "expires_at": run["expires_at"],
            "failed_at": None,
            "last_error": None,
            "step_details": details,
            "usage": None,
        }

    def new_message(self, run: dict[str, Any], message_id: str) -> dict[str, Any]:
        """Return an empty message of the assistant in progress."""
        return {
            "id": message_id,
            "object": "thread.message",
            "created_at": self.second,
            "assistant_id": self._assistant_id,
            "thread_id": run["thread_id"],
            "run_id": run["id"],
            "status": "in_progress",
            "incomplete_details": None,
            "incomplete_at": None,
            "completed_at": None,
            "role": "assistant",
            "content": [],
            "attachments": [],
            "metadata": {},
        }


def message_delta(message: dict[str, Any], value: str, *, first: bool) -> dict[str, Any]:
    """Return a delta of a message's text. The first has the empty list of annotations."""
    text = {"value": value, "annotations": []} if first else {"value": value}
    content = [{"index": 0, "type": "text", "text": text}]
    return {"id": message["id"], "object": "thread.message.delta", "delta": {"content": content}}


def step_delta(step: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """Return a delta of a step's only tool call."""
    details = {"type": "tool_calls", "tool_calls": [{"index": 0, **call}]}
    return {"id": step["id"], "object": "thread.run.step.delta", "delta": {"step_details": details}}


def text_content(value: str) -> list[dict[str, Any]]:
    """Return the content of a message with the text `value`."""
    return [{"type": "text", "text": {"value": value, "annotations": []}}] if value else []


def spend(thread: Thread, completion_tokens: int) -> dict[str, Any]:
    """Return the usage of a step that reads the thread and writes so many tokens. The thread grows by them."""
    cached = min(thread.cached_tokens, thread.prompt_tokens)
    usage = _usage(thread.prompt_tokens, completion_tokens, cached)
    if thread.prompt_tokens >= _CACHE_TOKENS_MIN:
        thread.cached_tokens = thread.prompt_tokens - thread.prompt_tokens % _CACHE_BLOCK_TOKENS
    thread.prompt_tokens += completion_tokens
    return usage


def total(usages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the usage of a run: the sum of its steps."""
    return _usage(
        sum(usage["prompt_tokens"] for usage in usages),
        sum(usage["completion_tokens"] for usage in usages),
        sum(usage["prompt_token_details"]["cached_tokens"] for usage in usages),
    )


def _usage(prompt_tokens: int, completion_tokens: int, cached_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_token_details": {"cached_tokens": cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
