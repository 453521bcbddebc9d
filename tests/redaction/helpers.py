"""What the plays about redaction share."""

import pytest
from _pytest.mark import ParameterSet

from steno.redaction import Redactor

REDACTOR = Redactor()


def redacted(text: str, *regions: str) -> str:
    """Return what is left of `text`."""
    left = (Redactor(regions=regions) if regions else REDACTOR).redact(text).text
    assert left is not None
    return left


def table(text: str) -> list[ParameterSet]:
    """Return a parameter set for each line of `text`: what is written, and after `->` what is left of it."""
    pairs = [line.split("->") for line in text.strip().splitlines()]
    return [pytest.param(written.strip(), left.strip(), id=written.strip()) for written, left in pairs]
