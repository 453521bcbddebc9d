"""The Live API without a model: sessions over a websocket, and calls that sidebands follow.

    session.py        the state machine: a client event in, server events out, and when the next ones are due
    handlers.py       what each client event does
    configuration.py  a session's members, and what may be changed
    state.py          the state of a session: its timeline, what both sides say on it, and what it has used
    turns.py          what the caller says, and who answers: the voice, or who it delegates to
    delegation.py     tasks that are delegated to a Responses model, to the client, or to decisions
    callers.py        the caller of a simulated call
    http_api.py       calls by HTTP; line.py the websockets
    story.py          calls, for those who only listen

Nothing but `http_api` and `line` has a clock or a socket. What a session sends is a function of its seed, of the second
at which it began and of what it received.
"""
