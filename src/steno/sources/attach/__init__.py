"""`kind = "attach"`: calls that the daemon is asked to follow, over the sideband of their provider.

register.py  the calls of all sources of a daemon: asked for, listed, released; survives its sources
journal.py   the file that keeps them, and the ids of webhooks, over a restart
call.py      one call: its connections until it is over
sidebands.py where a call is followed, by its id
source.py    the source, which runs the calls that the register has for it
"""
