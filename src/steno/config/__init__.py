"""The configuration: what may be written in it, how it is read, and how it is shown.

    schema.py       the tables as frozen Structs, with defaults and reasons
    sources/        the tables of sources, a module a kind
    secret_ref.py   the place of a secret
    fields.py       the types of single values: names, addresses, URLs, paths, amounts
    validators.py   conditions between the keys of one table
    validation.py   TOML data against the Structs; finds every fault, not only the first
    messages.py     what a value of a type must be, as a message for the operator
    process.py      what one of several processes with the same file has for itself
    loading.py      from a path to a `Config`
    render.py       from a `Config` to TOML with secrets masked, and its digest
    secret.py       the value of a secret, read from the place that the configuration names

Only `cli` and `app` read the configuration. Every other part receives its own table, and may import `schema` and
`secret`.
"""

from steno.config.fields import mask_url
from steno.config.loading import STANDARD_PLACES, find, load, parse
from steno.config.process import Process
from steno.config.render import digest, render
from steno.config.schema import Audit, Config, Http, Log, Otel, Prices, audit_directory
from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.config.sources import AttachSource, Connect, FollowSource, ListenSource, ProxySource, Tls

__all__ = [
    "STANDARD_PLACES",
    "AttachSource",
    "Audit",
    "Config",
    "Connect",
    "FollowSource",
    "Http",
    "ListenSource",
    "Log",
    "Otel",
    "Prices",
    "Process",
    "ProxySource",
    "SecretRef",
    "Tls",
    "audit_directory",
    "digest",
    "find",
    "load",
    "mask_url",
    "parse",
    "read_secret",
    "render",
]
