"""The audit log that can be proved: what a record is, how it is chained, written and verified.

    what a record is    format (members, time, link), own (`log.*`), content (bodies, and what is kept of words)
    written             queue, work and writer (the thread), log and group (numbers, chain, segments),
                        segment and segments (files), recovery, retention, watch (damage)
    words               word_files (beside the log), traces (in the chain), word_proof
    verified            verify (files), proof (the chain), evidence (keys, kept heads), testimony (what the log says of
                        itself), report (what came of it)

`format`, `own`, `content`, `group`, `proof`, `evidence`, `testimony` and `report` are pure. Facts come in as bytes that
are already encoded, or are encoded by the thread; whoever writes the log gives them their numbers and their hashes.
"""
