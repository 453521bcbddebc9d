"""What the tests of the configuration share: a text in, its faults out."""

from steno.config import parse
from steno.errors import ConfigError

FILE = "steno.toml"


def faults_of(text: str) -> list[str]:
    """Parse a text; return its faults as lines, without the name of the file."""
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
    """Return a valid source with further lines in its table."""
    required = (f'name = "{name}"', 'kind = "connect"', 'url = "wss://relay.example/v1/events"')
    return "\n".join(("[[sources]]", *required, *lines, ""))
