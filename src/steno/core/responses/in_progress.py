"""What is in progress in a conversation of responses: requests that no response has begun for, and open responses."""

from typing import Final

from msgspec import Struct

from steno.core.billing.costs import Terms
from steno.core.memory import Held, text_bytes
from steno.core.transcript import PARTS
from steno.timestamps import Micros

RESPONSE_BYTES: Final = 2_560
"""A response in progress, besides its object and its places: its numbers, and those that it has left out."""
PLACE_BYTES: Final = 128
"""A place in the output, besides the id of its item."""
GAPS: Final = 32
"""Numbers that a response has left out and that may come late. Past it the oldest are forgotten."""
PROVEN: Final = 2
"""Numbers in a row after which a response counts its events. Some servers give all events one number."""


class Numbers:
    """Which events of one response came, by `sequence_number`: one that is delivered again changes nothing.

    Upstream counts from 0 by ones. One that comes late fills the gap that it had left. A response whose events do not
    count has no duplicates.
    """

    __slots__ = ("_gaps", "expected", "run")

    def __init__(self) -> None:
        """Begin before the first event."""
        self.expected: int | None = None
        self.run = 0
        """How many events came in a row."""
        self._gaps: dict[int, None] = {}

    def is_new(self, number: int | None) -> bool:
        """Take the `number` of an event; return whether it is not one that came before."""
        expected = self.expected
        if number is None:
            return True
        if number == expected:
            self.expected = number + 1
            self.run += 1
            return True
        if expected is None or number > expected:
            self._leap(number)
            return True
        if number in self._gaps:
            del self._gaps[number]
            return True
        if self.run >= PROVEN:
            return False
        self.run, self.expected = 0, number + 1
        return True

    def take(self, number: int | None) -> None:
        """Take the `number` of an event that is told apart by something else, where it is the next one."""
        if number is not None and number == self.expected:
            self.expected += 1

    def _leap(self, number: int) -> None:
        """Note what is left out before `number`."""
        if self.expected is None:
            self.run = 1
        else:
            self._gaps.update(dict.fromkeys(range(max(self.expected, number - GAPS), number)))
            while len(self._gaps) > GAPS:
                del self._gaps[next(iter(self._gaps))]
        self.expected = number + 1


class Request(Held):
    """What a client asked for, until its response begins or an error refuses it."""

    __slots__ = ("at", "follows", "lane", "stream", "warms_up")

    def __init__(self, stream: str, lane: str | None, at: Micros | None, *, follows: bool, warms_up: bool) -> None:
        """Note a request that came `at` on a `lane` of a `stream`."""
        super().__init__()
        self.stream = stream
        self.lane = lane
        self.at = at
        self.follows = follows
        """Whether it continues what came before it, by what it names or repeats."""
        self.warms_up = warms_up
        """Whether it asks for no output."""

    def weight(self) -> int:
        """Return how many bytes the name of its lane takes."""
        return text_bytes(self.lane or "")


class EndedResponse(Struct, frozen=True):
    """A response that ended, for the one that may follow it."""

    id: str
    stream: str
    lane: str | None
    at: Micros | None
    context_tokens: int | None
    """What the next response has of it in its input: its own input, and its output without reasoning."""
    waits: bool
    """Whether it made calls that its client runs."""
    rounds: int
    """How many responses that made such calls there were since the last answer, itself included."""
    responses: int
    """How many responses there were since then, itself included."""
    begun_at: Micros | None
    """When the first of them was asked for."""


class Flight:
    """How many responses are in progress on one connection, over all of its conversations."""

    __slots__ = ("responses",)

    def __init__(self) -> None:
        """Begin with none."""
        self.responses = 0


class OpenResponse(Held):
    """A response in progress."""

    __slots__ = (
        "background",
        "created_at",
        "erred",
        "first_audio_seconds",
        "first_text_seconds",
        "flight",
        "former",
        "has_audio",
        "has_text",
        "id",
        "lane",
        "numbers",
        "place_bytes",
        "places",
        "raw",
        "request",
        "requested_at",
        "stream",
        "terms",
    )

    def __init__(self, key: str, stream: str, lane: str | None, created_at: Micros | None, terms: Terms) -> None:
        """Begin the response `key` on a `lane` of a `stream`. `created_at` is None where that was not seen."""
        super().__init__()
        self.id = key
        self.stream = stream
        self.lane = lane
        self.created_at = created_at
        self.terms = terms
        self.raw = b""
        """Its object as it came first."""
        self.flight: Flight | None = None
        """Where it is counted, while it is open."""
        self.request: Request | None = None
        self.requested_at = created_at
        """When it was asked for, or began where that was not seen."""
        self.former: EndedResponse | None = None
        """The response that it follows."""
        self.background = False
        """Whether it goes on when its connection ends."""
        self.numbers = Numbers()
        self.places: dict[int, str] = {}
        """Place in the output to the item there: some events name nothing else."""
        self.place_bytes = 0
        self.has_text = False
        self.has_audio = False
        self.first_text_seconds: float | None = None
        self.first_audio_seconds: float | None = None
        self.erred: tuple[str, Micros | None] | None = None
        """The code of an error that came while it was in progress, and when: its end, unless another one comes."""

    def put(self, place: int | None, item: str) -> bool:
        """Note which item is at a place of the output. Return whether it takes more memory now."""
        if place is None or place in self.places or len(self.places) >= PARTS:
            return False
        self.places[place] = item
        self.place_bytes += PLACE_BYTES + text_bytes(item)
        return True

    def weight(self) -> int:
        """Return how many bytes its object takes, its numbers, and its places."""
        return len(self.raw) + RESPONSE_BYTES + self.place_bytes
