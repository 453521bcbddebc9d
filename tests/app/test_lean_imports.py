"""What a command imports before it does anything: what it does not need is most of its time."""

import subprocess

from tests.processes import program


def imported(*arguments: str) -> set[str]:
    """Return the modules that a command has imported when it ends."""
    command = program("import atexit, sys; atexit.register(lambda: print(*sys.modules))")
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    return set(done.stdout.split())


def test_the_version_is_said_without_the_daemon() -> None:
    loaded = imported("--version")

    assert {"steno.cli", "click"} <= loaded
    assert loaded.isdisjoint(
        {"anyio", "asyncio", "importlib.metadata", "prometheus_client", "rich", "ssl", "starlette", "steno.app.daemon"}
        | {"steno.config", "steno.core", "steno.pipeline", "steno.wire", "structlog", "uvicorn", "websockets", "yaml"}
    )


def test_a_daemon_starts_without_what_it_is_not_configured_for(tmp_path: object) -> None:
    """It has imported itself when it looks at its configuration, which is not there."""
    loaded = imported("run", "-c", f"{tmp_path}/missing.toml")

    assert {"steno.app.daemon", "structlog", "uvicorn"} <= loaded
    assert loaded.isdisjoint(
        {"cryptography", "jsonschema", "opentelemetry", "phonenumbers", "pygments", "rich", "stdnum", "uvloop", "yaml"}
        | {"steno.redaction", "steno.simulate", "steno.sources.connect", "steno.sources.follow"}
        | {"steno.sources.attach.source", "steno.sources.listen.source", "steno.sources.proxy.source"}
    )


def test_a_replay_starts_without_what_a_daemon_waits_and_logs_by() -> None:
    loaded = imported("replay", "/dev/null")

    assert {"steno.app.replay", "steno.pipeline", "rich"} <= loaded
    assert loaded.isdisjoint({"anyio", "asyncio", "ssl", "structlog", "steno.app.daemon", "steno.audit", "websockets"})
