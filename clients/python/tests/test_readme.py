"""The README's examples, as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.provider import Provider
from tests.servers import Steno, texts

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def run(example: str, steno: Steno, provider: Provider) -> None:
    environment = {
        "STENO_TAP_URL": steno.url,
        "OPENAI_API_KEY": "sk-of-the-application",
        "OPENAI_BASE_URL": f"http://{provider.host}/v1",
        "OPENAI_WEBSOCKET_BASE_URL": f"ws://{provider.host}/v1",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }
    example = example.replace("runner.run()", f'runner.run(model_config={{"url": "ws://{provider.host}"}})')
    done = subprocess.run(
        [sys.executable, "-c", example], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_four() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("index", [0, 1, 3])
def test_an_example_with_a_library(steno: Steno, index: int) -> None:
    with Provider() as provider:
        run(EXAMPLES[index], steno, provider)

    steno.settled()
    assert len(texts(steno.lines)) == len(provider.sent) + len(provider.received) > 5
    assert steno.pushes[0].query == ({"conversation": "till-7"} if index == 1 else {})


def test_the_example_without_a_library(steno: Steno) -> None:
    with Provider() as provider:
        run(EXAMPLES[2], steno, provider)

    steno.settled()
    assert [line["dir"] for line in steno.lines] == ["sent", "received", "close"]
