"""The zoo: what real traffic does and a reader may trip over, each quirk a small story of its own.

`QUIRKS` is the table of all of them, by name. A story is a function of a seed and a second, as all that is
simulated here; where a connection ends in its middle and it goes on in the next, it holds a `Cut`, and `parts`
tells what is said on which connection.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from steno.simulate import (
    zoo_assistants,
    zoo_dialects,
    zoo_envelopes,
    zoo_hostile,
    zoo_input,
    zoo_realtime,
    zoo_sessions,
    zoo_tools,
)
from steno.simulate.steps import Cut, Step
from steno.simulate.zoo_quirk import Close, Quirk

QUIRKS: Final[Mapping[str, Quirk]] = {
    quirk.name: quirk
    for part in (
        zoo_realtime,
        zoo_input,
        zoo_tools,
        zoo_sessions,
        zoo_dialects,
        zoo_assistants,
        zoo_envelopes,
        zoo_hostile,
    )
    for quirk in part.QUIRKS
}
"""Every quirk by its name, those of one kind together."""


def parts(steps: Iterable[Step]) -> list[list[Step]]:
    """Cut a story into what is said on each of its connections."""
    said: list[list[Step]] = [[]]
    for step in steps:
        if isinstance(step, Cut):
            said.append([])
        else:
            said[-1].append(step)
    return said


__all__ = ["QUIRKS", "Close", "Quirk", "parts"]
