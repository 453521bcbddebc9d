"""The metrics of conversations: what follows from frames, ticks and configuration alone. Replay writes the same.

Each has `source` as its first label, so that one front desk can be told from another. The labels that an operator gives
a source stand behind it (`labels`). There is a module a subject, as there is in `core/facts` and in `metrics/counters`.
"""

from typing import Final

from steno.metrics.conversation_definitions.chains import CHAINS
from steno.metrics.conversation_definitions.conversations import CONVERSATIONS
from steno.metrics.conversation_definitions.frames import FRAMES
from steno.metrics.conversation_definitions.live import LIVE
from steno.metrics.conversation_definitions.responses import RESPONSES
from steno.metrics.conversation_definitions.runs import RUNS
from steno.metrics.conversation_definitions.sources import SOURCES
from steno.metrics.conversation_definitions.tools import TOOLS
from steno.metrics.conversation_definitions.upstream import UPSTREAM
from steno.metrics.conversation_definitions.usage import USAGE
from steno.metrics.definition import table

CONVERSATION_METRICS: Final = table(
    *FRAMES, *CONVERSATIONS, *RESPONSES, *CHAINS, *TOOLS, *RUNS, *LIVE, *USAGE, *UPSTREAM, *SOURCES
)
