"""What `steno check` finds: a key, what is wrong with it, and whether the daemon would refuse to start."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """What is to be looked at."""

    key: str
    """A key of the configuration, an option, or a variable of the environment."""
    message: str
    fatal: bool = False
    """Whether `steno run` would refuse; else it starts, and this is surely not meant."""
