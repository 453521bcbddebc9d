"""Decodes each line of a file by the standard library, and does nothing else."""

import json
import sys
from pathlib import Path

with Path(sys.argv[1]).open("rb") as lines:
    for line in lines:
        json.loads(line)
