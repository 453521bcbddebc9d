"""The command that tells a running daemon which calls to follow: attach."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steno.app.terminal import echo
from steno.cli.completion import source_names
from steno.cli.options import CONFIG, FILE_PATH, TLS, command, config_file_at
from steno.errors import UsageError

if TYPE_CHECKING:
    from steno.app.attach import Ask


@command(
    "Let a running daemon follow a call, or follow it no more.",
    "steno attach rtc_u1_9f86d081 --label team=sales",
    "steno attach live_u1_9f86d081",
    "steno attach --list",
    "steno attach --end rtc_u1_9f86d081 --url https://steno.example:9464 --token-file token.txt",
)
@click.argument("call_id", required=False)
@CONFIG
@click.option("--label", "labels", multiple=True, metavar="NAME=TEXT", help="Kept with the call; repeatable.")
@click.option("--source", shell_complete=source_names, help="The source that is to follow it, where there are several.")
@click.option("--list", "listed", is_flag=True, help="List the calls that are followed.")
@click.option("--end", metavar="CALL_ID", help="Follow this call no more.")
@click.option("--url", help="Ask the HTTP face at this URL, and not the control socket of the configured audit log.")
@click.option("--token-file", type=FILE_PATH, help="With --url: a file with the token of http.token.")
@TLS
def attach(
    call_id: str | None,
    config_file: Path | None,
    labels: tuple[str, ...],
    source: str | None,
    listed: bool,
    end: str | None,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
) -> int:
    """Ask a running daemon to follow the call, or the Live session, CALL_ID until it is over.

    Its id says which it is: that of a Live session begins with live_. Steno reads along, and ends no call.

    The daemon is asked by the control socket of the configured audit log, or by --url. Exit 1 when the answer is no:
    another source follows the call, or none does that is to be ended.
    """
    from steno.app import attach as attaching

    if [call_id is not None, listed, end is not None].count(True) != 1:
        raise UsageError("name one of: CALL_ID, --list, --end CALL_ID")
    if call_id is None and (labels or source):
        raise UsageError("--label and --source go with CALL_ID")
    send = _daemon_at(url, token_file, config_file, (ca_file, cert_file, key_file))
    try:
        if listed:
            for line in attaching.table(attaching.listed(send)):
                echo(line)
        elif end is not None:
            echo(attaching.end(send, end))
        else:
            echo(attaching.attach(send, call_id or "", attaching.labels_of(labels), source))
    except attaching.NegativeAnswerError as answer:
        echo(str(answer), err=True)
        return 1
    return 0


def _daemon_at(
    url: str | None,
    token_file: Path | None,
    config_file: Path | None,
    tls: tuple[Path | None, Path | None, Path | None],
) -> "Ask":
    """Return what asks the daemon: by `url`, or by the socket in the folder of the configured audit log."""
    from steno.app import attach as attaching
    from steno.config import audit_directory, load
    from steno.regular_files import is_folder

    if url is not None:
        from steno.admin.probe import Trust

        return attaching.by_url(url, token_file, Trust(*tls))
    if token_file is not None or any(tls):
        raise UsageError("--token-file and files of TLS go with --url: the control socket takes neither")
    directory = audit_directory(load(config_file_at(config_file)).audit, os.environ)
    if directory is None or not is_folder(directory):
        where = "no audit log is configured" if directory is None else f"there is no audit log in {directory}"
        raise UsageError(f"{where}, and so no control socket: name the daemon by --url and --token-file")
    return attaching.by_socket(directory)
