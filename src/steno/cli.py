"""The command line: one function a command. It parses, calls a composition root in `app`, and prints.

A command imports what it needs when it runs: `steno health` has to be quick. An error that an operator can mend ends in
one line.

Exit codes: 0 done; 1 the answer is no (`verify` does not hold, `health` is not ready, `erase` found nothing or left
some, `attach` finds the call elsewhere or not at all); 64 usage, 65 data, 69 unavailable, 78 configuration, as sysexits
has them.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from steno import __version__
from steno.app.signals import SIGNALS
from steno.app.terminal import echo, printable_lines
from steno.errors import ConfigError, ConfigFault, StenoError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from steno.admin.probe import ProbeResult
    from steno.app.attach import Ask
    from steno.app.replay import Summary
    from steno.config import Http

FILE: Final = click.Path(path_type=Path, allow_dash=True)
FILE_PATH: Final = click.Path(path_type=Path)
CONFIG = click.option("-c", "--config", "config_file", type=FILE, help="Configuration file.")
_PEM = click.Path(path_type=Path)
INTERRUPTED: Final = 130


def TLS(command: Callable[..., int]) -> Callable[..., int]:  # noqa: N802  # as CONFIG, it stands above commands
    """Add the options of a client that speaks TLS."""
    for option in (
        click.option("--key-file", type=_PEM, help="The key of --cert-file, where that does not hold it."),
        click.option("--cert-file", type=_PEM, help="With an https URL: a certificate to show."),
        click.option("--ca-file", type=_PEM, help="With an https URL: certificates to trust, not the system's."),
    ):
        command = option(command)
    return command


def main() -> NoReturn:
    """Run the command that the arguments name, and exit."""
    try:
        code = cli.main(standalone_mode=False)
    except click.UsageError as error:
        _complain(f"steno: {error.format_message()}\n")
        code = UsageError.exit_code
    except click.exceptions.Exit as exited:
        code = exited.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except StenoError as error:
        prefix = "" if isinstance(error, ConfigError) else "steno: "
        _complain(f"{prefix}{error}\n")
        code = error.exit_code
    except BrokenPipeError:  # the reader of our output has gone
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # so that the interpreter's last flush is quiet
        code = 0
    except Exception as error:  # noqa: BLE001  # a mistake of ours: its message may hold content
        from steno.app import logs

        _complain(f"steno: internal error\n{logs.trace(error)}")
        code = StenoError.exit_code
    sys.exit(code)


def _complain(text: str) -> None:
    """Print to standard error, which a daemon's log has taken over. Where nobody reads it, the exit code says it."""
    with suppress(OSError, AttributeError):  # it is None where the descriptor was closed
        sys.stderr.write(printable_lines(text))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="steno", message="%(prog)s %(version)s")
def cli() -> None:
    """Watch AI conversations on websockets: metrics, and an audit log that can be proved."""


# The daemon -----------------------------------------------------------------------------------------------


@cli.command()
@CONFIG
@click.option("--state", type=FILE, help="Write the state of all conversations here when it stops; exit 69 if not.")
@click.option("--record", type=FILE, help="Record every frame into this folder, a file a stream.")
def run(config_file: Path | None, state: Path | None, record: Path | None) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    import anyio

    from steno.app import serving
    from steno.app.daemon_log import DaemonLog
    from steno.app.event_loop import event_loop_options
    from steno.config import load

    SIGNALS.hold()
    log = DaemonLog()
    path = _config_file(config_file)
    config = load(path)
    log.configure(config.log.level, config.log.format)
    with (
        _faults_in(path),
        serving.opened(config, os.environ, state=state, record=record, load=lambda: load(path), log=log) as ready,
    ):
        anyio.run(serving.serve, ready, backend_options=event_loop_options())


