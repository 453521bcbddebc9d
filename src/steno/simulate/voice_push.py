"""A line on which the caller holds a key to speak, and on which more goes wrong than elsewhere.

`session` plays it. The model is a new one without a published price. No voice detector decides when the caller has
spoken. A tool on another server is called, which fails at times. Once a button is pressed without a word, and what the
client then commits is refused by an `error` event.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec

from steno.simulate.steps import Step
from steno.simulate.voice_scripts import SCRIPTS, Lookup
from steno.simulate.voice_session import Setup, VoiceSession
from steno.simulate.voice_turns import answer, commit, transcribe

MODEL: Final = "gpt-realtime-next"
"""No price list has it."""
SERVER: Final = "field-office"
_TURNS: Final = 3
_WORD_SECONDS: Final = 0.2
_FAILS: Final = (True, False, False)
"""One call of the tool in three fails."""


def session(rng: Random, started_at: int) -> Iterator[Step]:
    """Yield the frames of one session, about 30 seconds long, that began at the Unix second `started_at`.

    The frames are a function of the state of `rng` and of `started_at` alone.
    """
    script = rng.choice(SCRIPTS)
    setup = Setup(
        script=script,
        model=MODEL,
        voice="cedar",
        transcription_model="gpt-4o-mini-transcribe",
        silence_ms=0,
        max_output_tokens="inf",
        phased=False,
        push_to_talk=True,
    )
    s = VoiceSession(rng, started_at, setup)
    s.open()
    fails = rng.sample(_FAILS, len(_FAILS))
    silent = rng.randrange(_TURNS)
    for turn, exchange in enumerate(rng.sample(script.exchanges, _TURNS)):
        if turn == silent:
            _press_in_vain(s)
        _say(s, exchange.caller)
        answer(s, exchange.agent)
        _ask_elsewhere(s, script.lookups[turn], fails=fails[turn])
        yield from s.steps()
    yield from s.steps(to_the_end=True)


def _say(s: VoiceSession, line: str) -> None:
    """Let the caller hold the key and say `line`; the client commits it when the key is released."""
    seconds = len(line.split()) * _WORD_SECONDS + s.rng.uniform(0.3, 0.6)
    item_id = s.new_id("item", s.now)
    s.now += seconds
    transcribe(s, commit(s, item_id, line, round(seconds * 1000)))
    s.now += s.rng.uniform(0.02, 0.05)  # until the client asks for a response


def _press_in_vain(s: VoiceSession) -> None:
    """Let the client commit what nobody said."""
    s.now += 0.2
    refused = {
        "type": "invalid_request_error",
        "code": "input_audio_buffer_commit_empty",
        "message": "There is no sound to commit: the simulated buffer is empty.",
        "param": None,
        "event_id": None,
    }
    s.send(s.now, "error", error=refused)
    s.now += s.rng.uniform(0.4, 0.8)


def _ask_elsewhere(s: VoiceSession, lookup: Lookup, *, fails: bool) -> None:
    """Play a turn in which the model calls a tool on another server, and then answers with what it has."""
    _say(s, lookup.caller)
    response = s.begin_response(s.now)
    at = s.now + s.rng.uniform(0.3, 0.5)
    arguments = msgspec.json.encode(lookup.arguments).decode()
    item = {
        "id": s.new_id("mcp", at),
        "type": "mcp_call",
        "server_label": SERVER,
        "name": s.setup.script.tool["name"],
        "arguments": arguments,
        "approval_request_id": None,
        "output": None,
        "error": None,
    }
    index = s.add_output_item(at, response, item)
    response.text_tokens += len(arguments) // 4
    where = {"item_id": item["id"], "output_index": index}
    s.send(at + 0.02, "response.mcp_call_arguments.done", response_id=response.id, **where, arguments=arguments)
    s.send(at + 0.03, "response.mcp_call.in_progress", **where)
    done = at + s.rng.uniform(0.4, 1.6)
    if fails:
        s.send(done, "response.mcp_call.failed", **where)
        error = {"type": "http_error", "code": 503, "message": "The simulated server is busy."}
        s.finish_output_item(done + 0.01, response, index, error=error)
    else:
        s.send(done, "response.mcp_call.completed", **where)
        s.finish_output_item(done + 0.01, response, index, output=lookup.output)
    s.end_response(done + 0.02, response, "completed")
    s.now = done + s.rng.uniform(0.1, 0.2)
    answer(s, "I cannot look that up right now." if fails else lookup.agent)
