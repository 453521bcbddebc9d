"""The objects inside Realtime events: responses, items, usage, sessions. GA and beta forms in one.

Source: the API description and recordings of OpenAI, Azure, Azure Voice Live and xAI. Statuses and kinds are
plain strings: an upstream that invents one must not make an event unreadable; the reducers know the closed sets.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from steno.wire.base import SIGN, Bounded, Id, Number, UnixSeconds, Wire, conceal
from steno.wire.usage import Usage


class ErrorDetail(Wire, frozen=True):
    """What went wrong: `error` events, failed responses, failed transcriptions. `message` is upstream's prose."""

    type: str | None = None
    code: str | int | None = None
    """A word; a number where an MCP server failed by HTTP or protocol."""
    message: str | None = None
    param: str | None = None
    event_id: str | None = None
    """The client event that caused it, where upstream can tell."""


class ContentPart(Wire, frozen=True):
    """One part of a message: its text or its transcript. Audio and images are left in the bytes."""

    type: str | None = None
    text: str | None = None
    transcript: str | None = None


class Item(Wire, frozen=True):
    """One item of a conversation; which members it has follows from `type`.

    `message` (role, content), `function_call` (name, arguments, call_id), `function_call_output` (call_id,
    output), `mcp_list_tools`, `mcp_call`, `mcp_approval_request`, `mcp_approval_response`.
    """

    id: Id | None = None
    type: str | None = None
    object: str | None = None
    status: str | None = None
    role: str | None = None
    content: Annotated[tuple[ContentPart, ...], Bounded] | None = None
    name: str | None = None
    arguments: str | None = None
    call_id: Id | None = None
    output: str | None = None
    server_label: str | None = None
    approval_request_id: Id | None = None
    approve: bool | None = None
    error: ErrorDetail | None = None


class RealtimeResponseStatusDetail(Wire, frozen=True):
    """Why a response ended other than completed: a `reason`, or an `error` when it failed."""

    type: str | None = None
    reason: str | None = None
    error: ErrorDetail | None = None


class Voice(Wire, frozen=True):
    """A voice that is not one of the built-in names: a custom voice (`id`), or Voice Live's (`name`, `type`)."""

    id: str | None = None
    name: str | None = None
    type: str | None = None


class AudioFormat(Wire, frozen=True):
    """How audio is coded: `audio/pcm` with a sample rate in Hz, `audio/pcmu`, `audio/pcma`."""

    type: str | None = None
    rate: Number | None = None


class AudioOutput(Wire, frozen=True):
    """Configuration of spoken output. `format` is a word in beta dialects, an object in GA."""

    format: str | AudioFormat | None = None
    voice: str | Voice | None = None
    speed: Number | None = None
    language: str | None = None
    """What a translation session translates into."""


class ResponseAudio(Wire, frozen=True):
    """Configuration of the audio of one response."""

    output: AudioOutput | None = None


class RealtimeResponse(Wire, frozen=True):
    """A response of the Realtime API: `response.created`, `response.done`.

    GA says `output_modalities` and `audio`; beta says `modalities`, `voice`, `output_audio_format`,
    `temperature`. `max_output_tokens` is a number or the string `inf`. `model` is no member of OpenAI's object;
    where a compatible server sends one it is believed.
    """

    id: Id | None = None
    object: Annotated[Literal["realtime.response"] | None, Meta(extra={SIGN: True})] = None
    """Another family has objects of other names in events of the same."""
    status: str | None = None
    status_details: RealtimeResponseStatusDetail | None = None
    output: Annotated[tuple[Item, ...], Bounded] | None = None
    output_modalities: tuple[str, ...] | None = None
    modalities: tuple[str, ...] | None = None
    conversation_id: Id | UnsetType | None = UNSET
    """Null is out of band: outside the conversation. A server that leaves it out has one conversation alone."""
    max_output_tokens: int | str | None = None
    audio: ResponseAudio | None = None
    voice: str | Voice | None = None
    output_audio_format: str | None = None
    temperature: Number | None = None
    metadata: dict[str, str] | None = None
    usage: Usage | None = None
    model: str | None = None


def conversation_of(response: RealtimeResponse) -> str | None:
    """Return the id of the conversation that `response` belongs to, where it names one."""
    return response.conversation_id or None


class Transcription(Wire, frozen=True):
    """How input speech is written down."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class TurnDetection(Wire, frozen=True):
    """Voice activity detection: `server_vad` or `semantic_vad`; null is push-to-talk."""

    type: str | None = None
    threshold: Number | None = None
    prefix_padding_ms: Number | None = None
    silence_duration_ms: Number | None = None
    idle_timeout_ms: Number | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None
    eagerness: str | None = None


class NoiseReduction(Wire, frozen=True):
    """Noise reduction of the input: `near_field` or `far_field`."""

    type: str | None = None


class AudioInput(Wire, frozen=True):
    """Configuration of spoken input, GA form."""

    format: str | AudioFormat | None = None
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = None


class SessionAudio(Wire, frozen=True):
    """The GA home of everything about audio."""

    input: AudioInput | None = None
    output: AudioOutput | None = None


class Tool(Wire, frozen=True):
    """A tool that the model may call: a function, or an MCP server (whose headers and tokens stay undecoded)."""

    type: str | None = None
    name: str | None = None
    description: str | None = None
    parameters: Any = None
    server_label: str | None = None


class ClientSecret(Wire, frozen=True):
    """An ephemeral key. Its `value` reads as `***`: no Struct carries a secret on."""

    value: Any = None
    expires_at: UnixSeconds | None = None

    def __post_init__(self) -> None:
        conceal(self, "value")


class RealtimeSessionCreateResponse(Wire, frozen=True):
    """A session: the reply to its creation, `session.created`, `session.updated`. Beta and GA members.

    `client_secret` is null in events and an object in the reply of the beta API.
    """

    id: Id | None = None
    object: str | None = None
    type: str | None = None
    status: Annotated[UnsetType, Meta(extra={SIGN: True})] = UNSET
    """That of another family's session, in events of the same names."""
    model: str | None = None
    expires_at: UnixSeconds | None = None
    client_secret: ClientSecret | str | None = None
    modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    instructions: str | None = None
    voice: str | Voice | None = None
    audio: SessionAudio | None = None
    input_audio_format: str | None = None
    output_audio_format: str | None = None
    input_audio_transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None
    input_audio_noise_reduction: NoiseReduction | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: str | dict[str, Any] | None = None
    temperature: Number | None = None
    speed: Number | None = None
    max_response_output_tokens: int | str | None = None
    max_output_tokens: int | str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.client_secret, str):
            conceal(self, "client_secret")


def transcription_of(session: RealtimeSessionCreateResponse) -> Transcription | None:
    """Return how the input of `session` is written down, GA place first, then beta's; None where it is not."""
    audio = session.audio
    if audio and audio.input and audio.input.transcription:
        return audio.input.transcription
    return session.input_audio_transcription
