"""The room of the simulated provider: conversations without a model, for the demo, tests and benchmarks.

`voice` and `assistants` write the frames, `steps` paces and names them, `server` speaks them over a real
websocket on loopback. Everything but the server is a function of a seed and a second: the same seed gives the
same conversations, so a demo can be shown twice and a benchmark compared. Member names, their order and the
order of events follow what the real services send; the words are invented.
"""
