"""The events of one voice session in the GA protocol: the session, its items and its responses.

This module knows the members of events and their order. `voice_turns` knows what happens in a call, and when.
"""

from collections.abc import Iterator
from math import inf
from random import Random
from typing import Any, Final

import msgspec

from steno.simulate.steps import SAMPLE_RATE, Ids, Schedule, Step
from steno.simulate.voice_scripts import DEFAULT_INSTRUCTIONS, Script
from steno.simulate.voice_usage import Ledger

SESSION_SECONDS: Final = 3600
"""The longest duration of a session."""

RATE_LIMITS_CHANCE: Final = 0.3
"""How likely a response is followed by `rate_limits.updated`."""

PCM: Final = {"type": "audio/pcm", "rate": SAMPLE_RATE}
"""The default format of sound."""


def session_object(
    *,
    session_id: str,
    expires_at: int,
    model: str,
    output_modalities: list[str],
    instructions: str,
    tools: list[dict[str, Any]],
    max_output_tokens: int | str,
    transcription: dict[str, Any] | None,
    silence_ms: int,
    voice: str | dict[str, str],
) -> dict[str, Any]:
    """Return a session as its events show it, with the members in the order of the wire."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": output_modalities,
        "instructions": instructions,
        "tools": tools,
        "tool_choice": "auto",
        "max_output_tokens": max_output_tokens,
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": PCM,
                "transcription": transcription,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": silence_ms,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": PCM, "voice": voice, "speed": 1.0},
        },
        "include": None,
    }


def response_object(
    *,
    response_id: str,
    status: str,
    details: dict[str, Any] | None,
    output: list[dict[str, Any]],
    conversation_id: str | None,
    output_modalities: list[str],
    max_output_tokens: int | str,
    audio: dict[str, Any],
    usage: dict[str, Any] | None,
    metadata: dict[str, str] | None,
) -> dict[str, Any]:
    """Return a response as its events show it, with the members in the order of the wire."""
    return {
        "object": "realtime.response",
        "id": response_id,
        "status": status,
        "status_details": details,
        "output": output,
        "conversation_id": conversation_id,
        "output_modalities": output_modalities,
        "max_output_tokens": max_output_tokens,
        "audio": {"output": audio},
        "usage": usage,
        "metadata": metadata,
    }


class Setup(msgspec.Struct, frozen=True):
    """The configuration of a session, as far as sessions differ."""

    script: Script
    model: str
    voice: str | dict[str, str]
    transcription_model: str
    silence_ms: int
    max_output_tokens: int | str
    """An integer, or `"inf"`."""
    phased: bool
    """Whether the model marks its messages as `commentary` or `final_answer`, as newer ones do."""
    output_modalities: tuple[str, ...] = ("audio",)
    push_to_talk: bool = False
    """Whether the client commits what was said, and asks for responses: no voice detector does."""


class OpenResponse(msgspec.Struct):
    """A response in progress: its output so far."""

    id: str
    output: list[dict[str, Any]]
    text_tokens: int = 0
    audio_tokens: int = 0
    heard_tokens: int | None = None
    """The audio tokens that were played, where the caller interrupted it."""
    metadata: dict[str, str] | None = None
    """What the client attached to it, to recognise it."""
    out_of_band: bool = False
    """Whether it is outside of the conversation."""


class VoiceSession:
    """The state of a session, and the events that change it.

    `now` is how far the call has come, in seconds since its start. Events are scheduled for any time from `now` on;
    `steps` yields those that lie before it.
    """

    def __init__(self, rng: Random, started_at: int, setup: Setup) -> None:
        self.rng = rng
        self.setup = setup
        self.now = 0.0
        self.items: list[str] = []
        self.ledger = Ledger(instruction_tokens=len(setup.script.instructions) // 4 + 90)
        self.interrupted = False
        self._rate_limits_sent = False
        self._started_at = started_at
        self._schedule = Schedule()
        self._ids = Ids(rng)
        self._id = self.new_id("sess", 0.0)
        self._conversation_id = self.new_id("conv", 0.0)

    def steps(self, *, to_the_end: bool = False) -> Iterator[Step]:
        """Yield the scheduled events that lie before `now`, or all of them."""
        return self._schedule.pop(inf if to_the_end else self.now)

    def new_id(self, prefix: str, at: float) -> str:
        """Return an id of the second `at` of the session."""
        return self._ids.dated(prefix, self._started_at + at)

    def new_call_id(self) -> str:
        """Return the id of a function call."""
        return self._ids.call()

    def send(self, at: float, kind: str, **members: Any) -> None:
        """Schedule an event for the second `at`."""
        event_id = self.new_id("event", at)
        self._schedule.add(at, {"type": kind, "event_id": event_id, **members})

    def send_delta(self, at: float, kind: str, where: dict[str, Any], delta: str) -> None:
        """Schedule a delta of text. It is padded, so that its size on the wire does not show its length."""
        self.send(at, kind, **where, delta=delta, obfuscation=self._ids.padding(delta))

    # The session itself.

    def open(self) -> None:
        """Send `session.created`, then `session.updated` with what the client asked for."""
        setup = self.setup
        self.send(self.now, "session.created", session=self._session(DEFAULT_INSTRUCTIONS, [], None, "inf"))
        self.now += self.rng.uniform(0.1, 0.25)
        transcription = {"model": setup.transcription_model, "language": None, "prompt": None}
        configured = self._session(
            setup.script.instructions, [setup.script.tool], transcription, setup.max_output_tokens
        )
        self.send(self.now, "session.updated", session=configured)
        self.now += self.rng.uniform(0.2, 0.4)

    def _session(
        self,
        instructions: str,
        tools: list[dict[str, Any]],
        transcription: dict[str, Any] | None,
        max_output_tokens: int | str,
    ) -> dict[str, Any]:
        session = session_object(
            session_id=self._id,
            expires_at=self._started_at + SESSION_SECONDS,
            model=self.setup.model,
            output_modalities=list(self.setup.output_modalities),
            instructions=instructions,
            tools=tools,
            max_output_tokens=max_output_tokens,
            transcription=transcription,
            silence_ms=self.setup.silence_ms,
            voice=self.setup.voice,
        )
        if self.setup.push_to_talk:
            session["audio"]["input"]["turn_detection"] = None
        return session

    # Items: each has an event when it is added and one when it is done.

    def add_client_item(self, at: float, item: dict[str, Any]) -> None:
        """Send an item that is complete from the start: a caller's utterance, or the output of a function."""
        previous = self.items[-1] if self.items else None
        self.items.append(item["id"])
        self.send(at, "conversation.item.added", previous_item_id=previous, item=item)
        self.send(at + 0.001, "conversation.item.done", previous_item_id=previous, item=item)

    def add_output_item(self, at: float, response: OpenResponse, item: dict[str, Any]) -> int:
        """Open an item of a response. Returns its output index."""
        index = len(response.output)
        previous = self.items[-1] if self.items else None
        self.items.append(item["id"])
        response.output.append(item)
        self.send(at, "response.output_item.added", response_id=response.id, output_index=index, item=dict(item))
        self.send(at + 0.001, "conversation.item.added", previous_item_id=previous, item=dict(item))
        return index

    def finish_output_item(self, at: float, response: OpenResponse, index: int, **final: Any) -> None:
        """End an item of a response with the members `final`."""
        item = response.output[index]
        item.update(final)
        place = self.items.index(item["id"])
        # As on the wire: for the second item of a conversation `previous_item_id` is null.
        previous = self.items[place - 1] if place > 1 else None
        self.send(at, "conversation.item.done", previous_item_id=previous, item=item)
        self.send(at + 0.001, "response.output_item.done", response_id=response.id, output_index=index, item=item)

    # Responses.

    def begin_response(
        self, at: float, *, metadata: dict[str, str] | None = None, out_of_band: bool = False
    ) -> OpenResponse:
        """Send `response.created`."""
        response = OpenResponse(self.new_id("resp", at), output=[], metadata=metadata, out_of_band=out_of_band)
        self.send(at, "response.created", response=self._response(response, "in_progress", None, None))
        return response

    def end_response(
        self,
        at: float,
        response: OpenResponse,
        status: str,
        details: dict[str, Any] | None = None,
        usage: dict[str, Any] | None = None,
    ) -> None:
        """Send `response.done`, and after some responses `rate_limits.updated`.

        `details` are the status details without their `type`. `usage` is computed where it is not given.
        """
        if usage is None:
            usage = self.ledger.respond(response.text_tokens, response.audio_tokens, heard_tokens=response.heard_tokens)
        if details is not None:
            details = {"type": status, **details}
        self.send(at, "response.done", response=self._response(response, status, details, usage))
        limits = self.ledger.rate_limits(at, usage)
        if not self._rate_limits_sent or self.rng.random() < RATE_LIMITS_CHANCE:
            self._rate_limits_sent = True
            self.send(at + 0.002, "rate_limits.updated", rate_limits=limits)

    def _response(
        self,
        response: OpenResponse,
        status: str,
        details: dict[str, Any] | None,
        usage: dict[str, Any] | None,
    ) -> dict[str, Any]:
        return response_object(
            response_id=response.id,
            status=status,
            details=details,
            output=list(response.output),
            conversation_id=None if response.out_of_band else self._conversation_id,
            output_modalities=list(self.setup.output_modalities),
            max_output_tokens=self.setup.max_output_tokens,
            audio={"format": PCM, "voice": self.setup.voice},
            usage=usage,
            metadata=response.metadata,
        )
