"""The `openai` SDK over plain HTTP: keys of sessions, and runs of assistants, streamed and with a tool."""

import warnings

import openai

TOOL = {
    "type": "function",
    "function": {
        "name": "stock_of",
        "parameters": {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]},
    },
}


def main():
    """Ask as the environment says."""
    warnings.simplefilter("ignore", DeprecationWarning)
    client = openai.OpenAI()
    secret = client.realtime.client_secrets.create(session={"type": "realtime", "model": "gpt-realtime"})
    with openai.OpenAI(api_key=secret.value).realtime.connect(model="gpt-realtime") as connection:
        connection.recv()
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Answer for the stock room.", tools=[TOOL])
    thread = {"messages": [{"role": "user", "content": "Hello there."}]}
    events = list(client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread, stream=True))
    thread_id = events[0].data.thread_id
    client.beta.threads.messages.create(thread_id=thread_id, role="user", content="What is the stock of Twine?")
    with client.beta.threads.runs.stream(thread_id=thread_id, assistant_id=assistant.id) as stream:
        events += list(stream)
        run = stream.get_final_run()
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": "17 rolls"}]
    with client.beta.threads.runs.submit_tool_outputs_stream(
        thread_id=thread_id, run_id=run.id, tool_outputs=outputs
    ) as stream:
        events += list(stream)
    try:
        client.beta.threads.retrieve("thread_that_is_not_there")
    except openai.NotFoundError:
        print(len(events))


main()
