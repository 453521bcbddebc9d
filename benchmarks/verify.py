# ruff: noqa: INP001  # a script of the house, in no package
"""How fast `steno verify` is, beside a bare loop of SHA-256 over the same lines in the same run.

    python benchmarks/verify.py [RECORDS]

The loop is what no verifier in Python can do without: one hash a record, nothing checked.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from steno.audit.record import (
    CLOSED,
    GENESIS,
    HASH_BYTES,
    OPENED,
    LogOpened,
    algorithm,
    entry,
    key_id,
    link,
    segment_name,
)
from steno.audit.verification.files import verify
from steno.audit.verification.trust import Keys, Trust

RECORDS: Final = 200_000
SEGMENT_RECORDS: Final = 50_000
ROUNDS: Final = 3
"""The best one counts: what else the machine does only slows."""
KEY: Final = b"of the benchmark"
AT: Final = 1_767_225_600_000_000
BODY: Final = (
    b'{"response_id":"resp_%d","status":"completed","reason":null,"model":"gpt-realtime","duration_seconds":1.25,'
    b'"tokens":[{"direction":"output","modality":"audio","cached":false,"tokens":120}]}'
)


def write(folder: Path, records: int, key: bytes | None) -> None:
    """Write a log of `records` records."""
    seq, head = 0, GENESIS
    while seq < records:
        size = min(SEGMENT_RECORDS, records - seq)
        lines = []
        for told in _segment(seq, size, head, key):
            seq += 1
            line, head = link(seq, told, head, key)
            lines.append(line)
        (folder / segment_name(seq - size + 1)).write_bytes(b"".join(lines))


def _segment(seq: int, size: int, head: bytes, key: bytes | None) -> list[bytes]:
    opened = LogOpened(
        version="0",
        algorithm=algorithm(key),
        key_id=key_id(key),
        config_digest="0",
        content_policy="none",
        previous=head.hex(),
        recovered_bytes=0,
    )
    own = (OPENED, msgspec.json.encode(opened)), (CLOSED, b'{"reason":"rotated"}')
    first, last = (entry(AT, fact, None, None, None, body) for fact, body in own)
    return [first, *map(_said, range(seq + 1, seq + size - 1)), last][:size]


def _said(number: int) -> bytes:
    at = AT + number * 1000
    return entry(at, "response.finished", "relay/call", "relay/1/1", f"event_{number}", BODY % number)


def hashed(folder: Path) -> None:
    """Hash every line, and check nothing."""
    head = GENESIS
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            for line in file:
                head = hashlib.sha256(head + line[:-HASH_BYTES]).digest()


def proved(folder: Path, trust: Trust) -> None:
    """Prove the log."""
    report = verify([folder], trust=trust)
    if not report.ok:
        sys.exit(f"the log that was written does not hold: {report.fault}")


def seconds(work: Callable[[], None]) -> float:
    """Return how long `work` takes at best."""
    took = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        work()
        took.append(perf_counter() - begun)
    return min(took)


def main() -> None:
    """Measure a log without a key and one with, and print a line each."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    for name, key in (("plain", None), ("keyed", KEY)):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), records, key)
            trust = Trust(keys=Keys([key] if key else []))
            took = seconds(partial(proved, Path(folder), trust))
            bare = seconds(partial(hashed, Path(folder)))
        sys.stdout.write(
            f"{name}: {records} records, verify {records / took:,.0f} records/s, "
            f"bare sha256 loop {records / bare:,.0f} records/s, ratio {took / bare:.1f}\n"
        )


if __name__ == "__main__":
    main()
