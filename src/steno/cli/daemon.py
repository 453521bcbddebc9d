"""The commands that run the daemon, or something like it: run, check, demo, simulate."""

import os
from functools import partial
from pathlib import Path

import click

from steno.app.lean_imports import lean_imports
from steno.app.signals import SIGNALS
from steno.app.terminal import echo
from steno.cli.options import CONFIG, FILE, PROCESS, command, config_file_at, faults_in
from steno.errors import ConfigError, ConfigFault


@command(
    "Run the daemon.",
    "steno run -c /etc/steno/steno.toml",
    "steno run -c steno.toml --state state.jsonl --record recordings",
    "steno run -c steno.toml --shard 2/4 --http-listen 127.0.0.1:9482",
)
@CONFIG
@PROCESS
@click.option("--state", type=FILE, help="Write the state of all conversations here when it stops; exit 69 if not.")
@click.option("--record", type=FILE, help="Record every frame into this folder, a file a stream.")
def run(
    config_file: Path | None, shard: str | None, http_listen: str | None, state: Path | None, record: Path | None
) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    with lean_imports():
        import anyio

        from steno.app import serving
        from steno.app.daemon_log import DaemonLog
        from steno.app.event_loop import event_loop_options
        from steno.config import Process, load

    SIGNALS.hold()
    log = DaemonLog()
    path = config_file_at(config_file)
    process = Process.of(shard, http_listen)
    reading = partial(load, path, process=process)
    config = reading()
    log.configure(config.log.level, config.log.format)
    with (
        faults_in(path),
        serving.opened(
            config, os.environ, state=state, record=record, load=reading, log=log, shard=process.shard
        ) as ready,
    ):
        anyio.run(serving.serve, ready, backend_options=event_loop_options())


@command(
    "Find what is wrong in a configuration; print all of it.",
    "steno check -c /etc/steno/steno.toml --strict",
    "steno check -c /etc/steno/steno.toml --shard 2/4",
)
@CONFIG
@PROCESS
@click.option("--state", type=FILE, help="As `steno run` is given it: whether it can be written.")
@click.option("--record", type=FILE, help="As `steno run` is given it: whether the folder can be written.")
@click.option("--strict", is_flag=True, help="Exit 78 when there is a warning.")
def check(
    config_file: Path | None,
    shard: str | None,
    http_listen: str | None,
    state: Path | None,
    record: Path | None,
    strict: bool,
) -> None:
    """Read the configuration and print all of it, defaults included, secrets masked.

    What `steno run` would refuse is an error, exit 78: a folder that cannot be written, a key that is too short, an
    address that is not this machine's. What it starts with and is surely not meant is a warning on standard error: a
    file or variable that a source needs, a certificate that ends soon, a port that another process has.
    """
    with lean_imports():
        from steno.app import check as checking
        from steno.config import Process, load, render

    path = config_file_at(config_file)
    process = Process.of(shard, http_listen)
    config = load(path, process=process)
    with faults_in(path):
        warned, faults = checking.found(config, os.environ, state, record)
    for warning in warned:
        echo(f"warning: {path}: {warning.key}: {warning.message}", err=True)
    if faults:
        raise ConfigError(ConfigFault(str(path), each.key, each.message) for each in faults)
    if strict and warned:
        raise ConfigError([ConfigFault(str(path), "", "a warning is an error with --strict")])
    for name, number in process.elsewhere(load(path)):
        click.echo(f"# {name}: runs in shard {number}")
    click.echo(render(config), nl=False)


@command(
    "Watch simulated conversations: the quickest look.",
    "steno demo",
    "steno demo --for 30 --seed 2",
)
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


@command(
    "Run a simulated provider, to try clients and steno with.",
    "steno simulate --listen 127.0.0.1:8765",
    "steno simulate --tls --speed 0 --key key.txt",
)
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
