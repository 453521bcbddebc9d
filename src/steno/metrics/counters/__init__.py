"""What each fact does to which metric: a function a kind of fact, and a module a subject, as in `core/facts`.

Kinds that are missing are for the audit log alone.
"""

from typing import Final

from steno.metrics.counters import chains, conversations, live, responses, runs, streams, tools, upstream, usage
from steno.metrics.tally import Counters

COUNTERS: Final[Counters] = {
    **streams.COUNTERS,
    **conversations.COUNTERS,
    **responses.COUNTERS,
    **chains.COUNTERS,
    **tools.COUNTERS,
    **runs.COUNTERS,
    **live.COUNTERS,
    **usage.COUNTERS,
    **upstream.COUNTERS,
}
