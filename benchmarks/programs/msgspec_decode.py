"""Decodes each line of a file by msgspec into plain objects, and does nothing else."""

import sys
from pathlib import Path

import msgspec

decode = msgspec.json.Decoder().decode
with Path(sys.argv[1]).open("rb") as lines:
    for line in lines:
        decode(line)
