"""The commands that ask a running daemon how it is: health."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steno.app.terminal import echo
from steno.cli.options import CONFIG, TLS, token_of
from steno.errors import ConfigError

if TYPE_CHECKING:
    from steno.admin.probe import ProbeResult


@click.command()
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
