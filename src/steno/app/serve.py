"""`steno serve`: the page and its API over an audit log on the disk, offline, with the result of `verify`.

The log may be written by a daemon meanwhile: what is added is read every few seconds, and the log is verified again
once it has grown, in a tenth of the time at most. Nothing is written, and no lock of the log is taken.
"""

import os
import secrets
import signal
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from time import time
from typing import Final, Literal

import anyio
import anyio.to_thread
import structlog
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from steno.addresses import is_loopback
from steno.admin.answers import answer
from steno.admin.authorization import Authorization, Policy
from steno.admin.connections import ConnectionTable
from steno.admin.hosts import HostPolicy
from steno.admin.http import HEAD_SECONDS, bind, face, guarded
from steno.admin.operations import DescribedRoute, Operation
from steno.admin.page import page_routes
from steno.admin.server import HttpServer
from steno.admin.streaming import ChangeStream
from steno.admin.views import Workers, view_routes
from steno.app.terminal import echo
from steno.app.verify import Verification, verify
from steno.audit.content_store.files import FOLDER
from steno.audit.verification.report import Reason
from steno.audit.verification.trust import Trust
from steno.config.fields import listen_fault, split_listen
from steno.config.secret_ref import SecretRef
from steno.errors import DataError, UsageError
from steno.regular_files import is_folder
from steno.view.archive import Archive
from steno.view.log_index import LogIndex, LogStand

TOKEN_VARIABLE: Final = "STENO_SERVE_TOKEN"  # noqa: S105  # the name of a variable
"""A token that is used in place of one that is made."""
TOKEN_BYTES: Final = 16
CONNECTIONS: Final = 256
REFRESH_SECONDS: Final = 2.0
"""How often it is looked whether the log has grown."""
VERIFIED_SHARE: Final = 10
"""A verification waits for so many times as long as the last one took."""
VERIFIED_SECONDS: Final = 60.0
"""The shortest time between two verifications."""
TORN_TRIES: Final = 3
"""How often a last line that is not whole is looked at again, while a daemon may be writing it."""
VERIFICATION: Final = "/v1/verification"

State = Literal["running", "done", "failed"]


class Settings(Struct, frozen=True):
    """What is served, and where."""

    paths: Sequence[Path]
    listen: str
    trust: Trust


class VerificationAnswer(Struct, frozen=True, kw_only=True):
    """What `GET /v1/verification` answers."""

    state: State
    """`failed` where the log could not be read."""
    ok: bool | None
    """Whether the log held when it was verified last; null before that."""
    at: float | None
    """When that was, as Unix seconds."""
    lines: Sequence[str]
    """What `steno verify` shows, the verdict first."""
    read_bytes: int
    total_bytes: int
    """How far the verification is that runs now."""
    name: str
    """The name of the folder or the first segment."""
    log: LogStand
    """How far the log was read for the table: how fresh that is."""


VERIFY: Final = Operation(summary="What `steno verify` finds in the log.", answers={200: VerificationAnswer})


