"""Whose turn it is in a voice session, and since when the caller waits for an answer: where turn latency is decided.

The transitions are a table, `TRANSITIONS`. The rules that do not fit into it are the methods of `Turn`.
"""

# Rule 1: everything that decides a turn's latency lives in this file. Handlers name what has happened, get back since
# when the caller waited, and measure.
#
# Rule 2: this file knows no event of the wire, no response and no item but by its id. Which event means what is for
# the handlers to say; a session that answers by playback and one that carries audio differ in one attribute here.
#
#
# Theory of operation
# ===================
#
# Turn latency is what the caller feels: the time from the end of what the caller said to the first sound of the
# answer. Neither end of it is one event, because no two kinds of session report the same.
#
# Where the wait begins
# ---------------------
#
# With a voice detector on the server, the wait begins when the detector hears the end of speech
# (`input_audio_buffer.speech_stopped`). The commit of that speech comes some milliseconds later and begins nothing:
# the caller has waited since the silence.
#
# With push-to-talk there is no detector, and the commit (`input_audio_buffer.committed`) is the end of speech. Each
# commit begins the wait anew. The same holds for a session that reports the beginning of speech and not its end:
# a commit that no reported end came before is the end.
#
# The idle timeout commits silence: `timeout_triggered` names an item, and the commit of that item follows. Nobody
# spoke and nobody waits, so that commit begins no wait. A wait that is open stays open.
#
# Typed input ends the wait: the answer that comes next is the answer to what was typed, and when typing ended is not
# on the wire. Typed turns have no latency.
#
# Speech that begins ends the wait as well. Whoever speaks again does not wait, and what was not answered by then has
# no latency.
#
# Where the wait ends
# -------------------
#
# On a stream that carries audio, the first audio delta of a response is the answer, whichever response it is. So the
# wait goes on across responses that only call tools, across text, and across a response that was cut off before it
# made a sound: the caller hears nothing of those. Later deltas of the same response answer nothing.
#
# With WebRTC and SIP the audio goes past the stream that is observed (a sideband connection), and the start of
# playback (`output_audio_buffer.started`) is the answer. Some streams have both. Once a response of the conversation
# has brought audio, playback answers nothing any more, so that a turn has one latency.
#
# A response out of band (`"conversation": "none"`) is no part of the conversation: its audio and its playback answer
# nobody, and its audio does not say that the stream carries the audio of the conversation.
#
# An answer that comes while nobody waits (a greeting, a response that is still speaking when the caller interrupts)
# is an answer all the same: it leads to a state, and to no latency.
#
# Turns without an answer
# -----------------------
#
# A turn of the caller ends unanswered where it ends in a wait for which no answer has begun. Two things end it: the
# caller speaks again, or the session is over. `unanswered` says whether that is so; it is asked before either is noted.
#
# An answer has begun
#   - while a response of the conversation is in progress that has brought nothing yet, for it may still;
#   - while a tool call is open that was made since the wait began: its output is what the answer waits for;
#   - once a response of the conversation brought a word since the wait began. In a session without audio that is the
#     answer, though it ends no wait and has no latency. Arguments of a call are no words: the caller is told nothing.
# The first two are for the handlers to say (`underway`), for this file knows neither. A response that ended with
# nothing, since it failed or was cancelled or had nothing to say, has left the caller without an answer, and counts
# for none; but one that the caller spoke over had begun, whichever of its end and the speech is reported first. A
# response that is still speaking, from before the wait, answers what was asked before.
#
# What is no such turn:
#   - The silence of the idle timeout: it begins no wait.
#   - Input that is committed again before anything else comes (push-to-talk): it is one turn in pieces, and the wait
#     begins anew.
#   - Typed input ends the wait, so that a turn that was followed by typing is not judged, nor what was typed.
#   - A conversation that steno ends (evicted, shutdown): the caller's goes on.
#   - A wait in which the stream broke off: the answer may have come unseen. `lost` notes that.
#   - A session that only transcribes or translates has no answers. Handlers do not ask for these.
#
# States
# ------
#
# The commit may be overtaken by the answer. The end of speech then has ended its wait, and its commit, still to come,
# must not begin another one. That is why `STOPPED` is a state apart from `WAITING`, and `ANSWERED` apart from `IDLE`.
#
# SPEAKING has the transitions of IDLE but for staying itself. It is a state because it is the answer to whose turn it
# is, and because sessions that report speech without end stay in it until their commit.

from enum import StrEnum, auto
from typing import Final

from steno.timestamps import Micros


class State(StrEnum):
    """Whose turn it is. In `STOPPED` and `WAITING` the caller waits for an answer."""

    IDLE = auto()
    """Nobody is known to speak, and nobody waits."""
    SPEAKING = auto()
    """The caller speaks."""
    STOPPED = auto()
    """The caller has spoken and waits. The commit of the speech is still to come."""
    WAITING = auto()
    """The input is committed, and the caller waits."""
    ANSWERED = auto()
    """The wait ended before the commit of the speech came, which is still to come."""


class Event(StrEnum):
    """What can happen to a turn."""

    SPEECH_STARTED = auto()
    SPEECH_STOPPED = auto()
    COMMITTED = auto()
    SILENCE_COMMITTED = auto()
    """The commit of the silence that ran into the idle timeout."""
    TYPED = auto()
    ANSWERED = auto()
    """The caller hears the first sound of an answer."""


TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    State.IDLE: {
        Event.SPEECH_STARTED: State.SPEAKING,
        Event.SPEECH_STOPPED: State.STOPPED,
        Event.COMMITTED: State.WAITING,
        Event.SILENCE_COMMITTED: State.IDLE,
        Event.TYPED: State.IDLE,
        Event.ANSWERED: State.IDLE,
    },
    State.SPEAKING: {
        Event.SPEECH_STARTED: State.SPEAKING,
        Event.SPEECH_STOPPED: State.STOPPED,
        Event.COMMITTED: State.WAITING,
        Event.SILENCE_COMMITTED: State.SPEAKING,
        Event.TYPED: State.SPEAKING,
        Event.ANSWERED: State.SPEAKING,
    },
    State.STOPPED: {
        Event.SPEECH_STARTED: State.SPEAKING,
        Event.SPEECH_STOPPED: State.STOPPED,
        Event.COMMITTED: State.WAITING,
        Event.SILENCE_COMMITTED: State.WAITING,
        Event.TYPED: State.ANSWERED,
        Event.ANSWERED: State.ANSWERED,
    },
    State.WAITING: {
        Event.SPEECH_STARTED: State.SPEAKING,
        Event.SPEECH_STOPPED: State.STOPPED,
        Event.COMMITTED: State.WAITING,
        Event.SILENCE_COMMITTED: State.WAITING,
        Event.TYPED: State.IDLE,
        Event.ANSWERED: State.IDLE,
    },
    State.ANSWERED: {
        Event.SPEECH_STARTED: State.SPEAKING,
        Event.SPEECH_STOPPED: State.STOPPED,
        Event.COMMITTED: State.IDLE,
        Event.SILENCE_COMMITTED: State.IDLE,
        Event.TYPED: State.ANSWERED,
        Event.ANSWERED: State.ANSWERED,
    },
}
"""State and event to the next state. No event is out of place: streams are joined in the middle, and lose frames."""

WAITS: Final = frozenset({State.STOPPED, State.WAITING})
"""States in which the caller waits."""


class Turn:
    """The turn of one conversation. All times are times of receipt, and None where the input carries none."""

    __slots__ = ("_lost", "_replied", "_silence", "_speech_began", "carries_audio", "item_id", "since", "state")

    def __init__(self) -> None:
        """Begin with nobody's turn."""
        self.state = State.IDLE
        self.since: Micros | None = None
        """When the present wait began; None in states without one."""
        self.item_id: str | None = None
        """The item that was committed last."""
        self.carries_audio = False
        """Whether a response of the conversation has brought audio on a stream: then audio answers, not playback."""
        # The next two do not fit into the table. Speech has a beginning whatever the state was when it ended, and
        # the item of a silence is known before the event that commits it.
        self._speech_began: Micros | None = None
        self._silence: str | None = None
        # What is known of an answer to the present wait, beside the sound that ends it.
        self._replied = False
        self._lost = False

    def speech_started(self, at: Micros | None) -> None:
        """Note that the caller began to speak."""
        self._move(Event.SPEECH_STARTED, at)
        self._speech_began = at

    def speech_stopped(self, at: Micros | None) -> Micros | None:
        """Note that the caller has spoken. Return when that speech began, None if its beginning was not seen."""
        self._move(Event.SPEECH_STOPPED, at)
        began, self._speech_began = self._speech_began, None
        return began

    def timed_out(self, item_id: str | None) -> None:
        """Note that the caller said nothing for so long that the silence becomes the item `item_id`."""
        self._silence = item_id

    def committed(self, item_id: str | None, at: Micros | None) -> None:
        """Note that the input became the item `item_id`. An unknown item is never the silence of a timeout."""
        silence = item_id is not None and item_id == self._silence
        self.item_id = self.item_id if silence else item_id
        self._move(Event.SILENCE_COMMITTED if silence else Event.COMMITTED, at)

    def typed(self) -> None:
        """Note that the user wrote."""
        self._move(Event.TYPED, None)

    def replied(self) -> None:
        """Note that a response of the conversation brought a word."""
        self._replied = True

    def lost(self) -> None:
        """Note that something may have come unseen."""
        self._lost = True

    def unanswered(self, *, underway: bool) -> bool:
        """Return whether the turn would end unanswered here. `underway`: whether a response or a call may answer it."""
        return self.state in WAITS and not (underway or self._replied or self._lost)

    def audio_began(self, *, out_of_band: bool) -> Micros | None:
        """Note the first audio of a response. Return since when the caller waited for it, None if nobody did."""
        if out_of_band:
            return None
        self.carries_audio = True
        return self._answered()

    def playback_began(self, *, out_of_band: bool) -> Micros | None:
        """Note that a response is played. Return since when the caller waited for that, None if nobody did."""
        return None if out_of_band or self.carries_audio else self._answered()

    def _answered(self) -> Micros | None:
        since = self.since
        self._move(Event.ANSWERED, None)
        return since

    def _move(self, event: Event, at: Micros | None) -> None:
        """Take the transition of `event`, and keep the time of the wait that the states imply.

        The end of speech begins a wait, and so does a commit, unless the speech that it commits began it.
        """
        before, self.state = self.state, TRANSITIONS[self.state][event]
        if self.state not in WAITS:
            self.since = None
        elif event is Event.SPEECH_STOPPED or (event is Event.COMMITTED and before is not State.STOPPED):
            self.since = at
            self._replied = self._lost = False
