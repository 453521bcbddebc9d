"""The audit log that can be proved: what a record is, how it is chained, written and verified.

`content` and `format` say what a record is, `proof` holds a log against that, `report` tells what came of it:
these are pure. `segments`, `log`, `writer` and `verify` read and write files. Facts come in as bytes that are
already encoded; whoever writes the log gives them their numbers and their hashes.
"""
