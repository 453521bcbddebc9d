"""Decodes each line of some files by the standard library, and does nothing else."""

import json
import sys
from pathlib import Path

for name in sys.argv[1:]:
    with Path(name).open("rb") as lines:
        for line in lines:
            json.loads(line)
