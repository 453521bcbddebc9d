"""The commands that read an audit log, or erase what is kept beside it: verify, export, serve, erase."""

import os
from pathlib import Path

import click

from steno.app.terminal import echo
from steno.cli.options import CONFIG, FILE_PATH, command, config_file_at
from steno.cli.progress import progress_over
from steno.errors import UsageError


@command(
    "Prove an audit log.",
    "steno verify /var/log/steno",
    "steno verify /var/log/steno --key-file audit.key --words",
)
@click.argument("paths", nargs=-1, required=True, type=FILE_PATH)
@click.option(
    "--key-file",
    "key_files",
    type=FILE_PATH,
    multiple=True,
    help="The key the log is hashed under; repeat it for a log that had several, in the order of their use.",
)
@click.option(
    "--keyed-from",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="SEQ",
    help="With --key-file: records before SEQ may have no key. Once for each key: it is in use from SEQ on.",
)
@click.option("--log", "log_id", metavar="ID", help="Which log it must be, as this command and the daemon show it.")
@click.option("--head", "heads", multiple=True, metavar="SEQ:HASH", help="A record that the log must have; repeatable.")
@click.option(
    "--checkpoint", "checkpoints", type=FILE_PATH, multiple=True, help="A file of heads, as audit.anchor keeps them."
)
@click.option("--checkpoint-key", "head_keys", type=FILE_PATH, multiple=True, help="Each head is signed by this key.")
@click.option("--timestamp-root", "roots", type=FILE_PATH, multiple=True, help="Each head is stamped by who has this.")
@click.option("--words", is_flag=True, help="Verify the content files beside the log too.")
def verify(
    paths: tuple[Path, ...],
    key_files: tuple[Path, ...],
    keyed_from: tuple[int, ...],
    log_id: str | None,
    heads: tuple[str, ...],
    checkpoints: tuple[Path, ...],
    head_keys: tuple[Path, ...],
    roots: tuple[Path, ...],
    words: bool,
) -> int:
    """Prove an audit log: a folder, or single segments; of several folders each. Exit 1 when one does not hold."""
    from steno.app import verify as verifying

    trust = verifying.trust_of(key_files, keyed_from, heads, log_id)
    kept = verifying.checkpoints_of(checkpoints, head_keys, roots)
    logs = verifying.logs_of(paths, trust)
    if kept and len(logs) > 1:
        raise UsageError("--checkpoint is about one log: prove each log by itself")
    holds = True
    for number, log in enumerate(logs, 1):
        title = f"log {number} of {len(logs)}" if len(logs) > 1 else ""
        with progress_over(log, title) as progress:  # it is gone before anything is printed
            found = verifying.verify(log, trust, content=words, checkpoints=kept, progress=progress)
        holds &= found.ok
        for line in ([f"{log[0]}:"] if len(logs) > 1 else []) + found.lines():
            echo(line)
    return 0 if holds else 1


@command(
    "Print an audit log in the form of another system.",
    "steno export --format ecs /var/log/steno | gzip > records.ndjson.gz",
)
@click.argument("paths", nargs=-1, required=True, type=FILE_PATH)
@click.option("--format", "form", required=True, type=click.Choice(["cloudevents", "ecs", "otel"]), help="Their form.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="SEQ", help="Leave out records up to SEQ.")
def export(paths: tuple[Path, ...], form: str, after: int) -> None:
    """Print the records of an audit log (a folder, or segments of one log) in the form of another system, a line each.

    cloudevents: CloudEvents 1.0. ecs: Elastic Common Schema. otel: OTLP JSON, which the collector's otlpjsonfile
    receiver reads. The log itself is not proved by this: run `steno verify` first.
    """
    from steno.app import export as exporting
    from steno.app.files import standard_output

    with progress_over(paths) as progress, standard_output() as output:
        exporting.export(paths, form, output, after=after, progress=progress)


@command(
    "Look at an audit log in a browser, offline.",
    "steno serve /var/log/steno",
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=FILE_PATH)
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, help="Address on this machine; port 0: any free one."
)
@click.option(
    "--key-file",
    "key_files",
    type=FILE_PATH,
    multiple=True,
    help="The key the log is hashed under, for its verification; repeatable, as for verify.",
)
def serve(paths: tuple[Path, ...], listen: str, key_files: tuple[Path, ...]) -> None:
    """Look at an audit log: the page and its API over a folder, or over segments of one log, offline.

    The log is verified, and may be written by a daemon meanwhile. Nothing is written. The link that is printed has a
    token, which shows the texts that the log has; $STENO_SERVE_TOKEN sets it.
    """
    import anyio

    from steno.app import serve as serving
    from steno.app import verify as verifying
    from steno.app.event_loop import event_loop_options

    settings = serving.Settings(paths, listen, verifying.trust_of(key_files, (), ()))
    anyio.run(serving.serve, settings, backend_options=event_loop_options())


@command(
    "Erase what is kept of a conversation's content.",
    "steno erase --conversation front-desk/call-7",
    "steno erase --conversation front-desk/call-7 --audit /var/log/steno",
)
@CONFIG
@click.option("--conversation", required=True, help="The key of the conversation, as the audit log has it.")
@click.option("--partial", is_flag=True, help="Erase what is in files, even where the log itself holds content.")
@click.option("--audit", type=FILE_PATH, help="The folder of the log, where it is not the configured one.")
def erase(config_file: Path | None, conversation: str, partial: bool, audit: Path | None) -> int:
    """Erase the content of a conversation that is kept beside the audit log (audit.content_files).

    The daemon that writes the log is asked to do it. Where none runs, this command does it. Exit 1 when there was
    nothing to erase, or when the log itself holds more.
    """
    from steno.app import erase as erasing
    from steno.audit.content_store.erase import describe
    from steno.config import load

    config = load(config_file_at(config_file))
    directory = erasing.log_directory(config, audit, os.environ)
    erasure = erasing.erase(config, directory, conversation, partial=partial)
    echo(describe(conversation, erasure))
    return 0 if erasure.complete else 1