@cli.command()
@CONFIG
@click.option("--state", type=FILE, help="As `steno run` is given it: whether it can be written.")
@click.option("--record", type=FILE, help="As `steno run` is given it: whether the folder can be written.")
@click.option("--strict", is_flag=True, help="Exit 78 when there is a warning.")
def check(config_file: Path | None, state: Path | None, record: Path | None, strict: bool) -> None:
    """Read the configuration and print all of it, defaults included, secrets masked.

    What `steno run` would refuse is an error, exit 78: a folder that cannot be written, a key that is too short, an
    address that is not this machine's. What it starts with and is surely not meant is a warning on standard error: a
    file or variable that a source needs, a certificate that ends soon, a port that another process has.
    """
    from steno.app import check as checking
    from steno.config import load, render

    path = _config_file(config_file)
    config = load(path)
    with _faults_in(path):
        warned, faults = checking.found(config, os.environ, state, record)
    for warning in warned:
        echo(f"warning: {path}: {warning.key}: {warning.message}", err=True)
    if faults:
        raise ConfigError(ConfigFault(str(path), each.key, each.message) for each in faults)
    if strict and warned:
        raise ConfigError([ConfigFault(str(path), "", "a warning is an error with --strict")])
    click.echo(render(config), nl=False)


@cli.command()
@click.option("--for", "seconds", type=click.FloatRange(min=0, min_open=True), help="End after so many seconds.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same conversations.")
def demo(seconds: float | None, seed: int) -> int:
    """Run a simulated provider on loopback, and the daemon on it."""
    import anyio

    from steno.app import demo as demonstration
    from steno.app.daemon_log import DaemonLog
    from steno.app.event_loop import event_loop_options

    SIGNALS.hold()
    log = DaemonLog("warning")
    with demonstration.screen() as screen:
        options = event_loop_options()
        holds = anyio.run(demonstration.demo, screen, log, seconds, seed, backend_options=options)
    return 0 if holds else 1


