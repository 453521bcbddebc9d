"""What is opened and read before there is a daemon, and is handed to it as a whole."""

import socket
from collections.abc import Callable

from msgspec import Struct

from steno.app.access import Access
from steno.app.daemon_log import DaemonLog
from steno.app.notify import Notifier
from steno.app.state_output import StateOutput
from steno.audit.service import AuditService
from steno.config import Config
from steno.core.billing.prices import PriceTable
from steno.otel.exporting import Exports
from steno.output_errors import OutputErrors
from steno.shards import Shard
from steno.sources.attach.journal import Journal
from steno.sources.clock import Clock
from steno.sources.recorder import Recorder


class DaemonParts(Struct, frozen=True, kw_only=True):
    """What a daemon is wired from: what `serving.opened` has opened and read."""

    clock: Clock
    socket: socket.socket
    """Where the HTTP face listens."""
    audit: AuditService
    prices: PriceTable
    errors: OutputErrors
    """Failures of the outputs that the daemon goes on without."""
    recorder: Recorder | None = None
    state: StateOutput | None = None
    access: Access
    """Who may ask for what over HTTP."""
    shard: Shard | None = None
    """Which of several processes with the same file this one is."""
    journal: Journal
    """Keeps the calls that are followed over a restart."""
    log: DaemonLog | None = None
    """The operational log, where it is the daemon's own."""
    notifier: Notifier
    """Where the service manager hears of the daemon."""
    exports: Exports | None = None
    """What is sent by OTLP, where anything is."""
    load: Callable[[], Config] | None = None
    """Reads the configuration again, where it came from a file."""
