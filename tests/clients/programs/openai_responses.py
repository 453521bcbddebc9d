"""The `openai` SDK on a websocket of the Responses API: a tool loop, lanes, steering, and what is refused."""

import os

import openai
from responses_tool import MODEL, TOOL


def until(connection, *kinds):
    """Receive up to an event of one of these types. Returns it, and how many came."""
    count = 0
    while True:
        event = connection.recv()
        count += 1
        if event.type in kinds:
            return event, count


def talk(connection):
    """Have the conversation, and return how many events came."""
    count = 0

    def ask(*ends, **members):
        nonlocal count
        connection.response.create(model=MODEL, **members)
        event, more = until(connection, *(ends or ("response.completed",)))
        count += more
        return event

    warm = ask(input="You keep the stock.", generate=False).response
    called = ask(input="What is the stock of Twine?", tools=[TOOL], previous_response_id=warm.id).response
    call = next(item for item in called.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "17 rolls"}
    ask(input=[result], tools=[TOOL], previous_response_id=called.id)
    for lane in ("one", "two"):
        connection.response.create(model=MODEL, input=f"Lane {lane}.", stream_id=lane)
    for _ in range(2):
        count += until(connection, "response.completed")[1]
    begun = ask("response.created", input="Tell me of Paris.")
    steer = {"type": "response.steer", "previous_response_id": begun.response.id, "input": "And of Rome."}
    connection.send(steer)
    for kind in ("response.steer.accepted", "response.completed", "response.completed"):
        count += until(connection, kind)[1]
    connection.send({**steer, "previous_response_id": "resp_none"})
    count += until(connection, "response.steer.failed")[1]
    ask("response.incomplete", input="Say much.", max_output_tokens=16, reasoning={"effort": "none"})
    ask("response.failed", input="Please fail.")
    ask("error", input="Go on.", previous_response_id="resp_none")
    return count


def main():
    """Connect as the environment says."""
    with openai.OpenAI().responses.connect() as connection:
        if os.environ.get("STENO_TAP_URL"):
            from steno_tap import Tap

            with Tap() as tap:
                tap(connection)
                print(talk(connection))
                connection.close()
        else:
            print(talk(connection))


main()
