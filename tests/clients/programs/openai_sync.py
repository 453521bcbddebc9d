"""The `openai` SDK, synchronous: `client.realtime`, or with the argument `beta` `client.beta.realtime`."""

import os
import sys

import openai
from play import SHAPES, play


def talk(connection, steps):
    """Have the conversation, and return how many events came."""
    count, event = 0, None
    while True:
        try:
            kind, what = steps.send(event)
        except StopIteration:
            return count
        event = None
        if kind == "send":
            connection.send(what)
            continue
        while event is None or event["type"] != what:
            event = connection.recv().to_dict()
            count += 1


def main():
    """Connect as the environment says."""
    namespace = sys.argv[1]
    client = openai.OpenAI(websocket_base_url=os.environ["STENO_CLIENT_WS"])  # beta takes wss:// without it
    place = client.beta.realtime if namespace == "beta" else client.realtime
    with place.connect(model="gpt-realtime") as connection:
        if os.environ.get("STENO_TAP_URL"):
            from steno_tap import Tap

            with Tap() as tap:
                tap(connection)
                print(talk(connection, play(**SHAPES[namespace])))
                connection.close()
        else:
            print(talk(connection, play(**SHAPES[namespace])))


main()
