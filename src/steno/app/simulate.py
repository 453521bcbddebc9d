"""`steno simulate`: the simulated provider alone, to try steno and clients of a provider with."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import anyio
from msgspec import Struct

from steno.app.terminal import echo
from steno.config.fields import listen_fault, split_listen
from steno.config.secret import read_secret
from steno.config.secret_ref import SecretRef
from steno.errors import UnavailableError, UsageError
from steno.simulate.server import Provider, provider
from steno.simulate.tls import certified

KEY_VARIABLE: Final = "STENO_SIMULATE_KEY"
"""Where the key of the provider may be, in place of a file."""


class Settings(Struct, frozen=True, kw_only=True):
    """How the provider is run."""

    listen: str
    seed: int
    speed: float
    tls: bool
    beta: bool
    key: SecretRef | None
    """Where the key is that clients have to show. None: they need none."""


async def simulate(settings: Settings) -> None:
    """Run the provider until SIGTERM or SIGINT.

    Raises UsageError, ConfigError (of the key) and UnavailableError (a port that is taken, a package that is missing).
    """
    host, port = _address(settings.listen)
    key = read_secret(settings.key) if settings.key else None
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with AsyncExitStack() as stack:
            authority = _authority_file(stack) if settings.tls else None
            context = certified(authority, host) if authority else None
            try:
                simulated = await stack.enter_async_context(
                    provider(
                        host=host,
                        port=port,
                        seed=settings.seed,
                        speed=settings.speed,
                        key=key,
                        beta=settings.beta,
                        tls=context,
                    )
                )
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else str(error)
                raise UnavailableError(f"cannot listen on {settings.listen}: {reason}") from error
            echo("\n".join(_introduction(simulated, authority, needs_key=key is not None)))
            async for _ in signals:
                break


def _address(listen: str) -> tuple[str, int]:
    address = split_listen(listen)
    if address is None:
        raise UsageError(f"--listen {listen_fault(listen)}")
    return address


def _authority_file(stack: AsyncExitStack) -> Path:
    """Return where the certificate of the authority is to be: in a folder that goes when the provider stops."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steno-simulate-"))) / "ca.pem"


def _introduction(simulated: Provider, authority: Path | None, *, needs_key: bool) -> Iterator[str]:
    http = simulated.url("/v1").replace("ws", "http", 1)
    yield f"provider   {http}   the base URL of a client"
    yield f"sessions   {simulated.url('/v1/realtime?model=gpt-realtime')}"
    yield f"           {simulated.url('/v1/responses')}, {simulated.url('/v1/live/sessions')}"
    yield f"listeners  {simulated.url('/v1/realtime?line=1')}, {simulated.url('/v1/assistants')}"
    yield f"           {simulated.url('/v1/responses?line=1')}, {simulated.url('/v1/live/sessions?line=1')}"
    yield f"key        {'the one that was given' if needs_key else 'any, or none'}"
    if authority:
        yield f"authority  {authority}   for SSL_CERT_FILE, NODE_EXTRA_CA_CERTS"
    yield "Ctrl-C ends it."
