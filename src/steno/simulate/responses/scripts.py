"""The texts of the simulated agents: a programmer's assistant, and a reviewer beside it."""

from typing import Any, Final

import msgspec

from steno.simulate.responses.moves import Custom, Fail, Function, Hosted, Move, Remote, Say


class Round(msgspec.Struct, frozen=True):
    """A request, and what the model does with it."""

    says: str
    """What the user says; or, where the response before has called a tool, its output."""
    moves: tuple[Move, ...]
    members: dict[str, Any] = {}
    """Members of the request beside its input, tools and chain."""
    steers: str = ""
    """What the user adds while the model writes."""


class Job(msgspec.Struct, frozen=True):
    """What is asked on one lane, request after request: a chain."""

    lane: str | None
    model: str
    rounds: tuple[Round, ...]
    then: tuple[Move, ...] = ()
    """What the successor of a steered response does."""
    tier: str = "auto"


def _function(name: str, *parameters: str) -> dict[str, Any]:
    properties = {each: {"type": "string"} for each in parameters}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "name": name, "description": None, "parameters": schema, "strict": True}


TOOLS: Final = [
    _function("read_file", "path"),
    _function("run_tests", "only"),
    {"type": "custom", "name": "apply_patch", "description": "Applies a patch.", "format": {"type": "text"}},
    {"type": "web_search"},
    {
        "type": "mcp",
        "server_label": "tracker",
        "server_url": "https://tracker.example/mcp",
        "require_approval": "never",
    },
]
REPOSITORY: Final = "\n".join(
    f"src/ledger/part_{n:02}.py: keeps the accounts of a club; each entry has a date, a payer and an amount in cents."
    for n in range(50)
)
"""What an agent is told of the repository that it works on: long enough for the cache."""

_FIX: Final = Job(
    None,
    "gpt-5.6-terra",
    (
        Round("Be ready.", (), {"generate": False}),
        Round(
            "The yearly sum is a cent too low. Find out why.", (Function("read_file", '{"path":"src/ledger/sum.py"}'),)
        ),
        Round(
            "def total(entries): return int(sum(e.amount for e in entries))",
            (Custom("apply_patch", "- int(\n+ round("),),
        ),
        Round("Applied to 1 file.", (Function("run_tests", '{"only":"test_sum"}'),)),
        Round(
            "12 passed",
            (Say("The sum was cut off where it should be rounded. I changed one line, and the twelve tests pass."),),
        ),
        Round(
            "Explain it to the treasurer.",
            (
                Say(
                    "Dear treasurer, when amounts are added up as binary fractions, the last digit may be lost, and a "
                    "cut throws the rest of the cent away, so that over a whole year the books can be one cent short."
                ),
            ),
            steers="Shorter, please.",
        ),
    ),
    then=(Say("We rounded down by mistake; now we round."),),
)
_REVIEW: Final = Job(
    "review",
    "gpt-5.6-luna",
    (
        Round(
            "Does the rounding follow the rules for clubs?",
            (Hosted("web_search", "rounding in club accounts"), Say("It does: half a cent is rounded up.")),
        ),
        Round(
            "Note it in the tracker.",
            (Remote("tracker", "search", '{"query":"rounding"}', asks=False), Say("I noted it at entry 41.")),
        ),
        Round(
            "List all places with sums.",
            (Say("There are sums in the ledger, in the yearly report, in the list of members and in the export."),),
            {"max_output_tokens": 16, "reasoning": {"effort": "none"}},
        ),
        Round("And now in full.", (Fail("server_error", "The simulated model stopped before it could answer."),)),
    ),
    tier="flex",
)

JOBS: Final = (_FIX, _REVIEW)
"""What is asked on one connection, side by side."""