@cli.command()
@click.option("--listen", default="127.0.0.1:8765", show_default=True, help="Address and port; port 0: any free one.")
@click.option("--tls", is_flag=True, help="Serve TLS, with a certificate that is made on the spot.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same answers.")
@click.option("--speed", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Divides pauses; 0: none.")
@click.option("--key", type=FILE, help="A file with the key that clients must show, or $STENO_SIMULATE_KEY.")
@click.option("--no-beta", is_flag=True, help="Refuse the beta protocol, as the real service does today.")
def simulate(listen: str, tls: bool, seed: int, speed: float, key: Path | None, no_beta: bool) -> None:
    """Run a simulated provider: the Realtime and the Assistants API, without a model.

    Clients need its URL as their base URL. Without --key it takes any key, or none.
    """
    import anyio

    from steno.app import simulate as simulating
    from steno.app.event_loop import event_loop_options
    from steno.config.secret_ref import SecretRef

    place = SecretRef(file=str(key)) if key else None
    if place is None and os.environ.get(simulating.KEY_VARIABLE):
        place = SecretRef(env=simulating.KEY_VARIABLE)
    settings = simulating.Settings(listen=listen, seed=seed, speed=speed, tls=tls, beta=not no_beta, key=place)
    anyio.run(simulating.simulate, settings, backend_options=event_loop_options())


@cli.command()
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
        return probe(readiness_url(http.address), _token_of(http))
    from steno.admin.web_config import read_web_config

    try:
        certificate = read_web_config(Path(http.web_config)).tls.certificate
    except ConfigError:  # the daemon goes on with what was there before
        certificate = http.web_config
    return probe_own(http.address, certificate, _token_of(http))


def _token_of(http: "Http") -> str | None:
    """Return the token of the configuration, for details; None where there is none, or where it is not ours to read."""
    from steno.config import read_secret

    try:
        return read_secret(http.token) if http.token else None
    except ConfigError:
        return None


def _config_file(explicit: Path | None) -> Path:
    """Return where the configuration is. Raises ConfigError where there is none."""
    from steno.config import STANDARD_PLACES, find

    found = find(explicit, os.environ)
    if found is None:
        places = ", ".join(("-c FILE", "$STENO_CONFIG", *map(str, STANDARD_PLACES)))
        raise ConfigError([ConfigFault("steno", "", f"no configuration found; looked for {places}")])
    return found


@contextmanager
def _faults_in(path: Path | None) -> Iterator[None]:
    """Name the configuration file in the faults of those who know the configuration and not its file."""
    try:
        yield
    except ConfigError as error:
        raise error.in_file(str(path or "")) from None


# Recordings and logs --------------------------------------------------------------------------------------


@cli.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@CONFIG
@click.option("--state", type=FILE, help="Write the state of all conversations here, as JSON lines.")
@click.option("--metrics", type=FILE, help="Write the metrics of the conversations here, as Prometheus text.")
@click.option("--audit", type=click.Path(path_type=Path), help="Write an audit log into this folder.")
@click.option("--prices", type=FILE, help="Price everything by this list, over the one that is shipped.")
@click.option("--strict", is_flag=True, help="Exit 65 when a line was malformed.")
def replay(
    files: tuple[Path, ...],
    config_file: Path | None,
    state: Path | None,
    metrics: Path | None,
    audit: Path | None,
    prices: Path | None,
    strict: bool,
) -> None:
    """Feed recordings (a frame a line, `-` is standard input) through the daemon's own pipeline.

    Unlike the daemon, replay keeps every object and evicts nothing for the sake of memory: it may take about as much
    memory as the recordings are long, several times that for texts that are not ASCII. To bound it, or to compare with
    what a daemon kept, set limits.memory_bytes and limits.kept_objects in the configuration (-c).

    A file that is compressed is refused: zcat FILE | steno replay -. Exit 65 when every line of a file was malformed.
    """
    from steno.app import replay as replaying
    from steno.app.price_list import configured_prices, load_prices
    from steno.app.tables import console
    from steno.config import find, load, parse

    if state is not None and state == metrics and str(state) == "-":
        raise UsageError("only one output can go to standard output")
    found = find(config_file, os.environ)
    config = load(found, replaying.DEFAULTS) if found else parse("", "", replaying.DEFAULTS)
    outputs = replaying.Outputs(state, metrics, audit)
    table = load_prices(prices, "--prices") if prices else configured_prices(config.prices)
    with _faults_in(found), _progress(files) as progress:
        summary = replaying.replay(files, config, outputs, table, sys.stdin.buffer, progress)
    taken = Path("-") in (state, metrics)
    _show(console(stderr=taken), summary)
    replaying.refuse_unread(summary, strict=strict)


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key-file",
    "key_files",
    type=click.Path(path_type=Path),
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
    for log in logs:
        with _progress(log) as progress:  # it is gone before anything is printed
            found = verifying.verify(log, trust, content=words, checkpoints=kept, progress=progress)
        holds &= found.ok
        for line in ([f"{log[0]}:"] if len(logs) > 1 else []) + found.lines():
            echo(line)
    return 0 if holds else 1


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", required=True, type=click.Choice(["cloudevents", "ecs", "otel"]), help="Their form.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="SEQ", help="Leave out records up to SEQ.")
def export(paths: tuple[Path, ...], form: str, after: int) -> None:
    r"""Print the records of an audit log (a folder, or segments of one log) in the form of another system, a line each.

    cloudevents: CloudEvents 1.0. ecs: Elastic Common Schema. otel: OTLP JSON, which the collector's otlpjsonfile
    receiver reads. The log itself is not proved by this: run `steno verify` first.

    \b
    steno export --format ecs /var/log/steno | gzip > records.ndjson.gz
    """
    from steno.app import export as exporting

    with _progress(paths) as progress:
        exporting.export(paths, form, sys.stdout.buffer, after=after, progress=progress)


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, help="Address on this machine; port 0: any free one."
)
@click.option(
    "--key-file",
    "key_files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="The key the log is hashed under, for its verification; repeatable, as for verify.",
)
def serve(paths: tuple[Path, ...], listen: str, key_files: tuple[Path, ...]) -> None:
    """Look at an audit log: the page and its API over a folder, or over segments of one log, offline.

    The log is verified, and may be written by a daemon meanwhile. Nothing is written. The link that is printed has a
    token, which shows the texts that the log has; $STENO_SERVE_TOKEN sets it.

    Example: steno serve /var/log/steno
    """
    import anyio

    from steno.app import serve as serving
    from steno.app import verify as verifying
    from steno.app.event_loop import event_loop_options

    settings = serving.Settings(paths, listen, verifying.trust_of(key_files, (), ()))
    anyio.run(serving.serve, settings, backend_options=event_loop_options())


