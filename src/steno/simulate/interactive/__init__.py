"""Voice sessions that answer their client: the Realtime API without a model.

    session.py        the state machine: a client event in, server events out, and when the next ones are due
    handlers.py       what each client event does; turns.py what the caller's speech does
    configuration.py  a session's members, what may be changed, and the options of one response
    checks.py         what a value of a client event may be; errors.py says what it is not
    items.py          the items of the conversation
    hearing.py        the caller's sound: when speech begins and ends; sound.py has the formats
    answers.py        a response from its first event to its last, and how it is cut short
    replies.py        what the simulated model says, or which function it calls; arguments.py makes the arguments
    callers.py        the caller of a simulated call
    beta.py           the names and the shape of the beta protocol

Nothing here has a clock, a socket or randomness of its own. What a session sends is a function of its seed, of the
second at which it began and of what it received, in the order in which it was received.
"""
