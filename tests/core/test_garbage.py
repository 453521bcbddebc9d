"""Conversations leave nothing to the collector: what they held is freed when they end.

The daemon lets the collector look at all objects seldom (`app/garbage.py`), and relies on this.
"""

import gc
import random
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
import pytest

from steno.core.frame import Frame
from steno.limits import Limits
from steno.metrics.sink import Metrics
from steno.pipeline import Pipeline
from steno.simulate import assistants, voice
from steno.simulate.steps import Step
from steno.view.recent import RecentFacts
from tests.core.helpers import BEGIN, Play, cloud_event, created, done, event, run, session, step


def left_to_the_collector(scene: Callable[[], object]) -> int:
    """Play a scene twice, since some things are made at the first time; return what the second one left."""
    kept = [scene()]
    gc.collect()
    gc.disable()
    try:
        kept.append(scene())
        return gc.collect()
    finally:
        gc.enable()


def simulated(pipeline: Pipeline, make: Callable[..., Iterator[Step]], seed: int) -> None:
    """Feed a simulated conversation, on a stream of its own."""
    stream = pipeline.stream_opened(f"relay/{make.__module__}/{seed}", "relay", BEGIN)
    for number, each in enumerate(islice(make(random.Random(seed), BEGIN // 1_000_000), 150)):
        pipeline.feed(stream, Frame(msgspec.json.encode(each.event), BEGIN + number))
    pipeline.stream_closed(stream, BEGIN + 1_000, 1000)


def simulations() -> Pipeline:
    """Several whole conversations, with what the metrics and the page keep of them."""
    recent = RecentFacts(1_000_000, ())
    pipeline = Pipeline(Limits(), [Metrics(100), recent], recent.ended)
    for seed in range(3):
        simulated(pipeline, voice.session, seed)
        simulated(pipeline, assistants.stream, seed)
    pipeline.registry.close_all(BEGIN)
    return pipeline


def endings() -> list[Play]:
    """Conversations that end in every way there is: replaced, mixed, expired, idle, evicted, closed by us."""
    plays = [Play(idle_seconds=100, conversations=number) for number in (1, 2, 100)]
    for play in plays:
        play.say(session("sess_1", expires_at=BEGIN // 1_000_000 + 400), created(), event("error", error={"code": "x"}))
        play.say(session("sess_2"), created("resp_2", conversation_id="conv_2"), done("resp_1"))
        play.say(cloud_event(session("sess_3"), "call-1"), cloud_event(created("resp_3"), "call-1"))
        play.say(cloud_event(session("sess_4"), "call-1"), run("queued"), step("in_progress"))
        play.wait(500_000)
        play.tick()
        play.close(shutdown=True)
        play.pipeline.registry.close_all(play.now)
        play.closed.clear()
    return plays


@pytest.mark.parametrize("scene", [simulations, endings])
def test_conversations_make_no_circles(scene: Callable[[], object]) -> None:
    """However they go, and however they end."""
    assert left_to_the_collector(scene) == 0
