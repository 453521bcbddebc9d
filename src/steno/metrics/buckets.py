"""The bounds of histograms, in seconds but for the last two: dense where a difference is felt."""

from typing import Final

VOICE_SECONDS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""What a caller feels: 0.8 s begins to feel unnatural, so that the buckets are dense there."""
SPEECH_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0)
RESPONSE_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0)
TOOL_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
RUN_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""A run is given up after 10 minutes."""
CONVERSATION_SECONDS: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
"""Calls that end at once, calls as they are, and sessions that reach their 60 minutes."""
CHAIN_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0)
"""An answer at once, and the work of an agent."""
GAP_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""A client that answers a call by itself, a tool at work, and a person who thinks."""
ROUNDS: Final = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0)
"""A number, not seconds: tool rounds until an answer."""
IN_FLIGHT: Final = (1.0, 2.0, 4.0, 8.0, 12.0, 16.0)
"""A number, not seconds: upstream takes 16 responses of a connection at once."""
