"""The gate for speed: how a ratio is estimated, what is said of it, and in which order both sides run."""

import shutil
import sys
from collections.abc import Callable
from contextlib import nullcontext
from math import inf
from pathlib import Path
from random import Random

import pytest

from benchmarks import check, instructions, verdicts
from benchmarks.check import EXIT_CODES, Measured
from benchmarks.instructions import Counted
from benchmarks.verdicts import Estimate, Run, Verdict, overall
from tools import revisions
from tools.revisions import RevisionError


def noisy(ratio: float, noise: float, runs: int = 20, pieces: int = 10) -> list[Run]:
    """Runs whose pieces vary; one in ten is far off, on either side."""
    rng = Random(1)

    def cost(seconds: float) -> float:
        return seconds * (1 + rng.gauss(0, noise)) * (3 if rng.random() < 0.1 else 1)

    return [tuple((cost(1.0), cost(ratio)) for _ in range(pieces)) for _ in range(runs)]


# Statistics


def test_runs_that_do_not_vary_have_an_interval_without_width() -> None:
    """The ratio itself."""
    assert verdicts.estimate([((2.0, 3.0), (4.0, 6.0))] * 5) == Estimate(1.5, 1.5, 1.5)


def test_a_piece_counts_by_what_it_costs() -> None:
    """Three quarters of the cost did not change, one quarter doubled."""
    assert verdicts.estimate([((3.0, 3.0), (1.0, 2.0))] * 5).ratio == pytest.approx(1.25)


def test_a_run_that_was_disturbed_does_not_move_the_ratio() -> None:
    """Nor its interval, where it is one of many."""
    runs: list[Run] = [((1.0, 1.0),)] * 19

    assert verdicts.estimate([*runs, ((1.0, 50.0),)]) == Estimate(1.0, 1.0, 1.0)


def test_both_sides_slow_down_together_where_the_machine_does() -> None:
    """The ratio is that of neighbours."""
    assert verdicts.estimate([((slow, 1.1 * slow),) for slow in (1.0, 2.0, 3.0)]).ratio == pytest.approx(1.1)


@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.1])
def test_the_interval_holds_the_ratio_and_narrows_with_more_runs(ratio: float) -> None:
    """The same runs give the same interval."""
    few, many = (verdicts.estimate(noisy(ratio, 0.03, runs)) for runs in (10, 40))

    assert few.low < ratio < few.high
    assert many.low < ratio < many.high
    assert many.width < few.width
    assert verdicts.estimate(noisy(ratio, 0.03, 10)) == few


def test_one_run_says_nothing() -> None:
    """Its interval has no end."""
    assert verdicts.estimate([((1.0, 1.0),)]) == Estimate(1.0, -inf, inf)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.99, 1.01, "ok"),
        (1.005, 1.03, "ok"),
        (0.97, 0.9999, "faster"),
        (0.98, 1.0, "ok"),
        (1.01, 1.0301, "slower"),
        (1.2, 1.22, "slower"),
        (0.98, 1.02, "inconclusive"),
        (1.2, 1.3, "inconclusive"),
        (0.5, 0.7, "inconclusive"),
        (-inf, inf, "inconclusive"),
    ],
)
def test_verdict(low: float, high: float, said: Verdict) -> None:
    """Ok ends at 1.03 or below; wider than 3 % says nothing, however far from 1 it is."""
    assert verdicts.verdict(Estimate((low + high) / 2, low, high)) == said


@pytest.mark.parametrize(
    ("verdicts", "said", "code"),
    [
        (["ok", "faster"], "ok", 0),
        (["faster", "faster"], "faster", 0),
        (["ok", "inconclusive"], "inconclusive", 2),
        (["inconclusive", "slower", "ok"], "slower", 1),
    ],
)
def test_the_worst_verdict_is_that_of_all(verdicts: list[Verdict], said: Verdict, code: int) -> None:
    """Each has an exit code; not to know is not the same as to be slower."""
    assert (overall(verdicts), EXIT_CODES[overall(verdicts)]) == (said, code)


