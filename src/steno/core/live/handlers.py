"""Live sessions: which event does what."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from steno.core.conversation import NOTHING
from steno.core.facts import Fact
from steno.core.frame import Frame
from steno.core.live import backend, delegations, sessions, speech
from steno.core.live.state import LiveConversation
from steno.core.live.timeline import MODEL, USER
from steno.core.routing import passed
from steno.wire import Event, live, live_client

Handler = Callable[[LiveConversation, Any, Frame], Sequence[Fact]]


def dtmf_send(state: LiveConversation, event: live_client.DtmfSend, frame: Frame) -> Sequence[Fact]:
    """Take what a client asks for as nothing, and what upstream says under that name as a key that was sent."""
    return NOTHING if frame.sent else sessions.dtmf_sent(state, event, frame)


HANDLERS: Final[Mapping[type[Event], Handler]] = {
    live.SessionStarted: sessions.reported,
    live.LiveSessionUpdated: sessions.reported,
    live.LiveSessionClosed: sessions.ended,
    live.SessionPaused: sessions.paused,
    live.SessionResumed: sessions.resumed,
    live.UsageUpdated: sessions.usage_updated,
    live.InputMuted: sessions.muted,
    live.InputUnmuted: sessions.unmuted,
    live.InputTranscriptDelta: speech.transcript_deltas(USER),
    live.OutputTranscriptDelta: speech.transcript_deltas(MODEL),
    live.OutputAudioDelta: speech.audio_delta,
    live.InstructionsAppended: speech.appended("instructions"),
    live.ThinkingAppended: speech.appended("thinking"),
    live.CommentaryAppended: delegations.commentary_appended,
    live.FixturePlaying: passed,
    live.FixturePlayed: passed,
    live.DelegationCreated: delegations.created,
    live.BackendResponseEvent: backend.response_event,
    live.DecisionEvent: delegations.decided,
    live.DecisionItemCreated: passed,
    live.DecisionItemDeleted: passed,
    live.LiveDtmfReceived: sessions.dtmf_received,
    live.DtmfSent: sessions.dtmf_sent,
    live.TransportRinging: sessions.ringing,
    live.TransportAnswered: sessions.answered,
    live.TransportFailed: sessions.failed,
    live.LiveInfo: passed,
    live.LiveErrorEvent: sessions.error,
    live_client.SessionStart: passed,
    live_client.LiveSessionUpdate: passed,
    live_client.SessionClose: passed,
    live_client.InputAudioAppend: passed,
    live_client.InputAudioMute: passed,
    live_client.InputAudioUnmute: passed,
    live_client.FixturePlay: passed,
    live_client.InstructionsAppend: passed,
    live_client.ThinkingAppend: passed,
    live_client.CommentaryAppend: delegations.commentary_append,
    live_client.DecisionCreate: passed,
    live_client.DecisionItemCreate: passed,
    live_client.DecisionItemDelete: passed,
    live_client.ResponseItemCreate: backend.item_create,
    live_client.BackendResponseCreate: passed,
    live_client.DtmfSend: dtmf_send,
}
"""Event to its handler. `passed` is a decision, not an omission."""
