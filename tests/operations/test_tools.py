"""The programs that these tests are about are there: without them nothing here would be shown."""

import shutil

import pytest


@pytest.mark.parametrize("program", ["chromium", "prometheus", "promtool"])
def test_a_program_is_there(program: str) -> None:
    assert shutil.which(program)
