"""`kind = "proxy"`: a base URL that stands before a provider. All passes, and steno reads along.

    source.py    the source: it listens, drains, and is configured anew
    listener.py  accepts clients, with TLS or without
    client.py    a connection of a client: one request after the other, until one becomes a websocket
    host.py      what such a connection asks of the source; `Observe`, by which replies that are no websockets are read
    upstream.py  the connection to the provider that belongs to it
    heads.py     heads of requests and replies: what is refused, and what of them passes; handshakes of websockets
    target.py    where a request goes, and what a reply says of places
    refusal.py   what the proxy answers by itself
    call.py      a websocket after its handshake: what one side says passes to the other
    frames.py    the frames of one direction, and the messages in them
    reading.py   reading along, and what the proxy counts
    replies.py   replies that are no websockets: which are read along, and how; server_sent.py and inflate.py help it

Theory of operation: docs/decisions/0008-a-proxy-of-protocols.md.
"""
