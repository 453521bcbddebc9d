"""The audit log that can be proved: what a record is, how it is written, and how it is verified.

    a record            record (members, link), log_records (`log.*`), content_policy (bodies, what is kept of content)
    from facts to it    sink; setup (from the configuration), service (the log of a running daemon)
    on the disk         directory (the folder), writing/ (queue, thread, chain, segments, recovery, retention)
    content beside it   content_store/ (files that can be erased)
    proved              verification/ (chain, keys, kept heads, what the log says of itself)

Whoever writes the log gives records their numbers and hashes. A record comes as bytes, or is encoded by the thread that
writes.
"""
