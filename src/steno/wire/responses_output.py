"""What upstream says of the output of a response: items, their parts, texts, and tool calls. One Struct a type."""

from typing import Any, Final

from msgspec import Raw

from steno.wire.base import Index
from steno.wire.responses_base import OfCommand, OfItem, OfPart, OfSummary, ResponsesEvent
from steno.wire.responses_objects import Part, ResponseItem

# Items and parts ------------------------------------------------------------------------------------------


class OutputItemAdded(ResponsesEvent, frozen=True, tag="response.output_item.added"):
    """The model began an item."""

    output_index: Index | None = None
    item: ResponseItem | None = None


class OutputItemDone(ResponsesEvent, frozen=True, tag="response.output_item.done"):
    """The final form of an item."""

    output_index: Index | None = None
    item: ResponseItem | None = None


class ContentPartAdded(OfPart, frozen=True, tag="response.content_part.added"):
    """The model began a part of a message or of reasoning."""


class ContentPartDone(OfPart, frozen=True, tag="response.content_part.done"):
    """The final form of a part."""

    part: Part | None = None


class TextDelta(OfPart, frozen=True, tag="response.output_text.delta"):
    """A piece of text."""

    delta: str | None = None


class TextDone(OfPart, frozen=True, tag="response.output_text.done"):
    """The whole text of a part."""

    text: str | None = None


class AnnotationAdded(OfPart, frozen=True, tag="response.output_text.annotation.added"):
    """A text cites a source; the final form of its item lists all of them."""


class RefusalDelta(OfPart, frozen=True, tag="response.refusal.delta"):
    """A piece of a refusal."""

    delta: str | None = None


class RefusalDone(OfPart, frozen=True, tag="response.refusal.done"):
    """The whole text of a refusal."""

    refusal: str | None = None


# Reasoning ------------------------------------------------------------------------------------------------


class ReasoningDelta(OfPart, frozen=True, tag="response.reasoning_text.delta"):
    """A piece of reasoning."""

    delta: str | None = None


class ReasoningDone(OfPart, frozen=True, tag="response.reasoning_text.done"):
    """The whole text of a part of reasoning."""

    text: str | None = None


class SummaryPartAdded(OfSummary, frozen=True, tag="response.reasoning_summary_part.added"):
    """A part of the summary of reasoning began."""


class SummaryPartDone(OfSummary, frozen=True, tag="response.reasoning_summary_part.done"):
    """The final form of a part of the summary."""

    part: Part | None = None


class SummaryDelta(OfSummary, frozen=True, tag="response.reasoning_summary_text.delta"):
    """A piece of the summary of reasoning."""

    delta: str | None = None


class SummaryDone(OfSummary, frozen=True, tag="response.reasoning_summary_text.done"):
    """The whole text of a part of the summary."""

    text: str | None = None


class Compacting(OfItem, frozen=True, tag="response.compaction.compacting"):
    """The context is being summarised; the summary itself is not sent."""


# Audio ----------------------------------------------------------------------------------------------------


class AudioDelta(ResponsesEvent, frozen=True, tag="response.audio.delta"):
    """A piece of speech: base64, measured and never decoded or kept."""

    delta: str | None = None


class AudioDone(ResponsesEvent, frozen=True, tag="response.audio.done"):
    """The last piece of speech has been sent."""


class TranscriptDelta(ResponsesEvent, frozen=True, tag="response.audio.transcript.delta"):
    """A piece of what the model says, as text."""

    delta: str | None = None


class TranscriptDone(ResponsesEvent, frozen=True, tag="response.audio.transcript.done"):
    """All of what the model says has been sent."""


# What calls are made with ---------------------------------------------------------------------------------


class CallDelta(OfItem, frozen=True):
    """Base of the pieces of what a call is made with: arguments, input, code, a patch."""

    delta: str | None = None


class ArgumentsDelta(CallDelta, frozen=True, tag="response.function_call_arguments.delta"):
    """A piece of a function call's arguments."""


class ArgumentsDone(OfItem, frozen=True, tag="response.function_call_arguments.done"):
    """The arguments of a function call; cut-off JSON when the response was cut off."""

    name: str | None = None
    arguments: str | None = None


class McpArgumentsDelta(CallDelta, frozen=True, tag="response.mcp_call_arguments.delta"):
    """A piece of an MCP call's arguments."""


class McpArgumentsDone(OfItem, frozen=True, tag="response.mcp_call_arguments.done"):
    """The arguments of an MCP call."""

    arguments: str | None = None


class InputDelta(CallDelta, frozen=True, tag="response.custom_tool_call_input.delta"):
    """A piece of the input of a custom tool."""


class InputDone(OfItem, frozen=True, tag="response.custom_tool_call_input.done"):
    """The input of a custom tool."""

    input: str | None = None


class CodeDelta(CallDelta, frozen=True, tag="response.code_interpreter_call_code.delta"):
    """A piece of the code that will run."""


class CodeDone(OfItem, frozen=True, tag="response.code_interpreter_call_code.done"):
    """The code that will run."""

    code: str | None = None


class PatchDelta(CallDelta, frozen=True, tag="response.apply_patch_call_operation_diff.delta"):
    """A piece of a patch of a file."""


