"""One of several processes with the same file: what of it runs where, and what its command line may say."""

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from steno.config import Process, load, parse
from steno.errors import ConfigError, UsageError

TOP: Final = Path(__file__).parents[2]
FILE = """
[[sources]]
name = "front"
kind = "proxy"
listen = "127.0.0.1:9466"
reuse_port = true
upstream = "https://provider.example"
attach = "calls"

[[sources]]
name = "push"
kind = "listen"

[[sources]]
name = "calls"
kind = "attach"

[[sources]]
name = "line"
kind = "connect"
url = "wss://relay.example/"

[[sources]]
name = "file"
kind = "follow"
path = "-"
"""


def test_every_source_runs_in_one_process_but_what_is_shared() -> None:
    parts = [parse(FILE, "x", process=Process.of(f"{number}/3", None)) for number in (1, 2, 3)]

    assert Counter(source.name for part in parts for source in part.sources) == {
        "front": 3,
        "calls": 3,
        "push": 1,
        "line": 1,
        "file": 1,
    }


def test_who_runs_the_rest_is_said() -> None:
    config = parse(FILE, "x")
    first = Process.of("1/3", None)

    elsewhere = dict(first.elsewhere(config))

    assert {source.name for source in first.part(config).sources} | elsewhere.keys() == {
        source.name for source in config.sources
    }
    assert set(elsewhere.values()) <= {2, 3}
    assert list(Process().elsewhere(config)) == []


def test_what_runs_elsewhere_is_checked_too() -> None:
    """Whoever reads the file finds what is wrong with it."""
    wrong = FILE + '[[sources]]\nname = "other"\nkind = "connect"\nurl = "http://relay.example/"\n'

    for number in (1, 2, 3):
        with pytest.raises(ConfigError, match=r"sources\.other\.url: must begin with ws://"):
            parse(wrong, "x", process=Process.of(f"{number}/3", None))


def test_the_address_is_that_of_the_process() -> None:
    found = parse('[http]\nlisten = "127.0.0.1:1"\nready = "any"', "x", process=Process.of(None, "[::1]:9481"))

    assert (found.http.listen, found.http.ready) == ("[::1]:9481", "any")


def test_the_page_shows_who_runs_what_of_the_example() -> None:
    process = Process.of("2/4", None)
    page, example = TOP / "docs/shards.md", TOP / "deploy/shards.toml"
    shown = [f"# {name}: runs in shard {number}" for name, number in process.elsewhere(load(example))]

    assert "\n".join(("$ steno check -c shards.toml --shard 2/4", *shown, "...")) in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("http", ["", "http = 1\n"])
def test_the_address_is_none_of_a_source(http: str) -> None:
    """A file that is wrong in itself is told so all the same."""
    with pytest.raises(
        ConfigError, match=r"http: .*table" if http else r"sources\.push\.listen: is the address of http"
    ):
        parse(http + FILE, "x", process=Process.of("1/3", "127.0.0.1:9465"))


@pytest.mark.parametrize(
    ("shard", "address", "said"),
    [
        ("5/4", None, "--shard must be I/N, with I from 1 to N and N at most 1000: --shard 2/4"),
        (None, "9481", '--http-listen must be an address and a port, such as "127.0.0.1:9464" or "[::1]:9464"'),
    ],
)
def test_a_wrong_option_is_said(shard: str | None, address: str | None, said: str) -> None:
    with pytest.raises(UsageError) as error:
        Process.of(shard, address)

    assert str(error.value) == said
