"""Examples in other languages than a shell's: what can be read is read."""

import ast
import configparser
import json
from pathlib import Path

import pytest
import yaml

from steno.admin.web_config import read_web_config
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


@pytest.mark.parametrize("block", numbered("yaml"))
def test_yaml(block: Block, tmp_path: Path) -> None:
    """A web configuration is one that the daemon takes; of Prometheus' own files each job scrapes something."""
    document = yaml.safe_load(block.text)

    if "tls_server_config" in document:
        (file := tmp_path / "web.yml").write_text(block.text)
        assert read_web_config(file).tls is not None
    else:
        assert [job for job in document["scrape_configs"] if not job["static_configs"]] == []
