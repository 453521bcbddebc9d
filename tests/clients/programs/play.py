"""The conversation that the clients of the `openai` SDK have, as a generator: it yields what to do, and is sent events.

    ("send", event)     send a client event
    ("until", type)     receive up to an event of this type; it is sent into the generator

So the sync and the async client, of either namespace, say the same.
"""

import base64


def loud(milliseconds):
    """Return what counts as speech, as loudness goes: PCM of 24 kHz."""
    return b"\x00\x20\x00\xe0" * (12 * milliseconds)


def silent(milliseconds):
    """Return silence."""
    return bytes(48 * milliseconds)


TONE, SILENCE = (base64.b64encode(sound).decode() for sound in (loud(1000), silent(900)))
TOOL = {
    "type": "function",
    "name": "find_aisle",
    "description": "Says where an article is.",
    "parameters": {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]},
}


def said(text):
    """Return the event by which the user says `text`."""
    content = [{"type": "input_text", "text": text}]
    return (
        "send",
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}},
    )


def play(text, audio):
    """Talk in writing, by a tool, in sound, and break off. `text` and `audio` configure a session for either."""
    yield ("until", "session.created")
    yield ("send", {"type": "session.update", "session": {**text, "tools": [TOOL]}})
    yield ("until", "session.updated")
    yield said("Good evening.")
    yield ("send", {"type": "response.create"})
    yield ("until", "response.done")
    yield said("Please find the aisle of Marmalade")
    yield ("send", {"type": "response.create"})
    done = yield ("until", "response.done")
    call = done["response"]["output"][0]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "aisle 9, left"}
    yield ("send", {"type": "conversation.item.create", "item": output})
    yield ("send", {"type": "response.create"})
    yield ("until", "response.done")
    yield ("send", {"type": "session.update", "session": {**audio, "tools": []}})
    yield ("until", "session.updated")
    yield ("send", {"type": "input_audio_buffer.append", "audio": TONE})
    yield ("send", {"type": "input_audio_buffer.append", "audio": SILENCE})
    yield ("until", "response.done")
    yield ("send", {"type": "response.create"})
    yield ("send", {"type": "response.cancel"})
    yield ("until", "response.done")


CURRENT = {
    "text": {"type": "realtime", "output_modalities": ["text"]},
    "audio": {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}},
    },
}
BETA = {
    "text": {"modalities": ["text"]},
    "audio": {"modalities": ["text", "audio"], "input_audio_transcription": {"model": "whisper-1"}},
}
SHAPES = {"realtime": CURRENT, "beta": BETA}
"""The configurations in the words of each namespace."""
