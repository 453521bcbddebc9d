"""What ends with a run: the steps that it left open, and the tool calls of those and of its own.

Upstream ends the steps of a run before the run, as a rule. Where a stream broke off, or the run expired while it waited
for outputs, the end of the run is all that comes. When a step ended is unknown then, so it has no duration. What
upstream reports of it later is counted as `repeated` or `ended`, and changes nothing.
"""

from typing import Final

from steno.core import facts, tools
from steno.core.assistants.state import OpenStep, ThreadConversation
from steno.core.conversation import counted
from steno.core.facts import Fact
from steno.core.vocabulary import CALL_ENDS

STEP_STATUS: Final = {"incomplete": "cancelled"}
"""How a run ended to how its open steps did, where that differs: no step is incomplete."""


def end_with_run(state: ThreadConversation, run_id: str, status: str) -> list[Fact]:
    """End what an ended run left open: each step and each call once."""
    ended: list[Fact] = []
    for step_id, step in list(state.open_steps.items()):
        if step.run_id == run_id:
            ended += _end_step(state, step_id, step, STEP_STATUS.get(status, status))
    return ended + tools.finish_all(state, run_id, call_status(status), None)


def _end_step(state: ThreadConversation, step_id: str, step: OpenStep, status: str) -> list[Fact]:
    del state.open_steps[step_id]
    state.ended_ids.add(step_id)
    state.totals.run_steps = counted(state.totals.run_steps, status)
    if step.raw:
        state.run_steps.add(step.raw)  # the last object of it that came
    note_arguments(state, step)
    return [
        *tools.finish_all(state, step_id, call_status(status), None),
        facts.RunStepFinished(
            step_id=step_id,
            run_id=step.run_id,
            kind=step.kind,
            status=status,
            reason=None,
            duration_seconds=None,
            prompt_tokens=None,
            completion_tokens=None,
        ),
    ]


def note_arguments(state: ThreadConversation, step: OpenStep) -> None:
    """Note what the deltas brought of the arguments, or the code, of the calls of a step."""
    for index, text in step.texts.items():
        tools.called(state, step.call_ids.get(index), None, text.read())


def call_status(status: str) -> str:
    """Return how a call ended whose run or step ended with `status`, and that nothing else was reported of."""
    return status if status in CALL_ENDS else "abandoned"