class PatchDone(OfItem, frozen=True, tag="response.apply_patch_call_operation_diff.done"):
    """A patch of a file."""

    diff: str | None = None


class CommandAdded(OfCommand, frozen=True, tag="response.shell_call_command.added"):
    """A command of a shell call began. Its events name no item, but its place in the output."""

    command: str | None = None


class CommandDelta(OfCommand, frozen=True, tag="response.shell_call_command.delta"):
    """A piece of a command."""

    delta: str | None = None


class CommandDone(OfCommand, frozen=True, tag="response.shell_call_command.done"):
    """A command."""

    command: str | None = None


class CommandOutputDelta(OfCommand, frozen=True, tag="response.shell_call_output_content.delta"):
    """A piece of what a command printed; not read, since its end has all of it."""

    delta: Any = None


class CommandOutputDone(OfCommand, frozen=True, tag="response.shell_call_output_content.done"):
    """What a command printed, and how it ended."""

    output: Raw = Raw()


# Calls that upstream runs ---------------------------------------------------------------------------------


class CallBegun(OfItem, frozen=True):
    """Base of: a call was begun."""


class CallRuns(OfItem, frozen=True):
    """Base of: a call is being run."""


class CallCompleted(OfItem, frozen=True):
    """Base of: a call returned."""


class CallFailed(OfItem, frozen=True):
    """Base of: a call failed."""


class McpInProgress(CallBegun, frozen=True, tag="response.mcp_call.in_progress"):
    """An MCP call was begun; its arguments follow."""


class McpCompleted(CallCompleted, frozen=True, tag="response.mcp_call.completed"):
    """An MCP call returned."""


class McpFailed(CallFailed, frozen=True, tag="response.mcp_call.failed"):
    """An MCP call failed."""


class ListInProgress(OfItem, frozen=True, tag="response.mcp_list_tools.in_progress"):
    """The tools of an MCP server are being fetched."""


class ListCompleted(OfItem, frozen=True, tag="response.mcp_list_tools.completed"):
    """The tools of an MCP server are known."""


class ListFailed(OfItem, frozen=True, tag="response.mcp_list_tools.failed"):
    """The tools of an MCP server could not be fetched."""


class WebSearchInProgress(CallBegun, frozen=True, tag="response.web_search_call.in_progress"):
    """A search of the web was begun."""


class WebSearchRuns(CallRuns, frozen=True, tag="response.web_search_call.searching"):
    """The web is being searched."""


class WebSearchCompleted(CallCompleted, frozen=True, tag="response.web_search_call.completed"):
    """A search of the web returned."""


class FileSearchInProgress(CallBegun, frozen=True, tag="response.file_search_call.in_progress"):
    """A search of files was begun."""


class FileSearchRuns(CallRuns, frozen=True, tag="response.file_search_call.searching"):
    """Files are being searched."""


class FileSearchCompleted(CallCompleted, frozen=True, tag="response.file_search_call.completed"):
    """A search of files returned."""


class CodeInProgress(CallBegun, frozen=True, tag="response.code_interpreter_call.in_progress"):
    """A call of the code interpreter was begun; its code follows."""


class CodeRuns(CallRuns, frozen=True, tag="response.code_interpreter_call.interpreting"):
    """The code runs."""


class CodeCompleted(CallCompleted, frozen=True, tag="response.code_interpreter_call.completed"):
    """The code has run."""


class ImageInProgress(CallBegun, frozen=True, tag="response.image_generation_call.in_progress"):
    """An image was begun."""


class ImageRuns(CallRuns, frozen=True, tag="response.image_generation_call.generating"):
    """An image is being drawn."""


class ImagePartial(OfItem, frozen=True, tag="response.image_generation_call.partial_image"):
    """An image that is half drawn; the image itself is not read."""


class ImageCompleted(CallCompleted, frozen=True, tag="response.image_generation_call.completed"):
    """An image was drawn."""


OUTPUT_EVENTS: Final[tuple[type[ResponsesEvent], ...]] = (
    OutputItemAdded, OutputItemDone, ContentPartAdded, ContentPartDone, TextDelta, TextDone, AnnotationAdded,
    RefusalDelta, RefusalDone, ReasoningDelta, ReasoningDone, SummaryPartAdded, SummaryPartDone, SummaryDelta,
    SummaryDone, Compacting, AudioDelta, AudioDone, TranscriptDelta, TranscriptDone,
    ArgumentsDelta, ArgumentsDone, McpArgumentsDelta, McpArgumentsDone, InputDelta, InputDone, CodeDelta, CodeDone,
    PatchDelta, PatchDone, CommandAdded, CommandDelta, CommandDone, CommandOutputDelta, CommandOutputDone,
    McpInProgress, McpCompleted, McpFailed, ListInProgress, ListCompleted, ListFailed,
    WebSearchInProgress, WebSearchRuns, WebSearchCompleted, FileSearchInProgress, FileSearchRuns, FileSearchCompleted,
    CodeInProgress, CodeRuns, CodeCompleted, ImageInProgress, ImageRuns, ImagePartial, ImageCompleted,
)  # fmt: skip
"""The events of the output."""
