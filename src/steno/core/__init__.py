"""What upstream's words mean: the state of conversations, and the facts that follow from each event. Pure.

Nothing here reads a clock, a socket or the environment: time comes in with each frame, and the same frames give
the same facts. `Table` finds the conversation of an event, `reduce` moves it, and what has happened comes back
as facts, which the sinks tell.
"""
