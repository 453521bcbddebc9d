# ruff: noqa: INP001  # a script of the house, in no package
"""Writes docs/facts.md: each fact with its members, and one that simulated conversations really led to.

What a member is stands in its docstring, or else in `MEMBERS`. The same code gives the same page.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Final, get_args, get_origin

import msgspec
from msgspec import Struct, UnsetType

from steno.app.price_list import load_prices
from steno.audit import content_policy
from steno.core import facts
from steno.core.facts import NAMES, Content, Fact, Origin
from steno.core.frame import Frame
from steno.core.stream import Stream
from steno.core.vocabulary import is_session_expiry
from steno.limits import Limits
from steno.pipeline import Pipeline
from steno.sources.recording import Missed, parse
from steno.timestamps import Micros
from tests.recordings import recording, scenario
from tests.scenarios import catalogue
from tools.struct_members import docstrings_of, meaning

PAGE: Final = Path(__file__).parent.parent / "docs/facts.md"
SOURCE: Final = "replay"

MEMBERS: Final = {
    "action_seconds": "How long it waited for its tools.",
    "active_seconds": "How long it was active.",
    "answers": "How many answers it has.",
    "approved": "Whether it was.",
    "arguments": "What the tool was called with.",
    "assistant_id": "The assistant.",
    "audio_end_ms": "Where it ends in the session's audio.",
    "audio_seconds": "Length of the speech that was seen.",
    "audio_start_ms": "Where it begins in the session's audio.",
    "bytes": "Length of the frame.",
    "cached": "Whether upstream had it cached.",
    "call_id": "The call.",
    "calls": "How many calls it waits for.",
    "code": "Upstream's code for what went wrong.",
    "completion_tokens": "Tokens written.",
    "conversation_id": "Upstream's own id of the conversation; null where the response is out of band.",
    "cost": "What that costs.",
    "cost_usd": "Sum of what has a price, in USD.",
    "delegation_id": "The delegation.",
    "direction": "input or output.",
    "duration_seconds": "How long it took.",
    "effect": "What it means for what comes after.",
    "end_ms": "Where it ends, on upstream's clock.",
    "event": "Upstream's name of the event.",
    "events": "How many events it had.",
    "expires_at": "When it ends, in Unix seconds.",
    "family": "realtime, assistants, chatkit, responses or live.",
    "frames": "How many frames it carried.",
    "item_id": "The item.",
    "items": "How many items it made.",
    "kind": "Which kind.",
    "limit": "The whole of it.",
    "lines": "What it adds up from.",
    "members": "Which members differed.",
    "message": "What upstream said of it.",
    "message_id": "The message.",
    "missing": "How many.",
    "modality": "text, audio, image or unknown.",
    "model": "The model.",
    "name": "Which tool.",
    "offset_ms": "Where, on upstream's clock.",
    "output": "What came of it.",
    "paused_seconds": "How long it was paused.",
    "per": "What the rate is for: token, second, minute or call.",
    "previous_response_id": "The response before it.",
    "prompt_tokens": "Tokens read.",
    "quantity": "How many of them; time in seconds, whatever its rate is for.",
    "reason": "Why.",
    "remaining": "What is left of it.",
    "request_id": "The request that is answered.",
    "reset_seconds": "When it is whole again.",
    "response_id": "The response.",
    "responses": "How many responses ended in it.",
    "ringing_seconds": "How long it rang.",
    "role": "Whose it is.",
    "run_id": "The run.",
    "runs": "How many runs ended in it.",
    "seconds": "Length of what was transcribed, where that is what is billed.",
    "seconds_left": "How many.",
    "session_id": "The session.",
    "source": "The source, by its name in the configuration.",
    "start_ms": "Where it begins, on upstream's clock.",
    "status": "How it ended.",
    "steer_id": "The input.",
    "step_id": "The step.",
    "table_version": "Which price list it was priced by.",
    "target": "Who does it.",
    "text": "What it says.",
    "thread_id": "The thread.",
    "time_to_first_audio_seconds": "From its beginning to its first audio.",
    "time_to_first_token_seconds": "From its beginning to its first word or argument.",
    "tokens": "Tokens used, each in one bucket.",
    "transcript": "What was said.",
    "trigger_id": "What triggered it, where nothing was delegated.",
    "turn_latency_seconds": "From the end of the user's speech to the answer.",
    "unpriced": "What has no price, by reason.",
    "usages": "How many.",
    "ItemTruncated.audio_end_ms": "How much of it was heard.",
    "SessionFinished.seconds": "How long it lasted, where that is what is billed.",
    "SessionMetered.seconds": "How long it has lasted so far.",
    "SessionNearsEnd.seconds_left": "300 or 60.",
    "StreamClosed.code": "The websocket close code; null when the connection broke off.",
    "ContextResent.tokens": "How many that are.",
    "Tokens.tokens": "How many.",
    "ToolCallFinished.name": "Which tool; null where upstream names none.",
    "Unpriced.reason": "Why they have none, as in `Cost`.",
}
"""What a member is: by its name, or by its Struct and its name where that is more exact."""

TYPES: Final[dict[Any, str]] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
PARTS: Final[tuple[type[Struct], ...]] = (
    facts.Tokens,
    facts.CacheWrite,
    facts.Cost,
    facts.CostLine,
    facts.Unpriced,
)

INTRODUCTION: Final = """\
# Facts

