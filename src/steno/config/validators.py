"""Conditions between the keys of one table, which the type of a single value cannot express.

A validator names the keys that it reads. It runs only where each of them is valid by itself, so that one mistake is
reported once.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from steno.addresses import is_loopback
from steno.config.fields import (
    FRAME_BYTES_DEFAULT,
    HTTP_LISTEN_DEFAULT,
    LABELS_MAX,
    LISTEN_DEFAULTS,
    PUT_ELSEWHERE,
    QUEUE_BYTES_DEFAULT,
    REGIONS,
    RESERVED_PATTERN_NAMES,
    split_listen,
)
from steno.limits import Limits


class Flaw(NamedTuple):
    """What is wrong with the value of a key; `parse` makes a `ConfigFault` of it, with the name of the file."""

    key: str
    message: str


Table = Mapping[str, Any]
"""A table as TOML has it, defaults filled in."""


class Validator(NamedTuple):
    """A check of one table, and the keys that must be valid before it runs."""

    keys: frozenset[str]
    check: Callable[[Table], Iterator[Flaw]]


def _exactly_one_place(table: Table) -> Iterator[Flaw]:
    if (table["file"] is None) == (table["env"] is None):
        yield Flaw("", f"must name exactly one place where the secret is: {PUT_ELSEWHERE}")


def _backoff_order(table: Table) -> Iterator[Flaw]:
    if table["backoff_max_seconds"] < table["backoff_seconds"]:
        yield Flaw("backoff_max_seconds", "must not be less than backoff_seconds")


def _distinct_headers(table: Table) -> Iterator[Flaw]:
    names = [name.lower() for name in table["headers"]]
    if len(set(names)) < len(names):
        yield Flaw("headers", "holds a header twice: the case of its letters does not count")


def _distinct_subprotocols(table: Table) -> Iterator[Flaw]:
    if len(set(table["subprotocols"])) < len(table["subprotocols"]):
        yield Flaw("subprotocols", "holds a subprotocol twice")


def _distinct_sources(config: Table) -> Iterator[Flaw]:
    """Yield a flaw for each name that an earlier source has. The sources may be invalid in other ways."""
    first: dict[str, int] = {}
    for number, name in enumerate(source_names(config["sources"])):
        if name and first.setdefault(name, number) != number:
            yield Flaw(f"sources[{number}].name", f"is already the name of sources[{first[name]}]")


def _source_tables(config: Table) -> list[Table]:
    """Return the tables of the sources. They may be invalid in any way."""
    sources = config["sources"]
    return [table for table in sources if isinstance(table, dict)] if isinstance(sources, list) else []


def _known_followers(config: Table) -> Iterator[Flaw]:
    """Yield a flaw for each source whose calls no source is to follow. The sources may be invalid in other ways."""
    tables = _source_tables(config)
    there = {str(table.get("name")) for table in tables if table.get("kind") == "attach"}
    for table in tables:
        wanted = table.get("attach")
        if table.get("kind") == "proxy" and isinstance(wanted, str) and wanted not in there:
            yield Flaw(f"sources.{table.get('name')}.attach", 'must be the name of a source of kind = "attach"')


def _distinct_addresses(config: Table) -> Iterator[Flaw]:
    """Yield a flaw for each source that listens where another one does, or the HTTP server.

    The kernel would let both listen, and divide clients between them. The sources are valid.
    """
    http = (
        config["http"].get("listen", HTTP_LISTEN_DEFAULT)
        if isinstance(config["http"], Mapping)
        else HTTP_LISTEN_DEFAULT
    )
    taken = [("http.listen", split_listen(http) or ("", 0))]
    for table in _source_tables(config):
        default = LISTEN_DEFAULTS.get(table["kind"])
        host, port = split_listen(table.get("listen", default) or "") or ("", 0)
        key = f"sources.{table['name']}.listen"
        other = next((each for each, (there, at) in taken if port and at == port and _overlap(host, there)), None)
        if other:
            yield Flaw(key, f"is the address of {other}: each needs a port of its own")
        taken.append((key, (host, port)))


def _overlap(host: str, other: str) -> bool:
    """Whether two addresses share their ports: they are one, or one of them stands for all, `::` for IPv4 too."""
    pair = {"127.0.0.1" if each == "localhost" else each for each in (host, other)}
    if len(pair) == 1 or "::" in pair:
        return True
    return "0.0.0.0" in pair and not any(":" in each for each in pair)  # noqa: S104  # nothing listens here


def _distinct_files(config: Table) -> Iterator[Flaw]:
    """Yield a flaw for each source that follows the file of another one. The sources are valid."""
    first: dict[str, str] = {}
    for table in _source_tables(config):
        if table["kind"] == "follow" and first.setdefault(table["path"], table["name"]) != table["name"]:
            yield Flaw(
                f"sources.{table['name']}.path",
                f"is followed by sources.{first[table['path']]}: every line would count twice",
            )


def _same_labels(config: Table) -> Iterator[Flaw]:
    """Yield a flaw for each source whose labels have other names than those of the first source. The sources are valid.

    A sum over a label that some sources lack would leave them out without a word.
    """
    tables = _source_tables(config)
    for table in tables:
        labels, first = table.get("labels", {}), tables[0].get("labels", {})
        if len(labels) > LABELS_MAX:
            yield Flaw(f"sources.{table['name']}.labels", f"must be at most {LABELS_MAX} labels")
        elif set(labels) != set(first):
            yield Flaw(
                f"sources.{table['name']}.labels",
                f'must have the same names as sources.{tables[0]["name"]}.labels; a value may be ""',
            )


def _memory_suffices(config: Table) -> Iterator[Flaw]:
    """Yield a flaw for each size that does not fit into its share of `limits.memory_bytes`.

    A frame that is longer than all that may be read ahead would never be read. One object or one transcript that is
    longer than all conversations may be would evict the conversation that holds it.
    """
    memory = _set_or(config, "limits", "memory_bytes", Limits().memory_bytes)
    sizes = [
        ("audit.queue_bytes", _set_or(config, "audit", "queue_bytes", QUEUE_BYTES_DEFAULT), 4),
        ("limits.object_bytes", _set_or(config, "limits", "object_bytes", Limits().object_bytes), 8),
        ("limits.transcript_bytes", _set_or(config, "limits", "transcript_bytes", Limits().transcript_bytes), 16),
    ]
    sizes += [
        (f"sources.{source['name']}.frame_bytes", source.get("frame_bytes", FRAME_BYTES_DEFAULT), 4)
        for source in config["sources"]
    ]
    for key, size, share in sizes:
        if size * share > memory:
            yield Flaw(key, f"must be at most 1/{share} of limits.memory_bytes: {memory // share}")


def _set_or(config: Table, table: str, key: str, default: int) -> int:
    """Return what the file sets as `key` of `table`; `default` where it does not."""
    found = config[table]
    return int(found.get(key, default)) if isinstance(found, Mapping) else default


def source_names(sources: object) -> list[str]:
    """Return the name of each source, "" where it has none. The sources may be invalid in any way."""
    entries = sources if isinstance(sources, list) else []
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    return [name if isinstance(name, str) else "" for name in names]


def _two_segments_fit(table: Table) -> Iterator[Flaw]:
    size = table["retention_bytes"]
    if size is not None and size < 2 * table["segment_bytes"]:
        yield Flaw(
            "retention_bytes", "must be at least twice segment_bytes: the segment being written is never deleted"
        )


def _no_digest_beside_files(table: Table) -> Iterator[Flaw]:
    if table["content_files"] and table["digest_key"] is not None:
        yield Flaw("digest_key", "cannot stand beside content_files: a digest in the log would outlive an erasure")


def _redacts(content: object) -> bool:
    """Whether `audit.content`, a policy or a table of policies, redacts. Where it does not, its settings are unused."""
    return "redacted" in (content.values() if isinstance(content, Mapping) else (content,))


def _pattern_names(table: Table) -> Iterator[Flaw]:
    for name in table["patterns"] if _redacts(table["content"]) else ():
        if name in RESERVED_PATTERN_NAMES:
            yield Flaw(f"patterns.{name}", "has the name of a built-in class: choose another")


def _known_regions(table: Table) -> Iterator[Flaw]:
    for number, region in enumerate(table["regions"] if _redacts(table["content"]) else ()):
        if region not in REGIONS:
            yield Flaw(f"regions[{number}]", 'is no country with telephone numbers, such as "DE" or "US"')


def _clients_are_known(table: Table) -> Iterator[Flaw]:
    """Yield a flaw where anybody in the network could push."""
    host, _ = split_listen(table["listen"]) or ("", 0)
    tls = table["tls"]
    shown = isinstance(tls, Mapping) and tls.get("client_ca") is not None
    if table["tokens"] is None and not shown and not is_loopback(host):
        yield Flaw("tokens", "must be set, or tls.client_ca, where listen is not on loopback: anybody could push")


def _somewhere(anchor: Table) -> Iterator[Flaw]:
    if anchor["file"] is None and anchor["webhook"] is None:
        yield Flaw("", "must name a place for the heads: file, webhook, or both")


def _headers_of_webhook(anchor: Table) -> Iterator[Flaw]:
    if anchor["headers"] and anchor["webhook"] is None:
        yield Flaw("headers", "are for the webhook, and none is named")


RESOURCE_MAX: Final = 32
"""Attributes of a daemon that the operator may add."""
OTLP_PATHS: Final = ("/v1/metrics", "/v1/traces")


def _base_of_collector(otel: Table) -> Iterator[Flaw]:
    endpoint = otel["endpoint"]
    if endpoint is not None and endpoint.rstrip("/").endswith(OTLP_PATHS):
        yield Flaw("endpoint", "must be the base URL: /v1/metrics and /v1/traces are appended to it")


def _of_collector(otel: Table) -> Iterator[Flaw]:
    for key in ("headers", "ca_file", "resource"):
        if otel[key] and otel["endpoint"] is None:
            yield Flaw("endpoint", f"is missing: {key} is for the collector")


def _no_header_of_otlp(otel: Table) -> Iterator[Flaw]:
    for name in otel["headers"]:
        if name.lower() in {"content-type", "content-encoding"}:
            yield Flaw("headers", f"must not hold {name}: OTLP says what it is")


def _few_attributes(otel: Table) -> Iterator[Flaw]:
    if len(otel["resource"]) > RESOURCE_MAX:
        yield Flaw("resource", f"must be at most {RESOURCE_MAX} attributes")


OTEL_VALIDATORS: Final = (
    Validator(frozenset({"endpoint"}), _base_of_collector),
    Validator(frozenset({"endpoint", "headers", "ca_file", "resource"}), _of_collector),
    Validator(frozenset({"headers"}), _distinct_headers),
    Validator(frozenset({"headers"}), _no_header_of_otlp),
    Validator(frozenset({"resource"}), _few_attributes),
)
ANCHOR_VALIDATORS: Final = (
    Validator(frozenset({"file", "webhook"}), _somewhere),
    Validator(frozenset({"headers", "webhook"}), _headers_of_webhook),
    Validator(frozenset({"headers"}), _distinct_headers),
)
AUDIT_VALIDATORS: Final = (
    Validator(frozenset({"retention_bytes", "segment_bytes"}), _two_segments_fit),
    Validator(frozenset({"content_files", "digest_key"}), _no_digest_beside_files),
    Validator(frozenset({"content", "patterns"}), _pattern_names),
    Validator(frozenset({"content", "regions"}), _known_regions),
)
SECRET_VALIDATORS: Final = (Validator(frozenset({"file", "env"}), _exactly_one_place),)
LISTEN_VALIDATORS: Final = (Validator(frozenset({"listen", "tokens", "tls"}), _clients_are_known),)


def _no_call_in_url(table: Table) -> Iterator[Flaw]:
    names = {name for name, _ in parse_qsl(urlsplit(table["url"]).query, keep_blank_values=True)}
    for name in ("call_id", "model"):
        if name in names:
            yield Flaw("url", f"must not hold {name}=: a call is named by who asks for it, and has a model already")
    if urlsplit(table["url"]).path.rstrip("/").endswith("/attach"):
        yield Flaw(
            "url", "must not name a session: end it with /live/sessions, each session is named by who asks for it"
        )


DIAL_VALIDATORS: Final = (
    Validator(frozenset({"backoff_seconds", "backoff_max_seconds"}), _backoff_order),
    Validator(frozenset({"headers"}), _distinct_headers),
)
ATTACH_VALIDATORS: Final = (*DIAL_VALIDATORS, Validator(frozenset({"url"}), _no_call_in_url))
CONNECT_VALIDATORS: Final = (
    *DIAL_VALIDATORS,
    Validator(frozenset({"subprotocols"}), _distinct_subprotocols),
)
CONFIG_VALIDATORS: Final = (
    Validator(frozenset(), _distinct_sources),
    Validator(frozenset(), _known_followers),
    Validator(frozenset({"http", "sources"}), _distinct_addresses),
    Validator(frozenset({"sources"}), _distinct_files),
    Validator(frozenset({"sources"}), _same_labels),
    Validator(frozenset({"audit", "limits", "sources"}), _memory_suffices),
)
