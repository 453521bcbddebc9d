"""What the plays about the configuration share: a text in, what is told of it out."""

from steno.config import parse
from steno.errors import ConfigError

FILE = "steno.toml"


def told(text: str) -> list[str]:
    """Parse a text; return what is told of it, a line a fault, without the file's name before it."""
    try:
        parse(text, FILE)
    except ConfigError as error:
        faults, lines = error.faults, str(error).splitlines()
    else:
        return []
    assert len(lines) == len(faults) > 0
    assert all(line.startswith(f"{FILE}: ") for line in lines)
    return [line.removeprefix(f"{FILE}: ") for line in lines]


def source(*lines: str, name: str = "relay") -> str:
    """Write a source that is right, and further lines into its table."""
    required = (f'name = "{name}"', 'kind = "connect"', 'url = "wss://relay.example/v1/events"')
    return "\n".join(("[[sources]]", *required, *lines, ""))