@cli.command()
@CONFIG
@click.option("--conversation", required=True, help="The key of the conversation, as the audit log has it.")
@click.option("--partial", is_flag=True, help="Erase what is in files, even where the log itself holds content.")
@click.option(
    "--audit", type=click.Path(path_type=Path), help="The folder of the log, where it is not the configured one."
)
def erase(config_file: Path | None, conversation: str, partial: bool, audit: Path | None) -> int:
    """Erase the content of a conversation that is kept beside the audit log (audit.content_files).

    The daemon that writes the log is asked to do it. Where none runs, this command does it. Exit 1 when there was
    nothing to erase, or when the log itself holds more.
    """
    from steno.app import erase as erasing
    from steno.audit.content_store.erase import describe
    from steno.config import load

    config = load(_config_file(config_file))
    directory = erasing.log_directory(config, audit, os.environ)
    erasure = erasing.erase(config, directory, conversation, partial=partial)
    echo(describe(conversation, erasure))
    return 0 if erasure.complete else 1


@cli.command()
@click.argument("call_id", required=False)
@CONFIG
@click.option("--label", "labels", multiple=True, metavar="NAME=TEXT", help="Kept with the call; repeatable.")
@click.option("--source", help="The source that is to follow it, where several are configured.")
@click.option("--list", "listed", is_flag=True, help="List the calls that are followed.")
@click.option("--end", metavar="CALL_ID", help="Follow this call no more.")
@click.option("--url", help="Ask the HTTP face at this URL, and not the control socket of the configured audit log.")
@click.option("--token-file", type=click.Path(path_type=Path), help="With --url: a file with the token of http.token.")
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
    """Ask a running daemon to follow the call CALL_ID until it is over.

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
    directory = audit_directory(load(_config_file(config_file)).audit, os.environ)
    if directory is None or not is_folder(directory):
        where = "no audit log is configured" if directory is None else f"there is no audit log in {directory}"
        raise UsageError(f"{where}, and so no control socket: name the daemon by --url and --token-file")
    return attaching.by_socket(directory)


@contextmanager
def _progress(files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with numbers of bytes that were read. It moves a bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from steno.app.tables import console

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=sum(_size(file) for file in files) or None)
        yield lambda size: bar.advance(task, size)


def _size(path: Path) -> int:
    """Return how many bytes there are to read; 0 where that is not known."""
    try:
        if path.is_dir():
            return sum(each.stat().st_size for each in path.iterdir() if each.is_file())
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # whoever reads it says so
        return 0


def _show(terminal: "Console", summary: "Summary") -> None:
    """Print the summary of a replay."""
    from steno.app.tables import conversation_table, counted, outcome_lines

    terminal.print(conversation_table(summary.rows, "conversations", terminal.width, summary.total))
    for line in (f"{'frames':<11}{summary.frames}", *outcome_lines(summary.total)):
        terminal.print(line, soft_wrap=True)
    for heading, counts in (
        ("unknown event types", summary.unknown),
        ("malformed", summary.malformed),
        ("out of place", summary.rejected),
    ):
        if counts:
            terminal.print(f"{heading}: {counted(counts)}", soft_wrap=True)
