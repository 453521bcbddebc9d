"""Decodes each line of some files by msgspec into plain objects, and does nothing else."""

import sys
from pathlib import Path

import msgspec

decode = msgspec.json.Decoder().decode
for name in sys.argv[1:]:
    with Path(name).open("rb") as lines:
        for line in lines:
            decode(line)