# Measuring


class Machine:
    """Returns the runs that a workload has, and notes what was run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def workload(self, name: str, run: Run | Callable[[int], Run], *, judged: bool = True) -> Measured:
        def runs(number: int) -> Run:
            self.ran.append(f"{name} {number}")
            return run(number) if callable(run) else run

        return Measured(name, runs, judged=judged)


def wide(number: int) -> Run:
    """Runs that never agree."""
    return ((1.0, 1.0 + number % 2),)


def never() -> bool:
    return False


def test_it_ends_when_all_that_is_judged_is_narrow() -> None:
    """What is only reported need not be."""
    machine = Machine()
    measured = [machine.workload("even", ((1.0, 1.0),)), machine.workload("start-up", wide, judged=False)]

    check.measure(measured, never, lambda _: None)

    assert [len(each.runs) for each in measured] == [check.RUNS_LEAST, check.RUNS_LEAST]


def test_it_ends_when_the_time_is_up() -> None:
    """Each has run at least once, and the workloads took turns."""
    machine = Machine()
    measured = [machine.workload("mix", wide), machine.workload("recordings", wide)]

    check.measure(measured, lambda: len(machine.ran) >= 3, lambda _: None)

    assert machine.ran == ["mix 0", "recordings 0", "mix 1", "recordings 1"]


def test_what_is_narrow_is_not_run_again() -> None:
    """The time is for the other ones; each look is reported."""
    machine, reports = Machine(), list[str]()
    measured = [machine.workload("even", ((1.0, 1.0),)), machine.workload("mix", wide)]

    check.measure(measured, lambda: len(machine.ran) >= 65, reports.append)

    assert [len(each.runs) for each in measured] == [20, 45]
    assert len(reports) == 45 // check.ROUNDS_A_LOOK
    assert reports[0].startswith("even 1.000 (1.000 - 1.000); mix ")
    assert reports[-1].startswith("mix ")


def test_both_sides_take_turns_and_neither_is_always_first() -> None:
    """From piece to piece, and for one piece from run to run."""
    ran: list[tuple[int, str]] = []

    def cost(side: int, piece: str) -> float:
        ran.append((side, piece))
        return side + 1.0

    assert check.in_turn(0, ["a", "b"], cost) == ((1.0, 2.0), (1.0, 2.0))
    assert check.in_turn(1, ["a"], cost) == ((1.0, 2.0),)
    assert ran == [(0, "a"), (1, "a"), (1, "b"), (0, "b"), (1, "a"), (0, "a")]


def test_the_table_has_a_line_for_each_workload() -> None:
    """Milliseconds of a run, and no verdict over what is only reported."""
    machine = Machine()
    measured = [
        machine.workload("mix", ((0.5, 0.51), (0.25, 0.255))),
        machine.workload("start-up", ((0.3, 0.6),), judged=False),
    ]
    check.measure(measured, never, lambda _: None)

    assert list(check.table(measured)) == [
        "workload      runs  base ms   new ms   ratio  95 % interval    verdict",
        "mix             20      750      765   1.020  1.020 - 1.020    ok",
        "start-up        20      300      600   2.000  2.000 - 2.000    (not judged)",
    ]


@pytest.mark.parametrize(("ratio", "code", "said"), [(1.02, 0, "ok"), (1.04, 1, "slower")])
def test_a_kind_that_takes_more_instructions_is_slower(
    ratio: float, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the CPU times say: noise does not reach instructions."""
    even = Machine().workload("mix", ((1.0, 1.0),))
    even.runs += [((1.0, 1.0),)] * check.RUNS_LEAST
    monkeypatch.setattr(revisions, "checkout", lambda _: nullcontext(revisions.ROOT))
    monkeypatch.setattr(check, "_measured", lambda *_: [even])
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/valgrind")
    monkeypatch.setattr(instructions, "counted", lambda _: [Counted("transcript delta", 100.0, 100 * ratio)])

    assert check.main(["--base", "HEAD"]) == code
    assert f"verdict: {said}" in capsys.readouterr().out


