"""A response from its first event to its last: what it does, how it ends, and its usage."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from steno.simulate.interactive.items import Entry
from steno.simulate.interactive.state import base_tokens
from steno.simulate.responses.hosted import call_server, list_tools, run
from steno.simulate.responses.moves import Custom, Fail, Function, Hosted, Move, Refuse, Remote, Say
from steno.simulate.responses.objects import (
    CACHE_BLOCK_TOKENS,
    CACHE_TOKENS_MIN,
    Object,
    ResponseIds,
    response_object,
    tool_usage,
    usage,
)
from steno.simulate.responses.request import Asked, entry_of
from steno.simulate.responses.store import Kept
from steno.simulate.responses.writing import (
    Draft,
    OutOfTokensError,
    call_custom,
    call_function,
    reason,
    refuse,
    write,
)
from steno.simulate.tasks import CancelledError, Task

Plan = Callable[[Random, Asked, Sequence[Entry]], list[Move]]
"""Says what the model does with what it has read."""

STEERED: Final = "steered"
"""Why a response is cut short whose client has had second thoughts."""
_FIRST_SECONDS: Final = (0.35, 0.9)
_WARM_SECONDS: Final = 0.06
_WRITES_TO_CACHE: Final = "gpt-5.6"  # models that report what they write to the cache begin so
_CLIENTS_TURN: Final = ("function_call", "custom_tool_call", "mcp_approval_request", "local_shell_call", "shell_call")


def waits_for_client(response: Object) -> bool:
    """Return whether a response has ended for its client to run a tool, or to allow one."""
    return any(each["type"] in _CLIENTS_TURN for each in response["output"])


class Answering:
    """One response: what it reads, and the task that writes it."""

    def __init__(
        self,
        rng: Random,
        asked: Asked,
        before: Kept | None,
        second: Callable[[], int],
        send: Callable[[Object], None],
    ) -> None:
        """Continue the response `before`."""
        self._before = before
        self._offered = before.offered if before else frozenset()
        ids = before.ids if before else ResponseIds(rng)
        shown = asked.shown | ({"conversation": {"id": asked.conversation_id}} if asked.conversation_id else {})
        made = response_object(ids.new("resp", second()), second(), shown)
        self.draft = Draft(asked, made, ids, rng, second, send)
        self.read = [*(before.read if before else []), *asked.read]

    def task(self, plan: Plan, end: Callable[[], None]) -> Task:
        """Write the response, and call `end` after its last event."""
        draft = self.draft
        draft.emit_whole("response.created")
        draft.emit_whole("response.in_progress")
        if draft.asked.generates:
            yield from self._generate(plan(draft.rng, draft.asked, self.read))
        else:  # a warm-up: the model does not run
            yield _WARM_SECONDS
            self._finish("completed", usage(0, 0, 0, 0, 0, None))
        end()

    def _generate(self, moves: list[Move]) -> Task:
        draft = self.draft
        ending = moves[-1]
        try:
            yield draft.rng.uniform(*_FIRST_SECONDS)
            if draft.asked.reasons:
                yield from reason(draft)
            for move in moves:
                yield from self._make(move)
        except OutOfTokensError:
            self._finish("incomplete", self._usage(), incomplete_details={"reason": "max_output_tokens"})
        except CancelledError as cancelled:
            self._finish("incomplete", self._usage(), incomplete_details={"reason": cancelled.args[0]})
        else:
            if isinstance(ending, Fail):
                self._fail(ending)
            else:
                self._finish("completed", self._usage())

    def _make(self, move: Move) -> Iterator[float]:
        draft = self.draft
        match move:
            case Say(text):
                yield from write(draft, text)
            case Refuse(text):
                yield from refuse(draft, text)
            case Function():
                yield from call_function(draft, move)
            case Custom():
                yield from call_custom(draft, move)
            case Hosted():
                yield from run(draft, move)
            case Remote():
                yield from self._call_server(move)
            case Fail():
                yield 0.1

    def _call_server(self, move: Remote) -> Task:
        """Call a server, after its tools were listed once in a chain."""
        if move.server not in self._offered:
            self._offered |= {move.server}
            yield from list_tools(self.draft, move.server)
        yield from call_server(self.draft, move)

    # The end.

    def _fail(self, failure: Fail) -> None:
        error = {"type": failure.code, "code": failure.code, "message": failure.message, "param": None}
        self.draft.emit("error", error=error)
        self.draft.object["error"] = {"code": failure.code, "message": failure.message}
        self._finish("failed", None)

    def _finish(self, status: str, used: Object | None, **changed: object) -> None:
        draft = self.draft
        tier = draft.object["service_tier"]
        draft.emit_whole(
            f"response.{status}",
            status=status,
            completed_at=draft.second() if status == "completed" else None,
            service_tier="default" if tier == "auto" else tier,
            tool_usage=tool_usage(draft.searches, draft.images),
            usage=used,
            **changed,
        )

    def _input_tokens(self) -> int:
        asked = self.draft.asked
        own = base_tokens({"instructions": asked.instructions, "tools": asked.tools})
        return own + sum(entry.text_tokens for entry in self.read)

    def _cacheable(self) -> int:
        """Return how many tokens of the input are in the cache afterwards: whole blocks."""
        tokens = self._input_tokens()
        return tokens - tokens % CACHE_BLOCK_TOKENS if tokens >= CACHE_TOKENS_MIN else 0

    def _usage(self) -> Object:
        draft = self.draft
        cacheable = self._cacheable()
        cached = min(self._before.cached, cacheable) if self._before else 0
        written = cacheable - cached if draft.asked.model.startswith(_WRITES_TO_CACHE) else 0
        return usage(
            self._input_tokens(), cached, written, draft.output_tokens, draft.reasoning_tokens, draft.asked.ttl
        )

    def kept(self) -> Kept:
        """Return what the response leaves for the one that continues it."""
        made = self.draft.object
        own = [entry_of("output", each) for each in made["output"]]
        cached = self._cacheable() if self.draft.asked.generates else 0
        return Kept(made, [*self.read, *own], self.draft.ids, cached, self._offered)
