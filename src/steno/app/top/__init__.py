"""`steno top`: the conversations of a running daemon as a live table in a terminal.

client.py    asks the daemon for rows and sources, and follows what changes
follower.py  does so in a thread, again and again, and tells what it found
mirror.py    the rows as the daemon has them, and their sums
look.py      what the keys do: order, filter, place
drawing.py   all of it as lines of a terminal
screen.py    the terminal: keys, resizes, and when to draw
"""
