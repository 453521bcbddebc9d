"""What events mean: the state of conversations, and the facts that follow from each event. Pure.

Nothing here reads a clock, a socket or the environment: time comes in with each frame, and the same frames give the
same facts. `Registry` finds the conversation of an event, its family's handler changes the state and returns facts, and
the pipeline hands those to the sinks.
"""
