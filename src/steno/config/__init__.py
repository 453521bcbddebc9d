"""The configuration: what may be written, how it is read, and how it is shown again.

    schema.py     the tables as frozen Structs, with defaults and reasons
    kinds.py      the kinds of value in them: names, addresses, URLs, paths
    rules.py      what must hold between the keys of one table
    checking.py   plain TOML data against the Structs: every fault, not only the first
    words.py      a type in plain words, for the faults
    reading.py    from a path to a `Config`
    render.py     from a `Config` to TOML with secrets masked, and its digest
    secret.py     the value of a secret, read from where the configuration says it is

Only `cli` and `daemon` read it; every other part receives its own table.
"""

from steno.config.fields import mask_url, split_listen
from steno.config.loading import STANDARD_PLACES, find, load, parse
from steno.config.render import digest, render
from steno.config.schema import Audit, Config, Connect, Http, Log, Prices, SecretRef, audit_directory
from steno.config.secret import read_secret

__all__ = [
    "STANDARD_PLACES",
    "Audit",
    "Config",
    "Connect",
    "Http",
    "Log",
    "Prices",
    "SecretRef",
    "audit_directory",
    "digest",
    "find",
    "load",
    "mask_url",
    "parse",
    "read_secret",
    "render",
    "split_listen",
]
