"""The simulated provider: conversations without a model, for the demo, tests and benchmarks.

    server.py        a websocket server on loopback that plays conversations to its clients
    steps.py         frames with the pause before each, ids, text in pieces, sound
    voice.py         voice sessions of the Realtime API; the parts are in voice_*.py
    assistants.py    streams of the Assistants API; the parts are in assistants_*.py

Except for the server, everything is a function of a seed and a second. The same seed gives the same conversations, so a
demo can be repeated and benchmarks can be compared. The names and the order of members and events are those of the real
services. The texts are invented.
"""
