"""The audit log: facts become records, records form a chain, and the chain can be verified.

    record, log_records   what a record is, how it is chained, and the records that a log has about itself
    content_policy        how a fact becomes the body of a record, and how much content the record holds
    sink, setup, service  what facts are emitted to; from the configuration to a log; the log of a running daemon
    directory             the folder of a log: its lock, and its segments
    writing/              from a fact to a byte that is on the disk
    verification/         from the bytes on the disk to a report of what holds
    content_store/        content in files beside the log, where it can be erased

`record`, `log_records` and most of `verification/` are pure. The body of a fact is encoded by the loop that reads
sockets, or by the writer's thread where content must be redacted. The thread gives records their numbers and hashes.
"""
