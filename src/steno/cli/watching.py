"""The commands that ask a running daemon how it is, and what it follows: health, top."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steno.app.terminal import echo
from steno.cli.completion import order_names
from steno.cli.options import CONFIG, FILE_PATH, TLS, command, token_of
from steno.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from steno.admin.probe import ProbeResult
    from steno.app.top.client import Client


@command(
    "Ask a running daemon whether it is ready.",
    "steno health http://127.0.0.1:9464/readyz",
)
@click.argument("url", required=False)
@CONFIG
@TLS
def health(
    url: str | None, config_file: Path | None, ca_file: Path | None, cert_file: Path | None, key_file: Path | None
) -> int:
    """Ask a running daemon whether it is ready; exit 0 when it is.

    URL is where to ask, http://127.0.0.1:9464/readyz for instance; without it, the configured address, and the
    certificate of http.web_config is trusted.
    """
    from steno.admin.probe import Trust, probe

    answer = probe(url, None, Trust(ca_file, cert_file, key_file)) if url else _own_health(config_file)
    echo(answer.text, err=not answer.ready)
    return 0 if answer.ready else 1


def _own_health(config_file: Path | None) -> "ProbeResult":
    """Ask the daemon that is configured here."""
    from steno.admin.probe import probe, probe_own, readiness_url
    from steno.config import Config, find, load

    found = find(config_file, os.environ)
    http = (load(found) if found else Config()).http
    if http.web_config is None:
        return probe(readiness_url(http.address), token_of(http))
    from steno.admin.web_config import read_web_config

    try:
        certificate = read_web_config(Path(http.web_config)).tls.certificate
    except ConfigError:  # the daemon goes on with what was there before
        certificate = http.web_config
    return probe_own(http.address, certificate, token_of(http))


@command(
    "Watch the conversations of a running daemon, live.",
    "steno top",
    "steno top https://steno.example:9464 --token-file token.txt --ca-file ca.pem",
    "steno top http://127.0.0.1:9464 --once --sort latency --filter front-desk",
)
@click.argument("url", required=False)
@CONFIG
@click.option("--token-file", type=FILE_PATH, help="A file with the daemon's http.token.")
@click.option("--once", is_flag=True, help="Print the table once and end, as where no terminal reads it.")
@click.option("--ended", is_flag=True, help="Show conversations that have ended, too.")
@click.option(
    "--sort", "order", default="age", show_default=True, shell_complete=order_names, help="What the key s sorts by."
)
@click.option("--filter", "text", default="", help="Show what has this in its key, source, model, state or labels.")
@TLS
def top(
    url: str | None,
    config_file: Path | None,
    token_file: Path | None,
    once: bool,
    ended: bool,
    order: str,
    text: str,
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
) -> None:
    """Watch the conversations of a running daemon, as a table in the terminal.

    URL is where its HTTP face is, http://127.0.0.1:9464 for instance; without it, the configured address.
    """
    from steno.app.tables import console
    from steno.app.top import look as looking
    from steno.app.top import screen

    if order not in looking.ORDERS:
        raise UsageError(f"--sort is one of: {', '.join(looking.ORDERS)}")
    client = _client_at(url, token_file, config_file, (ca_file, cert_file, key_file))
    terminal = console()
    look = looking.Look(order=order, ended=ended, text=text)
    live = not once and sys.stdout.isatty() and not terminal.is_dumb_terminal
    (screen.watch if live else screen.once)(client, terminal, look)


def _client_at(
    url: str | None,
    token_file: Path | None,
    config_file: Path | None,
    tls: tuple[Path | None, Path | None, Path | None],
) -> "Client":
    """Return what asks the daemon at `url`, or the one that is configured here."""
    from steno.admin.probe import Trust, readiness_url
    from steno.app.top.client import Client
    from steno.config import Config, SecretRef, find, load, read_secret

    token = read_secret(SecretRef(file=str(token_file))) if token_file else None
    if url is not None:
        return Client(url, token, Trust(*tls).context() if url.startswith("https:") else None)
    found = find(config_file, os.environ)
    http = (load(found) if found else Config()).http
    token = token or token_of(http)
    if http.web_config is None:
        return Client(readiness_url(http.address), token, None)
    from steno.admin.probe import pinned
    from steno.admin.web_config import read_web_config

    certificate = read_web_config(Path(http.web_config)).tls.certificate
    context = Trust(*tls).context() if any(tls) else pinned(certificate) or Trust().context()
    return Client(readiness_url(http.address, "https"), token, context)
