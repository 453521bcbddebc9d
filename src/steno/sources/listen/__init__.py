"""`kind = "listen"`: applications and relays push frames to the daemon over websockets.

source.py      the source: binds, accepts, stops, takes another configuration
handshake.py   which requests become a connection, and what the others are answered
tokens.py      the file of bearer tokens
arrivals.py    connections before they are one: how many there may be, and for how long
rates.py       how much one client may ask and send
connection.py  a connection of the library, within the budgets of all
reading.py     one connection that pushes, from its handshake to its end
counters.py    what becomes of connections, and how often
acknowledgement.py  what a sender is told of its messages that are on the disk
pushed.py      what comes on a connection: frames, lines of recordings, CloudEvents
"""
