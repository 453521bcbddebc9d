"""What real traffic does and a reader may trip over, each scenario a small story of its own.

`SCENARIOS` has all of them by name. A story is a function of a seed and a second, as all that is simulated; where a
connection ends in its middle and the story goes on in the next one, it holds a `Cut`. `find` lets the simulated
provider play them.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from steno.simulate.server import Story
from tests.scenarios import assistants, dialects, envelopes, hostile, realtime, sessions, tools, user_input
from tests.scenarios.scenario import Scenario

PATH: Final = "/v1/scenarios"
"""Where the scenario that the query names is played: `/v1/scenarios?name=session_cap`."""

SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for part in (realtime, user_input, tools, sessions, dialects, assistants, envelopes, hostile)
    for scenario in part.SCENARIOS
}
"""Every scenario by its name, those of one kind together."""


def find(target: str) -> Story | None:
    """Return the story of the scenario that `target` names, if there is one."""
    url = urlsplit(target)
    names = parse_qs(url.query).get("name", [])
    found = SCENARIOS.get(names[0]) if url.path == PATH and len(names) == 1 else None
    return Story(found.make, found.close) if found else None
