"""The `openai` SDK on the Live API: a session in sound, which delegates, its sideband, and the end by HTTP."""

import os

import openai
from play import SILENCE, TONE

BACKEND = {
    "model": "gpt-5.6-sol",
    "instructions": "Say how the weather will be.",
    "tools": [
        {
            "type": "function",
            "name": "lookup_forecast",
            "description": "Looks up a forecast.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        }
    ],
}
SESSION = {
    "model": "gpt-live-1",
    "instructions": "Delegate what you do not know.",
    "delegation": {"type": "responses", "responses": BACKEND},
}


def until(connection, suits):
    """Receive up to an event that suits. Returns it, and how many came."""
    count = 0
    while True:
        event = connection.recv()
        count += 1
        if suits(event):
            return event, count


def inner(event, kind, item=""):
    """Return whether an event is one of the backend's."""
    if event.type != "response.event" or event.event["type"] != kind:
        return False
    return not item or event.event["item"]["type"] == item


def talk(connection, client):
    """Have the conversation, and return how many events came."""
    total = 0

    def wait(suits):
        nonlocal total
        event, count = until(connection, suits)
        total += count
        return event

    connection.session.start(session=SESSION)
    started = wait(lambda event: event.type == "session.started")
    with client.live.sideband.connect(session_id=started.session.id, graceful_close=True) as sideband:
        until(sideband, lambda event: event.type == "session.started")
        for sound in (TONE, SILENCE):
            connection.session.input_audio.append(audio=sound)
        called = wait(lambda event: inner(event, "response.output_item.done", "function_call")).event["item"]
        wait(lambda event: inner(event, "response.completed"))
        output = {"type": "function_call_output", "call_id": called["call_id"], "output": "14 degrees"}
        connection.response.item.create(item=output)
        connection.response.create()
        wait(lambda event: inner(event, "response.completed"))
        wait(lambda event: event.type == "session.output_transcript.delta" and "14" in event.delta)
        sideband.session.input_audio.mute()
        until(sideband, lambda event: event.type == "session.input_audio.muted")
        wait(lambda event: event.type == "session.input_audio.muted")
        connection.session.instructions.append(content="Be brief.", delegation_id=None)
        wait(lambda event: event.type == "session.instructions.appended")
        connection.session.close()
        wait(lambda event: event.type == "session.closed")
        until(sideband, lambda event: event.type == "session.closed")
    try:
        client.live.sessions.hangup(started.session.id)
    except openai.NotFoundError:
        return total
    raise AssertionError("a session that is over was hung up")


def main():
    """Connect as the environment says."""
    client = openai.OpenAI()
    with client.live.connect() as connection:
        if os.environ.get("STENO_TAP_URL"):
            from steno_tap import Tap

            with Tap() as tap:
                tap(connection)
                print(talk(connection, client))
                connection.close()
        else:
            print(talk(connection, client))


main()
