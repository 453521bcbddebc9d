"""What people look at: a table of conversations, and of each its timeline. The data behind the page and `steno top`.

    tally.py      what the facts of one conversation add up to
    rows.py       a conversation as a line of the table
    query.py      which lines are asked for, in which order, and the cursor of the next page
    changes.py    which lines have changed since they were shown last
    sources.py    the sources as lines of a table
    timeline.py   a conversation as spans and marks, out of the records of an audit log
    shapes.py     what a timeline is drawn of
    spans.py      the spans and marks of a timeline so far
    drawing/      what each record adds to them, a module a subject
    upstream_clock.py  where a moment on upstream's clock lies in the time of receipt
    transcript.py what was said, out of the same records
    document.py   a conversation as `--state` has it, under the content policy
    recent.py     the sink that keeps the recent facts of a running daemon
    live.py       all of that for a running daemon
    archive.py    all of that for an audit log on the disk
    log_index.py  where in such a log the records of each conversation are

A timeline is made of records alone. A running daemon makes the same records of the facts that it remembers, so that a
conversation looks the same while it runs and years later. None of these has a socket or an event loop; `archive` and
`log_index` read files.
"""
