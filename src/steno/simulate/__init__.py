"""The simulated provider: conversations without a model, for the demo, tests and benchmarks.

    server.py        the server: stories that are played to who listens, sessions that answer their client
    port.py          one port for websockets and HTTP; tls.py makes its certificate
    voice_line.py    the websockets of voice sessions; lines.py what those of all APIs share
    rooms.py         a session in real time, and who is connected to it; access.py who may open one
    http_api.py      keys for sessions, and calls (calls.py); bodies.py reads requests
    assistants_api.py   assistants, threads and runs over HTTP; assistants_store.py what clients have made
    interactive/     a voice session that answers its client, as a state machine
    responses/       the Responses API: connections that answer their client, and its HTTP side
    live/            the Live API: sessions that answer their client, calls, and their HTTP side
    tasks.py         what goes on in a session at the same time; playing.py a session and its client as a story
    steps.py         frames with the pause before each, ids, text in pieces, sound
    voice.py         stories of the Realtime API; the parts are in voice_*.py
    assistants.py    stories of the Assistants API; the parts are in assistants_*.py

Stories and sessions are functions of a seed, a second and, for sessions, of what their client sends. The same seed
gives the same conversations, so a demo can be repeated and benchmarks can be compared. The names and the order of
members and events are those of the real services. The texts are invented.
"""
