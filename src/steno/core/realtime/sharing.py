"""Several sessions on one stream: one after the other, or mixed. Which of them an event belongs to.

Theory of operation
-------------------

Frames of a bare stream name no session. As long as there is one, all belong to it, and nothing here is asked. A
`session.created` with another session id begins another one. Then there are two cases, and the first frames of both
look alike:

*In turn.* The new session has replaced the former one, of which at most late events still come. What is known to belong
to a former session (a response, an item, a call of its own) is its own; all else belongs to the newest one. The former
session ends as `replaced` when it has been silent for `SUPERSEDED_SECONDS`, or with its stream.

*Mixed.* A relay sends several sessions over one stream. It shows by

- a session that goes on: a `session.created` or `session.updated` of its id, a response of its `conversation_id`, or a
  new item behind one of its own, after another session began,
- a response of another `conversation_id` while one is in progress, or of one that was left before, or while a session
  before it is open whose conversation is not known,
- the speech of a second caller while the first one speaks, where the former session has not ended.

From then on an event belongs to the session that knows one of its ids, and what two or none of them know is rejected as
`ambiguous_session`. Nothing is guessed. A response whose `conversation_id` is new belongs to the one session that has
none yet, where each session of the stream was seen to begin and no id was taken for the newest session's before the
sign; else it opens a conversation that is known by that id.
What names neither a response nor an item belongs to the one session that was heard of in the last
`SUPERSEDED_SECONDS`, if there is but one.

Servers may number their items and responses anew in each session. So an event that announces an id is not of the
session that knows the id already, unless more than that id says so.

Until the first sign, what a mixed stream says of no known id is taken for the newest session's: a stream whose sessions
follow each other must not lose its words. When the sign comes, the turn of that session begins anew, so that no latency
is made up of two callers. What a caller said of late may be another session's, and what comes of it then, such as its
transcript, is nobody's, unless an item before it or an answer behind it says whose it is.

What is remembered is bounded: `SESSIONS` sessions a stream, with `LINKED` ids of each beside those that its state has.
A session that has ended leaves its ids here, but not its state.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from steno.core.bounded import BoundedSet
from steno.core.realtime.member import Member, Names
from steno.core.realtime.state import RealtimeConversation
from steno.core.realtime.turn import State, Turn
from steno.core.routing import AMBIGUOUS_SESSION
from steno.limits import SUPERSEDED_SECONDS
from steno.timestamps import SECOND, Micros
from steno.wire import Event, realtime
from steno.wire.realtime_objects import conversation_of

SESSIONS: Final = 32
"""Sessions of one stream that are told apart; past it the most silent one ends. An event of a mixed stream is held
against each of them: 1 us a session."""
SESSION_IDS: Final = 256
"""Ids of sessions of one stream that are known to have been, so that their first event is known when it comes again."""
WATCHED_EVENTS: Final = 2_000
"""Events after which a stream without times is taken to be about its newest session alone: some turns."""
SESSION_BEGINS: Final = (realtime.SessionCreated, realtime.TranscriptionSessionCreated)
"""Events that begin a session on their stream."""

Outcome = Literal["another", "ended", "ambiguous_session"]
"""Where an event belongs to none of the sessions: it begins another one, it is late for one that has ended, or it
cannot be told."""


class SharedStream:
    """The sessions that one stream carries, or carried one after the other."""

    def __init__(self, name: str, first: RealtimeConversation, watch: Callable[[RealtimeConversation], None]) -> None:
        """Begin with the conversation that the stream `name` was about; `watch` is called with each that is shared."""
        self.name = name
        self._watch = watch
        self.current = Member(first)
        """The session that began last."""
        self.members = [self.current]
        self.mixed = False
        self.sessions = BoundedSet(SESSION_IDS)
        self.seen: BoundedSet | None = first.seen
        """Identities of events, over all its sessions: any may be delivered again. None where sessions number them."""
        self._since: Micros | None = None
        """When a session was followed by another, or heard of again."""
        self._watched = 0
        self._certain = True
        """Whether each conversation id is that of its session for certain."""
        if first.session_id:
            self.sessions.add(first.session_id)

    def begins(self, event: Event) -> bool:
        """Return whether `event` begins a session that the stream has not had."""
        session = event.session if isinstance(event, SESSION_BEGINS) else None
        return session is not None and session.id is not None and session.id not in self.sessions

    def open_states(self) -> list[RealtimeConversation]:
        """Return the conversations that are open, in the order in which they began."""
        return [state for member in self.members if (state := member.state) is not None]

    def begin(self, state: RealtimeConversation, session: str | None, at: Micros | None) -> None:
        """Add the conversation of a session that began, where its id is known under that."""
        if session:
            self.sessions.add(session)
        self.current = Member(state)
        self.members.append(self.current)
        self._since, self._watched = at, 0

    def configure(self, state: RealtimeConversation) -> None:
        """Give a conversation whose session is not known what the others are configured by, where they agree on it."""
        others = self.open_states()
        for member in ("session_model", "transcription_model", "audio_format"):
            values = {getattr(other, member) for other in others}
            if len(values) == 1:
                setattr(state, member, values.pop())

    def oldest(self) -> Member:
        """Return the session that goes first where there are too many: one that has ended, else the most silent one."""
        others = [member for member in self.members if member is not self.current]
        return min(others, key=lambda each: (each.state.last_at or 0) if each.state else -1)

    def mix(self) -> None:
        """Take the stream for a mixed one, since a sign says so."""
        if not self.mixed:
            self.mixed = True
            self.current.doubt()
            for state in self.open_states():
                state.turn = Turn()
                state.shared = state.base == self.name
                self._watch(state)

    def settle(self, at: Micros | None) -> RealtimeConversation | None:
        """Return the one conversation that the stream is about again; None while it may be about several."""
        self._watched += 1
        over = self._watched > WATCHED_EVENTS if at is None or self._since is None else _silent(self._since, at)
        current = self.current.state
        if self.mixed or not over or current is None or len(self.open_states()) > 1:
            return None
        self.members = [self.current]
        return current

    def at_work(self, event: Any) -> RealtimeConversation | None:
        """Return the newest session where `event` is a piece of its response, on a stream that is not mixed.

        Most events of a stream are. They name nothing else that could be another session's.
        """
        state = None if self.mixed else self.current.state
        return state if state is not None and getattr(event, "response_id", None) in state.open else None

    # Which one ------------------------------------------------------------------------------------------

    def owner(self, event: Event, names: Names, at: Micros | None) -> "Member | Outcome":
        """Return the session that `event` belongs to, or why it belongs to none."""
        if names.session is not None:
            found = self._by_session(event, names.session)
        else:
            found = self._mixed(event, names, at) if self.mixed else self._in_turn(event, names)
        if isinstance(found, Member):
            if found is not self.current:
                self._since, self._watched = at, 0
            found.heard(event, names, mixed=self.mixed)
        return found

    def _by_session(self, event: Event, session: str) -> "Member | Outcome":
        for member in self.members:
            if member.session_id == session:
                if member is not self.current:
                    self.mix()
                return member
        if isinstance(event, SESSION_BEGINS):
            return "another"
        return AMBIGUOUS_SESSION if self.mixed else self.current

    def _in_turn(self, event: Event, names: Names) -> "Member | Outcome":
        """Return whose an event is while no sign says that the sessions are mixed."""
        current = self.current
        if isinstance(event, realtime.ConversationCreated):  # a session may resume the conversation of the former one
            return current
        owned = current.owns(event, names)
        if owned and (names.previous is None or current.has_item(names.previous)):
            return current
        owners = [member for member in self.members if member is not current and member.owns(event, names)]
        if isinstance(event, realtime.ResponseCreated):  # one that a former session had is another, of the same number
            owners = [member for member in owners if not member.has_response(names.response)]
        if owned and not any(member.has_item(names.previous) for member in owners):
            return current
        if len(owners) > 1:
            return AMBIGUOUS_SESSION
        if not owners:
            if current.state is None:
                return current
            if is_elsewhere(current.state, event) or self._is_of_one_before(names):
                self.mix()
                return self._unclaimed()
            if _is_second_speech(current.state, event) and len(self.open_states()) > 1:
                self.mix()
                return AMBIGUOUS_SESSION
            self._claim(names.conversation)
            return current
        (former,) = owners
        if former.goes_on(event, names):
            self.mix()
        return self._late(former, event, names)

    def _is_of_one_before(self, names: Names) -> bool:
        """Return whether another `conversation_id` than that of the newest session may be that of one before it."""
        if names.conversation is None or self.current.conversation_id in (None, names.conversation):
            return False
        return any(
            each.state is not None and each.conversation_id is None for each in self.members if each is not self.current
        )

    def _claim(self, conversation: str | None) -> None:
        """Note that the newest session is taken for that of a conversation, which could be of a former one."""
        if conversation is not None and self.current.conversation_id is None:
            others = (each for each in self.members if each is not self.current and each.state is not None)
            self._certain &= all(each.conversation_id is not None for each in others)

    def _mixed(self, event: Event, names: Names, at: Micros | None) -> "Member | Outcome":
        owners = [member for member in self.members if member.owns(event, names)]
        if len(owners) == 1:
            return self._late(owners[0], event, names)
        if owners:
            return AMBIGUOUS_SESSION
        if sum(member.may_be_heard() for member in self.members) == 1:  # the others ended in silence
            self.mixed = False
            for left in self.open_states():
                left.shared = False
            return self._in_turn(event, names)
        if names.conversation is not None:
            return self._unclaimed()
        if names.response is None and names.item is None and at is not None:
            active = [each for each in self.members if (state := each.state) and not _silent(state.last_at, at)]
            return active[0] if len(active) == 1 else AMBIGUOUS_SESSION
        return AMBIGUOUS_SESSION

    def _late(self, member: Member, event: Event, names: Names) -> "Member | Outcome":
        """Return `member`, unless it has ended and the event is a late one."""
        return member if member.state is not None or member.goes_on(event, names) else "ended"

    def _unclaimed(self) -> "Member | Outcome":
        """Return whose a conversation id is that nobody has: the one session's that has none, where all are known."""
        open_ones = [member for member in self.members if member.state is not None]
        without = [member for member in open_ones if member.conversation_id is None]
        known = self._certain and all(member.session_id for member in open_ones)
        return without[0] if known and len(without) == 1 else "another"


def _silent(since: Micros | None, at: Micros) -> bool:
    return since is None or at - since > SUPERSEDED_SECONDS * SECOND


def is_elsewhere(state: RealtimeConversation, event: Event) -> bool:
    """Return whether `event` is of another conversation than the one session that its stream seemed to have.

    Notes the conversation that a session leaves: a server may give each response a conversation of its own.
    """
    if not isinstance(event, realtime.ResponseCreated) or event.response is None:
        return False
    conversation = conversation_of(event.response)
    if conversation is None or state.conversation_id in (None, conversation):
        return False
    under_way = {each.conversation_id for each in state.open.values()} - {None, conversation}
    if under_way or conversation == state.left_conversation:
        return True
    state.left_conversation = state.conversation_id
    return False


def _is_second_speech(state: RealtimeConversation, event: Event) -> bool:
    """Return whether `event` is of another caller's speech than the one that is under way."""
    if not isinstance(event, realtime.SpeechStarted | realtime.SpeechStopped | realtime.InputCommitted):
        return False
    under_way = state.turn.state in (State.SPEAKING, State.STOPPED)
    return under_way and None not in (state.spoken_item, event.item_id) and state.spoken_item != event.item_id