class LogVerification:
    """Verifies a log in a thread, and again when it has grown."""

    def __init__(self, paths: Sequence[Path], trust: Trust, index: LogIndex) -> None:
        """Verify the log at `paths`; `index` says how far it was read for the table."""
        self._paths = paths
        self._trust = trust
        self._index = index
        self._state: State = "running"
        self._found: Verification | None = None
        self._failure = ""
        self._at: float | None = None
        self._read = 0
        self._verified: object = None
        """How far the log was read when the last verification began."""

    def route(self) -> DescribedRoute:
        """Return where the result is asked for."""
        return DescribedRoute(VERIFICATION, self._answer, VERIFY)

    async def _answer(self, _request: Request) -> Response:
        stand = self._index.stand()
        return answer(
            HTTPStatus.OK,
            VerificationAnswer(
                state=self._state,
                ok=self._found.ok if self._found else None,
                at=self._at,
                lines=self._found.lines() if self._found else [self._failure] if self._failure else [],
                read_bytes=self._read,
                total_bytes=stand.total_bytes,
                name=self._paths[0].name or str(self._paths[0]),
                log=stand,
            ),
        )

    async def run(self) -> None:
        """Verify until cancelled."""
        while True:
            began = anyio.current_time()
            stand = self._index.stand()
            if self._verified != (stand.bytes, stand.last_seq):
                self._verified = (stand.bytes, stand.last_seq)
                await self._verify()
            took = anyio.current_time() - began
            await anyio.sleep(max(VERIFIED_SECONDS, took * VERIFIED_SHARE))

    async def _verify(self) -> None:
        self._state, first = "running", self._found is None
        for _ in range(TORN_TRIES):
            self._read = 0
            try:
                found = await anyio.to_thread.run_sync(self._once, abandon_on_cancel=True)
            except (DataError, OSError) as error:
                self._state, self._failure = "failed", str(error)
                return
            if found.log.fault is None or found.log.fault.reason is not Reason.TORN:
                break
            await anyio.sleep(REFRESH_SECONDS)
        self._found, self._state, self._at = found, "done", time()
        if first or not found.ok:
            echo("\n".join(found.lines()))

    def _once(self) -> Verification:
        content = is_folder(self._paths[0]) and is_folder(self._paths[0] / FOLDER)
        return verify(self._paths, self._trust, content=content, progress=self._progress)

    def _progress(self, size: int) -> None:
        self._read += size


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises UsageError where `listen` is no address on loopback, DataError where there is no log, and UnavailableError
    where the port is taken.
    """
    host, port = _address(settings.listen)
    index = LogIndex(settings.paths)
    archive, workers = Archive(index), Workers()
    changes, verification = ChangeStream(archive, Workers(1)), LogVerification(settings.paths, settings.trust, index)
    token = os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe(TOKEN_BYTES))
    authorization = Authorization(SecretRef(env=TOKEN_VARIABLE), Policy(private=True))
    views = [*view_routes(archive, authorization, workers), changes.route(authorization), verification.route()]
    table = ConnectionTable(CONNECTIONS, HEAD_SECONDS)
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals, bind(host, port) as sock:
        http = HttpServer(
            face(guarded([*page_routes(), *views], authorization, table), HostPolicy(host, ()), table), sock, table
        )
        bound = f"[{host}]:{sock.getsockname()[1]}" if ":" in host else f"{host}:{sock.getsockname()[1]}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(http.run)
            echo("\n".join(_introduction(settings, bound, token)))
            tasks.start_soon(changes.run)
            tasks.start_soon(_refresh, index, verification)
            async for _ in signals:
                break
            changes.stop()
            http.stop()
            await http.stopped.wait()
            tasks.cancel_scope.cancel()


async def _refresh(index: LogIndex, verification: LogVerification) -> None:
    """Read the log, then what is added to it; verify it from the first reading on."""
    failing = False
    async with anyio.create_task_group() as tasks:
        begun = False
        while True:
            try:
                await anyio.to_thread.run_sync(partial(index.refresh), abandon_on_cancel=True)
                failing = False
            except DataError as error:
                if not failing:
                    structlog.get_logger().warning("the log cannot be read on", reason=str(error))
                failing = True
            if not begun:
                begun = True
                echo(_read(index.stand(), len(index.conversations())))
                tasks.start_soon(verification.run)
            await anyio.sleep(REFRESH_SECONDS)


def _read(stand: LogStand, conversations: int) -> str:
    until = f", up to {stand.last_at}" if stand.last_at else ""
    return f"read     {stand.records} records in {stand.segments} segments, {conversations} conversations{until}"


def _address(listen: str) -> tuple[str, int]:
    address = split_listen(listen)
    if address is None:
        raise UsageError(f"--listen {listen_fault(listen)}")
    if not is_loopback(address[0]):
        raise UsageError(
            "--listen must be an address of this machine alone, such as 127.0.0.1:8000: a log may hold what people "
            "said. From elsewhere reach it by a tunnel: ssh -L 8000:127.0.0.1:8000 HOST"
        )
    return address


def _introduction(settings: Settings, address: str, token: str) -> list[str]:
    return [
        f"log      {settings.paths[0]}   is read, and nothing is written there",
        f"page     http://{address}/#token={token}",
        f"api      http://{address}/v1/conversations   texts: Authorization: Bearer {token}",
        "Ctrl-C ends it.",
    ]
