"""Pipecat's OpenAI realtime service in a pipeline of its own, without a transport."""

import asyncio
import os

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import EndFrame, InputAudioRawFrame, LLMContextFrame, LLMFullResponseEndFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.realtime.events import SessionProperties
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from play import loud, silent

AISLE = FunctionSchema(
    name="find_aisle",
    description="Says where an article is.",
    properties={"article": {"type": "string"}},
    required=["article"],
)


class Answers(FrameProcessor):
    """Counts the ends of answers that come by."""

    def __init__(self):
        """Begin with none."""
        super().__init__()
        self.ended = asyncio.Semaphore(0)

    async def process_frame(self, frame, direction):
        """Pass a frame on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMFullResponseEndFrame):
            self.ended.release()
        await self.push_frame(frame, direction)


async def find_aisle(params):
    """Say where an article is."""
    await params.result_callback({"aisle": 9})


def sound(samples):
    """Return sound as Pipecat has it."""
    return InputAudioRawFrame(audio=samples, sample_rate=24000, num_channels=1)


async def talk(service):
    """Have the conversation."""
    messages = [{"role": "user", "content": "Please find the aisle of Marmalade"}]
    context = LLMContext(messages, tools=ToolsSchema(standard_tools=[AISLE]))
    service.register_function("find_aisle", find_aisle)
    aggregators, answers = LLMContextAggregatorPair(context), Answers()
    task = PipelineTask(Pipeline([aggregators.user(), service, answers, aggregators.assistant()]))
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    await task.queue_frame(LLMContextFrame(context))
    await answers.ended.acquire()  # it has called the function
    await answers.ended.acquire()
    await task.queue_frames([sound(loud(1000)), sound(silent(900))])
    await answers.ended.acquire()
    await task.queue_frame(EndFrame())
    await running


async def main():
    """Connect as the environment says."""
    # It answers in writing: a spoken answer would be truncated by the time that passed.
    properties = SessionProperties(output_modalities=["text"])
    service = OpenAIRealtimeLLMService(
        api_key=os.environ["OPENAI_API_KEY"],
        base_url=f"{os.environ['STENO_CLIENT_WS']}/realtime",
        settings=OpenAIRealtimeLLMService.Settings(session_properties=properties),
    )
    if os.environ.get("STENO_TAP_URL"):
        from steno_tap import Tap

        async with Tap() as tap:
            await talk(tap.pipecat(service))
    else:
        await talk(service)


asyncio.run(main())
