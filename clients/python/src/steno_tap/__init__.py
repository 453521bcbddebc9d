"""Copies realtime conversations of an application to steno, without getting in its way."""

from steno_tap.conversation import Conversation
from steno_tap.tap import Tap

__all__ = ["Conversation", "Tap"]
__version__ = "0.1.0"
