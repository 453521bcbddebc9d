"""Each block of configuration in the pages is one that the program takes."""

import tomllib
from typing import Any

import pytest

from steno.config import parse
from steno.errors import ConfigError
from tests.docs.pages import Block, blocks

BLOCKS = list(blocks("toml"))
WHERE = [
    "",
    "[audit]\n",
    "[http]\n",
    *(
        f'[[sources]]\nname = "calls"\nkind = "{kind}"\n{needed}\n'
        for kind, needed in {
            "connect": 'url = "wss://relay.example/v1/events"',
            "proxy": 'upstream = "https://api.provider.example"',
            "listen": "",
            "attach": "",
            "follow": 'path = "-"',
        }.items()
    ),
]
"""What may stand above a fragment: nothing, or the head of the table that its keys belong to."""


def faults(text: str) -> list[str]:
    try:
        parse(text, "steno.toml")
    except ConfigError as error:
        return list(map(str, error.faults))
    return []


def unknown(block: Block) -> list[str]:
    """Return the faults of a block: as a file of its own, or as a fragment in the place that takes it best."""
    data: dict[str, Any] = tomllib.loads(block.text)
    if any(isinstance(value, list) and name == "sources" for name, value in data.items()):
        return faults(block.text)
    return min((faults(above + block.text) for above in WHERE), key=len)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"{block.page}-{number}" for number, block in enumerate(BLOCKS)])
def test_it_is_taken(block: Block) -> None:
    assert unknown(block) == []


def test_what_is_misspelt_is_found() -> None:
    assert unknown(Block("page", "toml", 'tokes = "/etc/steno/tokens"\n')) != []
    assert (
        unknown(Block("page", "toml", '[[sources]]\nname = "x"\nkind = "proxy"\nupsteam = "https://x.example"\n')) != []
    )
