"""Writing the audit log: from a record that is submitted to bytes that are on the disk. I/O.

Theory of operation
===================

    event loop                writing thread                                                  disk

    AuditSink.emit
    AuditWriter.submit
    Queue.put ── entries ───> Queue.take
               <── room ────  AuditLog.append       wait without numbers
                              AuditLog.flush
                              └ CompanionFiles.flush  what the records refer to ────────────> words/
                              └ Batch.add             number, hash: `record.link`
                              └ Segment.write         one write, one fdatasync  ────────────> audit-<seq>.jsonl
                                flushed_seq           counted when fdatasync has returned

The rules, and why:

1. The event loop never waits for a disk. `submit` takes a lock that is held for moments only. A full queue either
   takes the record all the same, and the observer (`audit.reports`) makes the sources stop ("block"): the queue may
   exceed its limit by the facts of the frame that filled it. Or it drops the record ("shed"). Memory is bounded either
   way. The sources go on when the queue is half empty, so that they do not stop and go with every record.
2. The writing thread alone touches log and files. What else must be done there is done in order with the records:
   `rotate` and `call` are entries of the queue. Other threads read figures without a lock (`AuditWriter.stats`).
3. Numbers and hashes are given at the moment of writing. Until then it is not known which record gets a number: records
   are dropped and a `log.gap` takes their place, a segment ends between two records, damage is recorded before what
   waits. A batch that failed is thrown away, and its entries are linked again.
4. A record counts when `fdatasync` has returned after it was written. Records share one: a piece of the queue of about
   `flush_bytes` that belongs into one segment is one write and one sync. A record waits `flush_seconds` for others at
   most; the end of the log waits for nothing.
5. What a record refers to is on the disk before the record. A file without a record is harmless, the reverse is a hole.
6. What failed is tried again, in its order, as long as it takes. Nothing overtakes it. Only `close` with its timeout
   ends that: then the log is left without its end.
7. A file whose sync failed is not trusted again (`segment`). What others do to a file is looked for before each write,
   recorded, and never repaired (`tamper_watch`): a repaired log would prove nothing.

The thread:

    waiting ── due, or closing ──> writing ── all on the disk ──> maintaining ──> waiting
                                   │     ▲
                           OSError ▼     │ after retry_seconds
                                   retrying ── given up ──> the folder is released, without `log.closed`
    waiting ── closing, nothing left ──> ending, with `log.closed`; without it where an exception ended the process

What happens where something fails:

    what fails                 what becomes of it
    writing to a segment       The tail is cut off at once, or before the next write. Same segment, same records again.
    syncing a segment          The tail is cut off, the segment is left without `log.closed`, and the records are linked
                               anew in a new one. A second sync of the same file could succeed without having written.
    making a segment           The file is deleted and made again. Nothing in it counted.
    CompanionFiles.flush       As writing to a segment: no record is written before it succeeds.
    encoding, by an OSError    That record is tried again, and those behind it wait: their order is a promise.
    encoding, otherwise        A bug. A `log.gap` takes the place of the record, and the owner is notified.
    deleting an old segment    Reported. Tried again when retention is due the next time; the log goes on.

A segment ends by its size (checked while a batch is made), its age, SIGHUP, or with the log. `log.closed` is the last
record of one, `log.opened` the first of the next: the chain runs through both. A closed segment never changes, so it
can be shipped as it is. Retention deletes whole closed segments once a `log.retired` that names them is on the disk, so
that a kill in between leaves too many files and never too few. How old a segment is by a clock that may be wrong:
`segment_age`.

Recovery after a kill needs no journal, since a log is only ever appended to: its end is where its last whole line ends.
The next start records how much follows (`recovered_bytes` of its `log.opened`), then cuts it off (`recovery`).

Whoever sends may be told what is on the disk. How far it is stands among the entries as a mark (`progress`), behind all
that the queue gave out at once. A mark counts when the flush behind it has returned. For a sender that goes on after a
kill it is written as `log.cursor`, in the same flush; `cursor_recovery` reads where each was.

What is promised, and when:

    when `submit` returns      The order of records. Nothing about a loss of power.
    when `flushed_seq` is n    Record n and all before it survive a kill and a loss of power, on a disk that keeps what
                               it has acknowledged. Numbers have no hole, no record is there twice.
    when `close` returns True  All that was submitted, and `log.closed`.

Not promised: what was not flushed is lost with the process. Those are the records of the last `flush_seconds` and what
waited behind them; a missing `log.closed` shows that it happened. A record may be on the disk though `flushed_seq` did
not get that far: it stays. That whole records were cut off the end while nothing ran is not noticed here: that takes
a head which is kept elsewhere.

`AuditLog` and what is below it are also used without queue and thread: by replay, and by `erase` where no daemon runs.
"""
