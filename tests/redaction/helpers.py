"""What the tests of redaction share."""

import pytest
from _pytest.mark import ParameterSet

from steno.redaction import Redactor

REDACTOR = Redactor()


def redacted(text: str, *regions: str) -> str:
    """Return `text` with placeholders."""
    left = (Redactor(regions=regions) if regions else REDACTOR).redact(text).text
    assert left is not None
    return left


def table(text: str) -> list[ParameterSet]:
    """Return a parameter set for each line of `text`: an input, and after `->` its redacted form."""
    pairs = [line.split("->") for line in text.strip().splitlines()]
    return [pytest.param(written.strip(), left.strip(), id=written.strip()) for written, left in pairs]
