"""What must hold at the end of a soak."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.soak import expected
from tests.soak.clients import Answers
from tests.soak.expected import Outputs
from tests.soak.honest import ODD_NAME, Source, counted

UNTIL_THE_END: Final = frozenset({"runs", "run_steps", "unpriced", "cost_usd"})
"""What is added to the state of a thread where it is closed while something in it is open."""
SHOWN: Final = 3
"""Differences that are printed of each kind."""


class Findings:
    """What does not hold."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def hold(self, what: str, *, held: bool, more: object = "") -> None:
        """Note `what` where it does not hold."""
        if not held:
            self.faults.append(f"{what}: {more}" if more != "" else what)

    def same(self, what: str, live: object, sent: object) -> None:
        """Note where what the daemon wrote is not what was sent."""
        self.hold(what, held=live == sent, more=f"it is {live!r:.300} and must be {sent!r:.300}")


def check_source(source: Source, live: Outputs, replayed: Outputs, findings: Findings, *, state: bool) -> None:
    """Hold the outputs of one honest source against what it sent."""
    name = source.name
    findings.hold(f"{name}: no connection was left by the daemon", held=not source.broken, more=source.broken[:SHOWN])
    findings.same(f"{name}: gaps", live.gaps, [])
    if source.name != ODD_NAME:
        _counted_by_hand(source, live, findings)
    for conversation in sorted(live.facts.keys() | replayed.facts.keys()):
        _same_facts(f"{name}/{conversation}", live, replayed, conversation, findings)
    if state:
        findings.same(f"{name}: conversations in the state", sorted(live.state), sorted(replayed.state))
        for conversation in live.state.keys() & replayed.state.keys():
            _same_state(f"{name}/{conversation}: state", live, replayed, conversation, findings)


def _same_state(what: str, live: Outputs, replayed: Outputs, conversation: str, findings: Findings) -> None:
    ours, theirs = live.state[conversation], replayed.state[conversation]
    cut = conversation in live.closed and len(live.facts[conversation]) > len(replayed.facts[conversation])
    for name in sorted((theirs.keys() & ours.keys()) - (UNTIL_THE_END if cut else frozenset())):
        findings.same(f"{what}: {name}", ours[name], theirs[name])


def _counted_by_hand(source: Source, live: Outputs, findings: Findings) -> None:
    """Hold the ends and their tokens against a count that knows nothing of the daemon, of what is not odd."""
    sent = counted(source)
    for subject, ended in (("response", sent.responses), ("run", sent.runs), ("run_step", sent.steps)):
        ids = [each for each, _ in live.finished[subject]]
        findings.same(f"{source.name}: ends of each {subject}", sorted(ids), sorted(ended))
    for subject, tokens in (("response", sent.responses), ("run", sent.runs)):
        findings.same(f"{source.name}: tokens of each {subject}", dict(live.finished[subject]), tokens)


def _same_facts(what: str, live: Outputs, replayed: Outputs, conversation: str, findings: Findings) -> None:
    ours, theirs = live.facts[conversation], replayed.facts[conversation]
    if conversation in live.closed:
        ours = ours[: len(theirs)]  # what was open when it closed is abandoned then; the replay leaves it open
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            findings.same(f"{what}: fact {number}", one, other)
            return
    findings.same(f"{what}: facts", len(ours), len(theirs))


def check_metrics(answers: Answers, sources: list[Source], replayed: list[str], findings: Findings) -> None:
    """Hold the counters of the honest models and sources against replays of what was sent."""
    for source in sources:
        received = answers.value(f'steno_frame_bytes_total{{direction="received",source="{source.name}"}}')
        findings.same(f"{source.name}: bytes received", received, source.bytes)
        restarts = answers.value(f'steno_source_restarts_total{{source="{source.name}"}}')
        findings.same(f"{source.name}: restarts", restarts, 0)
    models = set[str]().union(*map(expected.models_in, replayed))
    live = expected.totals_by_model(answers.text, models, {source.name for source in sources})
    sums: dict[str, Decimal] = {}
    for text in replayed:
        for series, value in expected.totals_by_model(text, models, {"replay"}).items():
            sums[series] = sums.get(series, Decimal(0)) + Decimal(repr(value))
    findings.same("series of honest models", sorted(live), sorted(sums))
    for series in live.keys() & sums.keys():
        close = abs(Decimal(repr(live[series])) - sums[series]) < Decimal("1e-6")
        findings.hold(f"{series}", held=close, more=f"the daemon says {live[series]}, and replays {sums[series]}")


def check_secrets(secret: str, paths: Iterable[Path], findings: Findings) -> None:
    """No output holds a secret that a hostile source sent."""
    for path in paths:
        with path.open("rb") as file:
            found = any(secret.encode() in line for line in file)
        findings.hold(f"{path.name} holds no secret", held=not found)
