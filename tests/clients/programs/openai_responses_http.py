"""The `openai` SDK on the HTTP side of the Responses API: streamed and at once, with a tool, a chain, and an error."""

import openai
from responses_tool import MODEL, TOOL


def main():
    """Ask as the environment says."""
    client = openai.OpenAI()
    first = client.responses.create(model=MODEL, input="Hello there.")
    events = list(client.responses.create(model=MODEL, input="And again.", previous_response_id=first.id, stream=True))
    with client.responses.stream(model=MODEL, input="What is the stock of Twine?", tools=[TOOL]) as stream:
        events += list(stream)
        called = stream.get_final_response()
    call = next(item for item in called.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "17 rolls"}
    with client.responses.stream(model=MODEL, input=[result], previous_response_id=called.id) as stream:
        events += list(stream)
        assert "17 rolls" in stream.get_final_response().output_text
    assert client.responses.retrieve(first.id).id == first.id
    try:
        client.responses.create(model=MODEL, input="Go on.", previous_response_id="resp_none")
    except openai.BadRequestError:
        print(len(events))


main()