What steno says has happened. Each fact is a record of the audit log ([audit.md](audit.md) has the rest of the record),
named as here, with the members below as its `body`, in their order. Null is what is not known: durations where the
input has no times, ids that upstream left out. The examples are from simulated conversations.

A record has a longest length, `audit.record_bytes`. Where it would be longer, texts are cut first, then lists and
strings; how long each list or string was stands in one more member of `body`, `cut`.

This page is written by `make docs`.
"""

WORDS: Final = """\
### `Content`

Words of people or models, as the content policy has them. Members that do not apply are absent: under `none` there are
`kind` and `length`, and `digest` where a key for it is configured.
"""


class Examples:
    """A sink that keeps of each fact the one that tells most, the first of equals."""

    def __init__(self) -> None:
        """Know of none."""
        self.best: dict[type[Fact], tuple[int, bytes]] = {}
        self._bodies = content_policy.BodyEncoder(content_policy.NONE)

    def emit(self, _origin: Origin, fact: Fact) -> None:
        """Keep `fact` if it tells more than what was seen of its kind."""
        told = sum(1 for name in fact.__struct_fields__ if getattr(fact, name) not in (None, ()))
        if told > self.best.get(type(fact), (-1, b""))[0]:
            self.best[type(fact)] = (told, self._bodies.body(fact))


def examples() -> dict[type[Fact], bytes]:
    """Replay what the project simulates, the plain stories first, and return the body of a fact of each kind."""
    sink = Examples()
    for kind in ("voice", "assistants"):
        for seed in (1, 2, 3):
            _replay(f"{SOURCE}/{kind}-{seed}", recording(kind, seed), sink)
    for name in catalogue.SCENARIOS:
        _replay(f"{SOURCE}/{name}", scenario(name), sink)
    return {kind: example for kind, (_, example) in sink.best.items()}


def _replay(name: str, lines: bytes, sink: Examples) -> None:
    pipeline = Pipeline(Limits(), [sink], prices=load_prices(None))
    stream: Stream | None = None
    at: Micros | None = None
    for line in lines.splitlines():
        told = parse(line)
        at = told.at
        stream = stream or pipeline.stream_opened(name, SOURCE, at)
        if isinstance(told, Frame):
            pipeline.feed(stream, told)
        elif isinstance(told, Missed):
            pipeline.missed(stream, at, told.frames, told.reason)
        else:
            pipeline.stream_closed(stream, at, told.code, expired=is_session_expiry(told.reason))
            stream = None
    if stream is not None:
        pipeline.stream_closed(stream, at, 1000)
    pipeline.registry.close_all(at)


# The page -------------------------------------------------------------------------------------------------


def page() -> str:
    """Return all of docs/facts.md."""
    defined = {node.name: node for module in (facts.base, *facts.SUBJECTS) for node in _classes(module)}
    found = examples()
    blocks = [INTRODUCTION]
    section = ""
    for kind in NAMES:
        heading = _section(inspect.getsource(sys.modules[kind.__module__]), defined[kind.__name__].lineno)
        if heading != section:
            section = heading
            blocks.append(f"## {section}\n")
        blocks.append(f"### `{NAMES[kind]}`\n\n{meaning(kind)}\n")
        blocks.append(_table(kind, [defined[each.__name__] for each in kind.__mro__ if each.__name__ in defined]))
        if kind in found:
            blocks.append(f"```json\n{_shown(found[kind])}\n```\n")
    blocks.append("## What members are made of\n")
    blocks.append(WORDS)
    blocks.append(
        _table(content_policy.ContentField, [each for each in _classes(content_policy) if each.name == "ContentField"])
    )
    for part in PARTS:
        blocks += [f"### `{part.__name__}`\n\n{meaning(part)}\n", _table(part, [defined[part.__name__]])]
    return "\n".join(block for block in blocks if block)


def _classes(module: ModuleType) -> Iterator[ast.ClassDef]:
    """Yield the classes that are defined in a module."""
    return (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef))


def _section(source: str, line: int) -> str:
    """Return the heading above a line of `source`."""
    before = source.splitlines()[:line]
    return next(each.strip("# -") for each in reversed(before) if each.startswith("# ") and each.endswith("---"))


def _table(kind: type[Struct], defined: list[ast.ClassDef]) -> str:
    """Return the members of `kind`; `defined` is its definition, and those of its bases that have docstrings."""
    own = {name: said for each in reversed(defined) for name, said in docstrings_of(each)}
    rows = [
        f"| `{field.name}` | {_type(field.type)} | {own.get(field.name) or _word(kind, field.name)} |"
        for field in msgspec.structs.fields(kind)
    ]
    return "\n".join(["| member | type | what it is |", "| --- | --- | --- |", *rows, ""]) if rows else ""


def _word(kind: type[Struct], name: str) -> str:
    said = MEMBERS.get(f"{kind.__name__}.{name}") or MEMBERS.get(name)
    if said is None:
        raise LookupError(f"say what {kind.__name__}.{name} is: in a docstring under it, or in MEMBERS of {__file__}")
    return said


def _type(annotation: Any) -> str:
    """Return what a member is, in words."""
    if get_origin(annotation) is UnionType:
        kinds = [_type(each) for each in get_args(annotation) if each not in (NoneType, UnsetType)]
        return " or ".join([*kinds, "null"] if NoneType in get_args(annotation) else kinds)
    if get_origin(annotation) is dict:
        return f"{_type(get_args(annotation)[1])} by name"
    if get_origin(annotation) is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Struct | Content):
        return f"`{annotation.__name__}`"
    return TYPES[annotation]


def _shown(example: bytes) -> str:
    """Return a body with a line a member, and a line an element of its lists."""
    members: dict[str, Any] = msgspec.json.decode(example)
    lines = [f"  {_compact(name)}: {_value(value, '  ')}" for name, value in members.items()]
    return "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"


def _value(value: Any, indent: str) -> str:
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        inner = indent + "  "
        return "[\n" + ",\n".join(inner + _compact(each) for each in value) + f"\n{indent}]"
    if isinstance(value, dict) and any(isinstance(each, list) for each in value.values()):
        inner = indent + "  "
        lines = [f"{inner}{_compact(name)}: {_value(each, inner)}" for name, each in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return _compact(value)


def _compact(value: Any) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    PAGE.write_text(page())
