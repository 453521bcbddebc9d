"""The Responses API without a model: over a websocket, and over HTTP with server-sent events.

    session.py        the state machine of one connection: lanes, requests in, events out, and when the next are due
    request.py        what a request may say, and the items of its input
    objects.py        ids, responses, items and usage, with the members and the order of the wire
    answers.py        a response from its first event to its last; steering.py hands its client's second thoughts over
    writing.py        output items that the model writes: messages, refusals, calls, reasoning
    hosted.py         output items of tools that the provider runs, and of tools on other servers
    moves.py          what the simulated model does with what it has read
    store.py          the responses that a later one may continue
    http_api.py       the endpoints; line.py the websockets
    story.py          agents at work, for those who only listen; scripts.py has their texts

Nothing but `http_api` and `line` has a clock or a socket. What a connection sends is a function of its seed, of the
second at which it began and of what it received.
"""
