# ruff: noqa: INP001  # a module of scripts, in no package
"""Frames that make as much work as their length allows, by kind: what a hostile upstream may send within the limits.

Each function returns one frame of about `size` bytes, and never more. `benchmarks/work.py` measures them; the tests
count what they make steno do.
"""

from collections.abc import Callable, Mapping
from typing import Final

Maker = Callable[[int], bytes]


def _filled(start: bytes, unit: bytes, end: bytes, size: int) -> bytes:
    """Return `start`, as many `unit`s as there is room for, and `end`."""
    return start + unit * max(0, (size - len(start) - len(end)) // len(unit)) + end


def _numbered(start: bytes, unit: bytes, end: bytes, size: int) -> bytes:
    """Return the same with each unit numbered in seven digits where it says `%07d`."""
    count = (size - len(start) - len(end)) // len(unit % 0)
    return start + b"".join(unit % number for number in range(count)) + end


def _list(start: bytes, element: bytes, end: bytes) -> Maker:
    """Return what fills a list with copies of one element."""
    return lambda size: _filled(start, element + b",", element + end, size)


def _numbers(start: bytes, element: bytes, end: bytes) -> Maker:
    """Return what fills a list with elements that are numbered."""
    return lambda size: _numbered(start, element + b",", (element % 9_999_999) + end, size)


_RESPONSE: Final = b'{"type":"response.done","response":{"id":"resp_h","status":"failed","output":['
_ITEM: Final = b'{"type":"conversation.item.done","item":{"id":"item_h","type":"message","content":['
_STEP: Final = (
    b'{"event":"thread.run.step.completed","data":{"id":"step_h","thread_id":"thread_h","status":"completed",'
    b'"step_details":{"type":"tool_calls","tool_calls":['
)
_STEP_DELTA: Final = (
    b'{"event":"thread.run.step.delta","data":{"id":"step_open","delta":{"step_details":{"tool_calls":['
)
_ACTION: Final = (
    b'{"event":"thread.run.requires_action","data":{"id":"run_h","thread_id":"thread_h","status":"requires_action",'
    b'"required_action":{"submit_tool_outputs":{"tool_calls":['
)
_MESSAGE: Final = (
    b'{"event":"thread.message.completed","data":{"id":"msg_h","thread_id":"thread_h","role":"assistant",'
    b'"status":"completed","content":['
)
_MESSAGE_DELTA: Final = b'{"event":"thread.message.delta","data":{"id":"msg_open","delta":{"content":['
_DELTA: Final = (
    b'{"type":"response.output_text.delta","response_id":"resp_open","item_id":"item_open","content_index":0,"delta":"'
)
_ENDED: Final = (
    b'{"type":"response.completed","sequence_number":9,"response":{"id":"resp_h","object":"response",'
    b'"status":"incomplete","output":['
)
REQUEST: Final = b'{"type":"response.create","model":"m","input":['
"""How a frame begins that its client says."""
_CHATKIT: Final = (
    b'{"object":"chatkit.session","id":"cksess_h","status":"active","workflow":{"id":"wf_h","state_variables":{'
)

_WORDS: Final = b'{"type":"session.output_transcript.delta","start_ms":0,"end_ms":200,"delta":"'
_BACKEND_ITEM: Final = (
    b'{"type":"response.event","event":{"type":"response.output_item.done","item":{"id":"msg_h","type":"message",'
    b'"content":['
)
_DECISION: Final = b'{"type":"decision.event","event":{"type":"decision.completed","decision":{"answers":['

STRUCTURES: Final[Mapping[str, Maker]] = {
    "lists": _list(b"[", b"[]", b"]"),
    "numbers": _list(b"[", b"1", b"]"),
    "strings": _list(b"[", b'""', b"]"),
    "objects": _list(b'{"type":"x","a":[', b"{}", b"]}"),
    "members": lambda size: _filled(b'{"type":"x",', b'"a":1,', b'"a":1}', size),
    "long numbers": _list(b'{"type":"error","error":7,"a":[', b"1e999", b"]}"),
    "a number without end": lambda size: _filled(b'{"type":"error","error":7,"a":', b"9", b"}", size),
    "unclosed brackets": lambda size: _filled(b"[" * 300, b"]", b"", size),
    "open brackets": lambda size: _filled(b'{"a":', b"[", b"", size),
    "strings that nothing separates": lambda size: _filled(b'{"a":', b'""', b"}", size),
    "deep lists": lambda size: _filled(b'{"type":"x","a":[', b"[" * 150 + b"]" * 150 + b",", b"1]}", size),
}
"""What is no event, or holds much that nobody reads."""

TEXTS: Final[Mapping[str, Maker]] = {
    "a text": lambda size: _filled(_DELTA, b"a", b'"}', size),
    "a text of commas": lambda size: _filled(_DELTA, b",", b'"}', size),
    "a text of quotes": lambda size: _filled(_DELTA, b'\\"', b'"}', size),
    "a text of quotes and commas": lambda size: _filled(_DELTA, b'\\",', b'"}', size),
    "a text of backslashes": lambda size: _filled(_DELTA, b"\\\\", b'"}', size),
    "a text of line breaks": lambda size: _filled(_DELTA, b"\\n,", b'"}', size),
    "a text beyond ASCII": lambda size: _filled(_DELTA, "é".encode(), b'"}', size),
    "a text of emoji": lambda size: _filled(_DELTA, "\U0001f600".encode(), b'"}', size),
    "a text of escaped emoji": lambda size: _filled(_DELTA, b"\\ud83d\\ude00", b'"}', size),
    "half an emoji": lambda size: _filled(_DELTA, b"\\ud83d\\ude00", b'\\ud83d"}', size),
    "half emoji": lambda size: _filled(_DELTA, b"\\ud83d", b'"}', size),
    "half an emoji in line breaks": lambda size: _filled(_DELTA, b"\\n", b'\\ud83d"}', size),
    "half an emoji in backslashes": lambda size: _filled(_DELTA, b"\\\\", b'\\ud83d"}', size),
    "not UTF-8": lambda size: _filled(_DELTA, "é".encode(), b'\xff"}', size),
    "an identifier": lambda size: _filled(b'{"type":"input_audio_buffer.cleared","event_id":"', b"a", b'"}', size),
    "a type": lambda size: _filled(b'{"type":"', b"a", b'"}', size),
    "a type shaped like keys": lambda size: _filled(b'{"type":"', b"sk-aaaaaaaa ", b'"}', size),
    "words of a live session": lambda size: _filled(_WORDS, b"a", b'"}', size),
    "audio": lambda size: _filled(_DELTA.replace(b"text", b"audio"), b"AAAA", b'"}', size),
    "a text that drifted": lambda size: _filled(_DELTA[:-9] + b'"delta":7,"text":"', b",", b'"}', size),
    "an error": lambda size: _filled(b'{"type":"error","error":{"code":"', b"a", b'"}}', size),
    "a model": lambda size: _filled(b'{"type":"session.created","session":{"id":"s","model":"', b"a", b'"}}', size),
    "instructions shaped like keys": lambda size: _filled(
        b'{"type":"session.created","session":{"id":"sess_h","instructions":"', b"sk-aaaaaaaa ", b'"}}', size
    ),
    "arguments": lambda size: _filled(
        b'{"type":"response.function_call_arguments.done","response_id":"resp_open","item_id":"i_call",'
        b'"call_id":"c","arguments":"[',
        b"[],",
        b'1]"}',
        size,
    ),
}
"""One long string."""

LISTS: Final[Mapping[str, Maker]] = {
    "items": _list(_RESPONSE, b"{}", b"]}}"),
    "items that drifted": _list(_RESPONSE, b"1", b"]}}"),
    "items with members that drifted": _list(_RESPONSE, b'{"id":"i","name":1,"role":2}', b"]}}"),
    "item ids": _numbers(_RESPONSE, b'{"id":"i%07d"}', b"]}}"),
    "mcp calls": _numbers(_RESPONSE, b'{"id":"i%07d","type":"mcp_call"}', b"]}}"),
    "mcp calls that ended": _numbers(_RESPONSE, b'{"id":"i%07d","type":"mcp_call","output":""}', b"]}}"),
    "function calls": _numbers(_RESPONSE, b'{"call_id":"c%07d","id":"i","type":"function_call"}', b"]}}"),
    "messages": _numbers(_RESPONSE, b'{"id":"i%07d","content":[{"text":"a"}]}', b"]}}"),
    "content parts": _list(_ITEM, b'{"text":"a"}', b"]}}"),
    "empty content parts": _list(_ITEM, b"{}", b"]}}"),
    "content parts that drifted": _list(_ITEM, b'{"text":1}', b"]}}"),
    "rate limits": _list(b'{"type":"rate_limits.updated","rate_limits":[', b"{}", b"]}"),
    "tools": _list(b'{"type":"session.created","session":{"id":"sess_h","tools":[', b"{}", b"]}}"),
    "tools that drifted": _list(b'{"type":"session.created","session":{"id":"sess_h","tools":[', b'{"name":1}', b"]}}"),
    "metadata": _numbers(b'{"type":"response.done","response":{"id":"resp_h","metadata":{', b'"%07d":""', b"}}}"),
    "metadata that drifted": _numbers(
        b'{"type":"response.done","response":{"id":"resp_h","metadata":{', b'"%07d":1', b"}}}"
    ),
    "step calls": _numbers(_STEP, b'{"id":"c%07d","type":"function"}', b"]}}}"),
    "step calls without ids": _list(_STEP, b'{"function":{"arguments":"a"}}', b"]}}}"),
    "pieces of step calls": _numbers(_STEP_DELTA, b'{"index":0,"id":"c%07d","type":"function"}', b"]}}}}"),
    "required calls": _numbers(_ACTION, b'{"id":"c%07d","type":"function"}', b"]}}}}"),
    "parts of a message": _list(_MESSAGE, b'{"text":{"value":"a"}}', b"]}}"),
    "parts of a message that drifted": _list(_MESSAGE, b'{"text":1}', b"]}}"),
    "pieces of a message": _list(_MESSAGE_DELTA, b'{"index":0,"text":{"value":"a"}}', b"]}}}"),
    "tools of a run": _list(
        b'{"event":"thread.run.created","data":{"id":"run_h","thread_id":"thread_h","tools":[', b"{}", b"]}}"
    ),
    "state variables": _numbers(_CHATKIT, b'"%07d":1', b"}}}"),
    "parts of a backend's item": _list(_BACKEND_ITEM, b'{"text":"a"}', b"]}}}"),
    "parts of a backend's item that drifted": _list(_BACKEND_ITEM, b'{"text":1}', b"]}}}"),
    "answers of a decision": _list(_DECISION, b'{"type":"refusal"}', b"]}}}"),
    "items of a numbered response": _list(_ENDED, b"{}", b"]}}"),
    "items of a numbered response that drifted": _list(
        _ENDED, b'{"id":"i","name":1,"role":2,"content":[{"text":1}]}', b"]}}"
    ),
    "calls that upstream ran": _numbers(
        _ENDED, b'{"id":"i%07d","type":"web_search_call","action":{"type":"x"}}', b"]}}"
    ),
    "calls that wait": _numbers(_ENDED, b'{"id":"i%07d","type":"function_call","arguments":"{}"}', b"]}}"),
    "outputs of calls": _numbers(_ENDED, b'{"call_id":"c%07d","type":"function_call_output","output":""}', b"]}}"),
    "refusals": _numbers(_ENDED, b'{"id":"i%07d","type":"message","content":[{"refusal":"n"}]}', b"]}}"),
    "parts of reasoning": _list(_ENDED + b'{"id":"i","type":"reasoning","summary":[', b'{"text":"a"}', b"]}]}}"),
    "declared tools": _list(_ENDED + b'],"tools":[', b'{"type":"web_search_preview"}', b"]}}"),
    "the input of a request": _numbers(REQUEST, b'{"call_id":"c%07d","type":"function_call_output"}', b"]}"),
    "the input of a request that drifted": _list(REQUEST, b"1", b"]}"),
    "messages in a request": _list(REQUEST, b'{"role":"user","content":[{"text":"a"},{"text":"b"}]}', b"]}"),
    "a message in a request": _list(REQUEST + b'{"role":"user","content":[', b'{"text":"a"}', b"]}]}"),
    "required input": _list(b'{"type":"response.steer.pending","steer":{"id":"s"},"required_input":[', b"{}", b"]}"),
    "data that nobody reads": _list(b'{"event":"done","data":[', b"{}", b"]}"),
}
"""Known members that hold much."""


def _enveloped(make: Maker) -> Maker:
    start = b'{"specversion":"1.0","id":"1","source":"s","subject":"hostile","data":'
    return lambda size: start + make(size - len(start) - 1) + b"}"


KINDS: Final[Mapping[str, Maker]] = {
    **STRUCTURES,
    **TEXTS,
    **LISTS,
    "mcp calls in an envelope": _enveloped(LISTS["mcp calls"]),
    "a text of commas in an envelope": _enveloped(TEXTS["a text of commas"]),
    "half emoji in an envelope": _enveloped(TEXTS["half emoji"]),
}
"""Every kind, by its name."""

_CALL: Final = b'"item":{"id":"i_call","call_id":"c","type":"function_call"}}'
OPENING: Final = (
    b'{"type":"session.created","session":{"id":"sess_open"}}',
    b'{"type":"response.created","response":{"id":"resp_open","status":"in_progress"}}',
    b'{"type":"response.output_item.added","response_id":"resp_open",%b' % _CALL,
    b'{"event":"thread.run.created","data":{"id":"run_open","thread_id":"thread_h","status":"queued"}}',
    b'{"event":"thread.run.step.created","data":{"id":"step_open","thread_id":"thread_h","status":"in_progress"}}',
    b'{"event":"thread.message.created","data":{"id":"msg_open","thread_id":"thread_h","status":"in_progress"}}',
)
"""What is open before a hostile frame comes, so that deltas find what they grow."""
