"""The schema for editors is one, as a library of others reads it, and it takes the examples."""

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PYTHON = ROOT / "build/operations/tools/bin/python"
SCRIPT = """
import json, sys, tomllib
from jsonschema import Draft7Validator
schema = json.load(open(sys.argv[1]))
Draft7Validator.check_schema(schema)
for file in sys.argv[2:]:
    for mistake in Draft7Validator(schema).iter_errors(tomllib.load(open(file, "rb"))):
        print(file, mistake.json_path, mistake.validator)
"""


def mistakes(*files: Path) -> list[str]:
    """Return what the library says of configuration files."""
    arguments = [str(each) for each in (PYTHON, "-c", SCRIPT, ROOT / "config/steno.schema.json", *files)]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_examples_fit() -> None:
    examples = [*ROOT.glob("config/*.toml"), *ROOT.glob("deploy/**/*.toml")]

    assert len(examples) > 7
    assert mistakes(*examples) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[http]\nredy = 'all'", "$.http additionalProperties"),
        ("[limits]\nconversations = 0", "$.limits.conversations minimum"),
        ("[audit]\nkey = { file = '/k', env = 'K' }", "$.audit.key oneOf"),
        ("[[sources]]\nname = 'desk'\nkind = 'proxi'", "$.sources[0] oneOf"),
    ],
)
def test_what_is_wrong_is_found(text: str, found: str, tmp_path: Path) -> None:
    file = tmp_path / "steno.toml"
    file.write_text(text)

    assert mistakes(file) == [f"{file} {found}"]
