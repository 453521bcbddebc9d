"""Where frames come from: the sources of a running daemon.

    protocols.py        what the daemon knows of a source, and what a source knows of the pipeline
    supervisor.py       starts, stops and reconfigures all sources
    supervised.py       one of them, started again when it fails
    stream_session.py   one stream from its begin to its end: name, recording, feeding, gap
    websocket.py        what all sources on websockets share: reading, pings, how a connection ended
    connect.py          `kind = "connect"`; connect_errors.py, retry_after.py, backoff.py: its failures, and the waits
                        after them; redirects.py: where it may be sent
    listen/             `kind = "listen"`: clients push; tls.py: the certificate of those that listen;
                        socket_budget.py: how many clients there may be
    follow.py           `kind = "follow"`; growing_file.py reads its lines
    proxy/              `kind = "proxy"`: stands before a provider, and reads along what passes
    turns.py            how many connections are made at a time
    recording.py        a frame as a line of a recording, and back; recorder.py writes them (`--record`)
    clock.py            the time of receipt

A new kind of source is a module here with a class that satisfies `protocols.Source`, a Struct in `config/schema.py`
and a line in `app/source_kinds.py`.
"""
