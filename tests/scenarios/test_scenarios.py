"""Every scenario has its feature, can be repeated, and passes through the pipeline without a loss."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import get_args

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from steno import wire
from steno.core.conversation import Conversation
from steno.core.export import conversation_line
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.core.vocabulary import is_session_expiry
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.simulate.server import Provider, parts, provider
from steno.simulate.steps import Cut, RawStep, Step
from steno.sources.recording import Close, parse
from steno.wire.base import MalformedReason
from tests import recordings
from tests.scenarios.catalogue import SCENARIOS, find
from tests.scenarios.features import FEATURES
from tests.vocabulary import decode

STARTED_AT = 1_790_000_000
FLOODS = {"many_unknown_types"}
EXPIRY = "Your session hit the maximum duration of 60 minutes."

every_scenario = pytest.mark.parametrize("name", SCENARIOS)


def steps(name: str, seed: int = 1) -> list[Step]:
    return list(SCENARIOS[name].make(Random(seed), STARTED_AT))


def payloads(name: str, seed: int = 1) -> list[bytes]:
    return [step.payload() for step in steps(name, seed) if not isinstance(step, Cut)]


# The scenarios.


def test_every_scenario_has_a_feature() -> None:
    assert set(FEATURES) == set(SCENARIOS)


@every_scenario
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_scenario_has_its_feature(name: str, seed: int) -> None:
    assert FEATURES[name]([step.event for step in steps(name, seed) if not isinstance(step, Cut)])


@every_scenario
def test_a_scenario_is_described_in_one_sentence(name: str) -> None:
    about = SCENARIOS[name].about

    assert SCENARIOS[name].name == name
    assert about.endswith(".")
    assert 20 < len(about) < 120
    assert ". " not in about
    assert "\n" not in about


@every_scenario
def test_a_scenario_is_a_function_of_its_seed_and_its_start(name: str) -> None:
    assert steps(name) == steps(name)
    assert [step.after_seconds for step in SCENARIOS[name].make(Random(1), STARTED_AT + 100)] == [
        step.after_seconds for step in steps(name)
    ]


def test_most_scenarios_differ_from_seed_to_seed() -> None:
    fixed = {name for name in SCENARIOS if payloads(name, 1) == payloads(name, 2)}

    assert fixed == {"beta_refused", "identifiers_of_wrong_types", "malformed_frames", "refused_chain"}


@every_scenario
def test_a_scenario_is_short_and_takes_time(name: str) -> None:
    assert 1 <= len(steps(name)) <= 40 or name in FLOODS
    assert all(step.after_seconds >= 0 for step in steps(name))
    assert sum(step.after_seconds for step in steps(name)) > 0


def test_malformed_frames_have_every_reason_once() -> None:
    decoded = [decode(payload) for payload in payloads("malformed_frames")]

    assert [each.reason for each in decoded if isinstance(each, wire.Malformed)] == list(get_args(MalformedReason))


def test_how_scenarios_end() -> None:
    assert {
        name: scenario.close for name, scenario in SCENARIOS.items() if scenario.close not in (None, (1000, ""))
    } == {
        "session_cap": (1001, EXPIRY),
        "session_cap_without_error": (1001, EXPIRY),
        "broken_off": (None, ""),
        "beta_refused": (4000, "invalid_request_error.beta_api_shape_disabled"),
        "connection_cap": (1001, ""),
        "broken_off_in_a_call": (None, ""),
        "live_cut_off": (None, ""),
    }


def test_a_scenario_is_split_into_its_connections() -> None:
    one, other = Step(0.1, {"n": 1}), RawStep(0.2, {}, b"\xff")

    assert parts([one, Cut(0.0, {}), other, one]) == [[one], [other, one]]
    assert {name for name in SCENARIOS if len(parts(steps(name))) == 2} == {
        "resumed_conversation",
        "step_across_streams",
    }


# In the pipeline.


class Played:
    """A scenario that went through a pipeline: the counts, and every conversation."""

    def __init__(self, name: str, seed: int = 1) -> None:
        self.closed: list[Conversation] = []
        self.pipeline = Pipeline(Limits(), [], self.closed.append)
        self.frames = 0
        stream: Stream | None = None
        for line in recordings.scenario_lines(name, seed):
            stream = stream or self.pipeline.stream_opened(f"replay/{name}/{self.frames}", "replay", line.at)
            if isinstance(line, Frame):
                self.frames += 1
                self.pipeline.feed(stream, line)
            else:
                self.pipeline.stream_closed(stream, line.at, line.code, expired=is_session_expiry(line.reason))
                stream = None

    @property
    def conversations(self) -> list[Conversation]:
        return [*self.closed, *self.pipeline.registry.conversations.values()]

    @property
    def counted(self) -> int:
        """Frames that were counted, as events or as rejected."""
        source = self.pipeline.source("replay")
        events, others = self.pipeline.events.values(), self.pipeline.others.values()
        return sum((*events, *others, *source.frames_rejected.values(), getattr(source, "duplicates", 0)))


@every_scenario
def test_a_scenario_decodes(name: str) -> None:
    assert all(isinstance(decode(payload), get_args(wire.Decoded)) for payload in payloads(name))


@every_scenario
@pytest.mark.parametrize("seed", [1, 2])
def test_every_frame_of_a_scenario_is_counted_once(name: str, seed: int) -> None:
    played = Played(name, seed)

    assert played.counted == played.frames > 0
    for state in played.conversations:
        totals = json.loads(conversation_line(state))["totals"]
        assert all(bucket["tokens"] >= 0 for bucket in totals["tokens"])
        assert all(float(each["seconds"]) >= 0 for each in totals["seconds"])
        assert all(count >= 0 for count in (*totals["responses"].values(), *totals["runs"].values()))


@every_scenario
def test_no_secret_of_a_scenario_is_shown(name: str) -> None:
    shown = b"".join(conversation_line(state) for state in Played(name).conversations) + recordings.scenario(name)

    assert b"ek_simulated" not in shown


@every_scenario
def test_a_scenario_is_a_recording(name: str) -> None:
    lines = [parse(line) for line in recordings.scenario(name).splitlines()]
    frames = [line.payload for line in lines if isinstance(line, Frame)]

    assert recordings.scenario(name) == recordings.scenario(name)
    assert all(line.at is not None for line in lines)
    assert [wire.mask(payload) for payload in frames] == frames
    assert len(frames) == Played(name).frames
    if close := SCENARIOS[name].close:
        assert lines[-1] == Close(lines[-1].at, *close)


# Over a real websocket.


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def fast() -> AsyncIterator[Provider]:
    async with provider(seed=1, speed=0.0, now=lambda: STARTED_AT, find=find) as simulated:
        yield simulated


async def hear(url: str) -> tuple[list[bytes], int | None, str | None]:
    """Return the frames of a connection, its close code and its reason."""
    frames: list[bytes] = []
    async with connect(url) as connection:
        try:
            while True:
                frames.append(await connection.recv(decode=False))
        except ConnectionClosed:
            return frames, connection.close_code, connection.close_reason


@pytest.mark.anyio
async def test_a_session_cap_closes_with_1001_and_its_reason() -> None:
    async with fast() as simulated:
        frames, code, reason = await hear(simulated.url("/v1/scenarios?name=session_cap"))

    expected = SCENARIOS["session_cap"].make(Random("1//v1/scenarios?name=session_cap/1"), STARTED_AT)
    assert frames == [step.payload() for step in expected]
    assert (code, reason) == (1001, EXPIRY)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "code"), [("beta_refused", 4000), ("broken_off", 1006), ("malformed_frames", 1000), ("azure", 1000)]
)
async def test_a_connection_ends_as_its_scenario_says(name: str, code: int) -> None:
    async with fast() as simulated:
        frames, closed_with, _ = await hear(simulated.url(f"/v1/scenarios?name={name}"))

    assert closed_with == code
    assert len(frames) == len(payloads(name))


@pytest.mark.anyio
async def test_a_scenario_of_two_connections_continues_on_the_second() -> None:
    target = "/v1/scenarios?name=step_across_streams"
    async with fast() as simulated:
        heard = [await hear(simulated.url(target)) for _ in range(3)]

    expected = parts(SCENARIOS["step_across_streams"].make(Random(f"1/{target}/1"), STARTED_AT))
    assert [frames for frames, _, _ in heard[:2]] == [[step.payload() for step in part] for part in expected]
    assert msgspec.json.decode(heard[2][0][0])["event"] == "thread.run.created"
    assert heard[2][0] != heard[0][0]


@pytest.mark.anyio
@pytest.mark.parametrize("query", ["", "?name=", "?name=none", "?name=azure&name=dtmf", "?other=azure"])
async def test_an_unknown_scenario_is_not_found(query: str) -> None:
    async with fast() as simulated:
        with pytest.raises(InvalidStatus) as refused:
            await hear(simulated.url(f"/v1/scenarios{query}"))

    assert refused.value.response.status_code == 404
