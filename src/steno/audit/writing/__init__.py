"""Writing the audit log: the queue, the thread, the chain, and the files on the disk. I/O."""
