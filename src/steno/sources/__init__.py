"""Where frames come from: the sources of a running daemon.

    protocols.py        what the daemon knows of a source, and what a source knows of the pipeline
    supervisor.py       starts, stops and reconfigures all sources
    supervised.py       one of them, started again when it fails
    stream_session.py   one stream from its begin to its end: name, recording, feeding, gap
    websocket.py        what all sources on websockets share: reading, pings, how a connection ended
    connect.py          `kind = "connect"`; dialing.py: one connection after the other, also of attach/;
                        connect_errors.py, retry_after.py, backoff.py: its failures, and the waits after them;
                        redirects.py: where it may be sent; trust.py: certificates to trust, and headers;
                        turns.py: how many connections are made at a time
    attach/             `kind = "attach"`: follows calls that it is asked to follow
    listen/             `kind = "listen"`: clients push
    proxy/              `kind = "proxy"`: stands before a provider, and reads along what passes
    follow.py           `kind = "follow"`; growing_file.py reads its lines
    sockets.py          ports of those that listen; tls.py: their certificates; socket_budget.py: how many clients there
                        may be
    recording.py        a frame as a line of a recording, and back; recorder.py writes them (`--record`)
    read_ahead.py       what is received and not fed yet
    clock.py            the time of receipt

A new kind of source is a module here with a class that satisfies `protocols.Source`, a Struct in `config/sources/`
and a line in `app/source_kinds.py`.
"""
