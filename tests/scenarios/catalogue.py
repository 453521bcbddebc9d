"""All scenarios: what real traffic does and a reader may handle wrongly, each as a short story.

The steps of a scenario are a function of a seed and a second. A `Cut` among them ends the connection; the rest is
played on the next one. `find` lets the simulated provider play scenarios.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from steno.simulate.server import Story
from tests.scenarios import (
    assistants,
    dialects,
    envelopes,
    hostile,
    live,
    live_calls,
    realtime,
    responses,
    sessions,
    tools,
    user_input,
)
from tests.scenarios.scenario import Scenario

PATH: Final = "/v1/scenarios"
"""The path of scenarios. The query names one: `/v1/scenarios?name=session_cap`."""

SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for part in (
        realtime,
        user_input,
        tools,
        sessions,
        dialects,
        assistants,
        live,
        live_calls,
        responses,
        envelopes,
        hostile,
    )
    for scenario in part.SCENARIOS
}
"""Every scenario by its name."""


def find(target: str) -> Story | None:
    """Return the story of the scenario that `target` names, or None."""
    url = urlsplit(target)
    names = parse_qs(url.query).get("name", [])
    found = SCENARIOS.get(names[0]) if url.path == PATH and len(names) == 1 else None
    return Story(found.make, found.close) if found else None
