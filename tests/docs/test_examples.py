"""Examples in other languages than a shell's: what can be read is read."""

import ast
import configparser
import json

import pytest

from tests.docs.pages import Block, blocks


def numbered(*languages: str) -> list[object]:
    return [pytest.param(block, id=f"{block.page}-{number}") for number, block in enumerate(blocks(*languages))]


@pytest.mark.parametrize("block", numbered("python"))
def test_python(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", numbered("json"))
def test_json(block: Block) -> None:
    """One document, or a line each, as in a log."""
    try:
        json.loads(block.text)
    except json.JSONDecodeError:
        assert [json.loads(line) for line in block.text.splitlines()] != []


@pytest.mark.parametrize("block", numbered("ini"))
def test_drop_ins_of_systemd(block: Block) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(block.text)

    assert set(parser.sections()) <= {"Unit", "Service", "Socket", "Install"}
