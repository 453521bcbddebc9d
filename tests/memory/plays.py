"""What hostile and careless upstreams send within the limits, and servers that send it.

A play is what one connection sends: messages, made while they are sent, so that the sender holds none of them.
"""

import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

MIB: Final = 1024 * 1024
LONGEST: Final = 16 * MIB
"""The default of `frame_bytes`."""

Play = Iterator[str]


def event(kind: str, number: int, **members: Any) -> str:
    """A Realtime event as it stands in a frame."""
    return json.dumps({"type": kind, "event_id": f"event_{number:08}", **members}, ensure_ascii=False)


def enveloped(subject: str, number: int, data: str) -> str:
    """An event in a CloudEvent."""
    return f'{{"specversion":"1.0","id":"{number}","source":"desk","type":"call","subject":"{subject}","data":{data}}}'


def session(number: int, name: str) -> str:
    """The begin of a session."""
    return event("session.created", number, session={"id": f"sess_{name}", "model": "model-a"})


def item(number: int, text: str) -> str:
    """A message of a caller."""
    content = [{"type": "input_text", "text": text}]
    return event(
        "conversation.item.added",
        number,
        item={"id": f"item_{number}", "type": "message", "role": "user", "content": content},
    )


def done(number: int, padding: int) -> str:
    """A response that ended, whose object has so many further bytes."""
    response = {"id": f"resp_{number}", "status": "completed", "output": [], "note": "x" * padding}
    return event("response.done", number, response=response)


# Plays ----------------------------------------------------------------------------------------------------------


def longest_frames(scale: float, _seed: random.Random) -> Play:
    """Frames as long as they may be, most of them text that takes four bytes a character in memory."""
    yield session(0, "long")
    size = int(LONGEST * scale)
    for number in range(1, 12):
        yield item(number, "\N{GRINNING FACE}" + "x" * (size - 1_000) if number % 2 else "x" * (size - 1_000))


def a_subject_a_frame(scale: float, _seed: random.Random) -> Play:
    """Ever new conversations, each of one event."""
    for number in range(int(160_000 * scale)):
        yield enveloped(f"call-{number:032}", number, session(number, f"{number:032}"))


def long_objects(scale: float, _seed: random.Random) -> Play:
    """Many conversations, whose terminal objects are as long as they may be kept."""
    size = int(250_000 * scale)
    for number in range(4_000):
        yield enveloped(f"call-{number % 50}", number, done(number, size))


def long_transcripts(scale: float, _seed: random.Random) -> Play:
    """Many conversations, whose texts are as long as they may be, in pieces and beyond ASCII."""
    text = "\N{GRINNING FACE}" + "word " * int(10_000 * scale)
    for number in range(6_000):
        yield enveloped(f"call-{number // 20}", number, item(number, text))


def many_deltas(scale: float, _seed: random.Random) -> Play:
    """Responses of many conversations that never end, in small pieces of many parts."""
    for number in range(int(120_000 * scale)):
        ids = {"response_id": "resp_1", "item_id": f"item_{number % 40}", "content_index": number % 25}
        yield enveloped(
            f"call-{number // 1_000}", number, event("response.output_text.delta", number, **ids, delta="a")
        )


def strange_frames(scale: float, _seed: random.Random) -> Play:
    """Members of types that nobody expects, types that nobody knows, and no JSON."""
    yield session(0, "strange")
    for number in range(int(20_000 * scale)):
        yield event("response.output_text.delta", number, response_id="resp_1", item_id="item_1", delta=[number])
        yield event(f"unknown.{number}.{'x' * 200}", number)
        yield f"{{not json {number}"
        yield event("response.created", number, response={"id": f"resp_{number}", "status": [1], "output": {"a": 1}})


def long_ids(scale: float, _seed: random.Random) -> Play:
    """Ids as long as they may be, of everything."""
    tail = "\N{GRINNING FACE}" * 400
    for number in range(int(15_000 * scale)):
        subject = f"call-{number // 100}"
        yield enveloped(
            subject,
            number,
            event("input_audio_buffer.committed", number, item_id=f"{number}{tail}")
            .replace('"event_id":"', f'"event_id":"{tail}')
            .replace('"event_id": "', f'"event_id": "{tail}'),
        )


def threads(scale: float, _seed: random.Random) -> Play:
    """Threads with open runs, steps and messages."""
    for number in range(int(20_000 * scale)):
        ids = {"id": f"msg_{number:024}", "thread_id": f"thread_{number // 40}", "object": "thread.message"}
        yield json.dumps({"event": "thread.message.created", "data": {**ids, "role": "user", "note": "x" * 2_000}})
        ids = {"id": f"step_{number:024}", "thread_id": f"thread_{number // 40}", "object": "thread.run.step"}
        yield json.dumps(
            {"event": "thread.run.step.created", "data": {**ids, "type": "tool_calls", "note": "x" * 4_000}}
        )


PLAYS: Final[dict[str, Callable[[float, random.Random], Play]]] = {
    "longest frames": longest_frames,
    "a subject a frame": a_subject_a_frame,
    "long objects": long_objects,
    "long transcripts": long_transcripts,
    "many deltas": many_deltas,
    "strange frames": strange_frames,
    "long ids": long_ids,
    "threads": threads,
}


def mixed(scale: float, seed: random.Random) -> Play:
    """A few hundred messages of one play after the other, as `seed` draws them."""
    plays = {name: play(scale, seed) for name, play in PLAYS.items() if name != "longest frames"}
    while plays:
        name = seed.choice(sorted(plays))
        said = list(itertools.islice(plays[name], seed.randint(1, 400)))
        if not said or seed.random() < 0.1:
            del plays[name]
        yield from said
        if seed.random() < 0.2:
            yield item(seed.randrange(1_000_000), "x" * seed.randint(1_000, int(LONGEST * scale) - 1_000))