# Workloads


def test_the_mix_has_a_piece_to_warm_up_and_no_piece_twice(tmp_path: Path) -> None:
    """Each has about as many frames."""
    pieces = check.write_mix(tmp_path)

    contents = [path.read_bytes() for piece in pieces for path in piece]
    assert len(pieces) == len(set(contents)) == check.PIECES + 1
    assert [check.PIECE_FRAMES <= content.count(b"\n") < 2 * check.PIECE_FRAMES for content in contents] == [
        True
    ] * len(contents)


def recording(folder: Path, name: str, lines: int) -> Path:
    path = folder / name
    path.write_bytes(b'{"type":"x","event_id":"event_%b"}\n' % (name.encode() * 8) * lines)
    return path


def test_short_recordings_are_repeated_under_other_identifiers(tmp_path: Path) -> None:
    """Until there are enough pieces of enough frames."""
    sources = [recording(tmp_path, name, 700) for name in ("ab", "cd")]
    folder = tmp_path / "pieces"
    folder.mkdir()

    pieces = check.write_recordings(sources, folder)

    assert len(pieces) == check.PIECES + 1
    assert {sum(path.read_bytes().count(b"\n") for path in piece) for piece in pieces} == {3_500}
    contents = [path.read_bytes() for piece in pieces for path in piece]
    assert len(set(contents)) == len(contents) == 5 * len(pieces)


def test_long_recordings_are_all_measured(tmp_path: Path) -> None:
    """The piece to warm up is one more than it takes."""
    sources = [recording(tmp_path, f"{number:02}", check.PIECE_FRAMES) for number in range(15)]
    folder = tmp_path / "pieces"
    folder.mkdir()

    measured = check.write_recordings(sources, folder)[1:]

    assert sorted(int(path.stem.partition("-")[2]) for piece in measured for path in piece) == list(range(15))


def test_recordings_without_a_frame_are_refused(tmp_path: Path) -> None:
    """There is nothing to measure."""
    with pytest.raises(RevisionError, match="empty"):
        check.write_recordings([recording(tmp_path, "x", 0)], tmp_path)


def test_identifiers_are_renamed_and_nothing_else() -> None:
    """Names of members and of events stay, however long."""
    line = b'{"event":"thread.run.step.delta","run_instructions":1,"step_details":[],"id":"run_0123456789abcdefXYZ"}'

    assert check.renamed(line, 7) == line.replace(b"run_0123", b"run_7R0123")


# Processes


def test_a_piece_that_both_sides_replay_has_two_costs(tmp_path: Path) -> None:
    """For each piece but the first."""
    golden = revisions.golden(revisions.ROOT)[:3]
    sides = check.Sides([revisions.ROOT, revisions.ROOT], tmp_path)

    run = sides.replay([[path] for path in golden], 0)

    assert [(base > 0, new > 0) for base, new in run] == [(True, True)] * 2
    assert not (tmp_path / "output").exists()


def test_a_replay_that_fails_is_an_error(tmp_path: Path) -> None:
    """It costs less than one that works."""
    sides = check.Sides([revisions.ROOT, revisions.ROOT], tmp_path)

    with pytest.raises(RevisionError, match=r"nowhere\.jsonl"):
        sides.replay([[tmp_path / "nowhere.jsonl"]], 0)


def test_a_process_that_fails_is_an_error() -> None:
    """With what it printed."""
    assert check.cpu_seconds([sys.executable, "-c", "pass"], {}) > 0
    with pytest.raises(RevisionError, match="exit code 3: so it ends"):
        check.cpu_seconds([sys.executable, "-c", "import sys; sys.stderr.write('so it ends'); sys.exit(3)"], {})
