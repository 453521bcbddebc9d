"""The state of a realtime conversation: its session, its items in order, its turn, and the responses in progress."""

from collections.abc import Sequence
from typing import Final

from steno.core import tools
from steno.core.billing import costs
from steno.core.billing.costs import Terms
from steno.core.bounded import BoundedObjects, BoundedSet
from steno.core.conversation import NOTHING, Conversation, Exported
from steno.core.facts import Fact, ResponseAbandoned, SessionFinished, TranscriptionFinished, TurnUnanswered
from steno.core.memory import InProgress, text_bytes
from steno.core.realtime.audio_formats import MS_PER_BYTE
from steno.core.realtime.conversation_item import ConversationItem, speech, transcript_entry
from steno.core.realtime.in_progress import OpenResponse, OpenTranscription
from steno.core.realtime.turn import WAITS, State, Turn
from steno.core.transcript import Transcript
from steno.core.vocabulary import short
from steno.limits import ENDED_IDS, Limits
from steno.timestamps import Micros
from steno.wire import Event
from steno.wire.realtime import SessionCreated
from steno.wire.realtime_objects import RealtimeResponse

SPOKEN: Final = "realtime"
"""The kind of a session that gives answers; others transcribe or translate."""


class RealtimeConversation(Conversation):
    """A voice session, or all sessions of one name one after the other."""

    __slots__ = (
        "_approvals",
        "_decisions",
        "_deleted",
        "_ended_responses",
        "audio_format",
        "base",
        "items",
        "known_session",
        "left_conversation",
        "metered",
        "open",
        "order",
        "playing_since",
        "responses",
        "session_as",
        "session_id",
        "session_model",
        "spoken_item",
        "transcribes",
        "transcript",
        "transcription_model",
        "transcriptions",
        "turn",
    )

    family = "realtime"
    begun_by = (SessionCreated,)
    is_session = True

    def __init__(self, key: str, source: str, stream: str, limits: Limits, *, named: bool) -> None:
        """Begin without a session, items or responses."""
        super().__init__(key, source, stream, limits, named=named)
        self.base = ""
        """The key without the number that distinguishes it from earlier sessions of the same stream or name."""
        self.left_conversation: str | None = None
        """Upstream's id of the conversation before `conversation_id`, where that changed."""
        self.session_id: str | None = None
        self.known_session: str | None = None
        """The session whose id leads to this conversation."""
        self.session_as: type[Event] | None = None
        """The name of the event that reported it last: there are two."""
        self.session_model: str | None = None
        self.transcribes = False
        """Whether the session is configured to transcribe what the user says."""
        self.transcription_model: str | None = None
        self.transcriptions: InProgress[tuple[str, int], OpenTranscription] = InProgress(self.memory, _bytes_of_part)
        """Item and part to its transcription, while that has not ended."""
        self.metered: Terms | None = None
        """What the session is billed by as a whole, while that has not been reported; None where it is not."""
        self.audio_format: str | None = None
        self.transcript: Transcript[ConversationItem] = Transcript(limits, self.rejected, self.memory, newest_last=True)
        # The transcript's own collections, by the names that items have: a lookup less on the path of each delta.
        self.items = self.transcript.entries
        self.order = self.transcript.order
        self.open: InProgress[str, OpenResponse] = InProgress(self.memory)
        self.responses = BoundedObjects(limits, self.memory)
        # Most conversations have none of these: each is made when it is first asked for.
        self._approvals: BoundedSet | None = None
        self._decisions: BoundedSet | None = None
        self._deleted: BoundedSet | None = None
        self._ended_responses: BoundedSet | None = None
        self.turn = Turn()
        self.spoken_item: str | None = None
        """The item that the newest speech of the caller becomes. It is among the items once it is committed."""
        self.playing_since: dict[str, Micros] = {}
        """Response to when the caller began to hear it."""

    @property
    def ended_responses(self) -> BoundedSet:
        """The newest responses that ended."""
        if self._ended_responses is None:
            self._ended_responses = BoundedSet(ENDED_IDS, self.memory)
        return self._ended_responses

    @property
    def approvals(self) -> BoundedSet:
        """The newest requests for approval."""
        if self._approvals is None:
            self._approvals = BoundedSet(ENDED_IDS, self.memory)
        return self._approvals

    @property
    def decisions(self) -> BoundedSet:
        """The newest requests for approval that a person has decided about."""
        if self._decisions is None:
            self._decisions = BoundedSet(ENDED_IDS, self.memory)
        return self._decisions

    @property
    def deleted(self) -> BoundedSet:
        """The newest items that were deleted."""
        if self._deleted is None:
            self._deleted = BoundedSet(ENDED_IDS, self.memory)
        return self._deleted

    def item(self, key: str) -> ConversationItem:
        """Return the item `key`; a new one is added as the last."""
        item = self.items.get(key)
        if item is None:
            item = ConversationItem(key)
            self.transcript.add(key, item)
        return item

    def newest_items(self, most: int) -> list[ConversationItem]:
        """Return the last items of the conversation, at most `most` of them, the last one first."""
        return [self.items[key] for key in reversed(self.order.newest(most))]

    def recall_arguments(self, call_id: str | None) -> None:
        """Give an open call the arguments that deltas brought, where no event had them whole."""
        call = self.calls.get(call_id) if call_id is not None else None
        item = self.items.get(call.item_id) if call is not None and call.item_id is not None else None
        if call_id is None or call is None or call.arguments is not None or item is None:
            return
        text = item.text()
        call.arguments = text if 0 < len(text) <= self.limits.object_bytes else None
        self.calls.weigh(call_id)

    def only_response(self) -> OpenResponse | None:
        """Return the response in progress, where there is exactly one."""
        return next(iter(self.open.values())) if len(self.open) == 1 else None

    def model(self, response: RealtimeResponse | None) -> str | None:
        """Return the model of `response`, else the session's, else None."""
        return short(response.model if response else None) or self.session_model

    def terms(self, model: str | None) -> Terms:
        """Return what a usage of `model` that begins now is billed by."""
        return Terms(model, self.prices)

    def ms_per_byte(self, audio_format: str | None = None) -> float:
        """Return how many milliseconds a byte of audio lasts in a format, else in the session's."""
        return MS_PER_BYTE.get(audio_format or self.audio_format or "pcm16", MS_PER_BYTE["pcm16"])

    def exported(self) -> Exported:
        """Return its responses, and what was said and heard."""
        turns = self._turns()
        return Exported(
            responses=self.responses.objects,
            transcript=[transcript_entry(item) for item in turns],
            speech=[speech(item) for item in turns if item.role == "assistant" and (item.spoken or item.audio_bytes)],
        )

    def _turns(self) -> list[ConversationItem]:
        """Return the items that are somebody's turn, in the order of the conversation."""
        items = (self.items[key] for key in self.order)
        return [item for item in items if item.kind == "message" and not item.out_of_band]

    def unfinished(self) -> list[bytes]:
        """Return the raw objects of the responses in progress."""
        return [response.raw for response in self.open.values() if response.raw]

    def unbilled(self) -> int:
        """Return how many responses, transcriptions and sessions are still to be billed."""
        return len(self.open) + len(self.transcriptions) + (self.metered is not None)

    def dropped_objects(self) -> int:
        """Return how many raw responses could not be kept."""
        return self.responses.dropped

    def unanswered(self, ended_by: str, at: Micros | None) -> Sequence[Fact]:
        """Return that the turn of the user ends without an answer, where that is so. `turn` says when it is."""
        life, turn = self.session_life, self.turn
        if turn.state not in WAITS or life.kind != SPOKEN or not turn.unanswered(underway=self._answer_underway()):
            return NOTHING
        item_id = self.spoken_item if turn.state is State.STOPPED else turn.item_id
        return (TurnUnanswered(item_id=item_id, ended_by=ended_by, waited_seconds=self.elapsed(turn.since, at)),)

    def _answer_underway(self) -> bool:
        """Return whether a response has begun and brought nothing yet, or a call was made since the user waits."""
        since = self.turn.since
        return any(
            not (response.out_of_band or response.has_text or response.has_audio) for response in self.open.values()
        ) or any(
            since is None or (made := call.called_at or call.run_at) is None or made >= since
            for call in self.calls.values()
        )

    def session_over(self, at: Micros | None) -> Sequence[Fact]:
        """Return what the end of its session leaves without an answer."""
        return self.unanswered("session", at)

    def broke_off(self) -> None:
        """Note that what came next on its stream was not seen."""
        self.turn.lost()

    def erase_content(self) -> None:
        """Drop the text of all items, and all raw responses, ended or not."""
        super().erase_content()
        self.responses.drop_all()
        for key, response in self.open.items():
            response.raw = b""
            self.open.weigh(key)
        self.transcript.erase()

    def abandon(self) -> list[Fact]:
        """Give up what is in progress: responses, transcriptions, the bill of the session, and tool calls."""
        gone: list[Fact] = [self.abandoned(response) for response in self.open.values()]
        gone += [self.untranscribed(*key, job) for key, job in self.transcriptions.items()]
        if self.metered is not None:
            gone.append(self.unmetered(self.metered))
        self.open.clear()
        self.transcriptions.clear()
        for key in self.calls:
            self.recall_arguments(key)
        return [*gone, *tools.finish_all(self, None, "abandoned", None)]

    @property
    def session_name(self) -> str | None:
        """Upstream's id of the session."""
        return self.session_id or None

    @property
    def billed_model(self) -> str | None:
        """The model of the session."""
        return self.session_model

    def abandoned(self, response: OpenResponse) -> Fact:
        """Return that a response that was begun is given up. What it used is unknown."""
        cost = costs.of_no_usage(self, response.id)
        return ResponseAbandoned(response_id=response.id, model=response.model, cost=cost)

    def untranscribed(self, item_id: str, part: int, job: OpenTranscription) -> Fact:
        """Return that a transcription that was begun is given up. What it used is unknown."""
        return TranscriptionFinished(
            item_id=item_id,
            status="abandoned",
            code=None,
            model=job.terms.model,
            transcript=None,
            seconds=None,
            tokens=(),
            cost=costs.of_no_usage(self, costs.part_key(item_id, part)),
        )

    def unmetered(self, terms: Terms) -> Fact:
        """Return that the session, which is billed as a whole, ended without saying what it used."""
        self.metered = None
        return SessionFinished(
            session_id=self.session_id or None,
            kind=self.session_life.kind,
            status="abandoned",
            reason=None,
            model=terms.model,
            seconds=None,
            tokens=(),
            cost=costs.of_no_usage(self, self.session_id),
        )


def _bytes_of_part(key: tuple[str, int]) -> int:
    """Return how many bytes the key of a transcription takes: an item, and which part of it."""
    return text_bytes(key[0])
