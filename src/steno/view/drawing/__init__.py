"""What each record adds to a timeline, a module a subject. Pure.

    speech.py     what the user did
    responses.py  responses, what was heard of them, and how they follow each other
    segments.py   who spoke when in a session that is spoken all the time
    work.py       calls of tools, runs and their steps, delegations
    sessions.py   sessions, and the streams that carry them

Names of facts are all that is known here: which family made them makes no difference.
"""

from typing import Final

from steno.view.drawing import responses, segments, sessions, speech, work
from steno.view.spans import Handlers

HANDLERS: Final[Handlers] = {
    fact: handler
    for subject in (speech, responses, segments, work, sessions)
    for fact, handler in subject.HANDLERS.items()
}
"""What each record does. A record that is not in it is not drawn."""
