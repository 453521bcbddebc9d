import asyncio
import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from steno_tap import Tap
from tests.servers import Steno, closed_port, shapes, texts, until

MakeTap = Callable[..., Tap]
FRAME = '{"type":"session.created"}'


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, and hold it to ten seconds."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


def test_many_threads_push_into_one_tap(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)

    def call(name: int) -> None:
        conversation = tap.conversation(f"call-{name}")
        for number in range(200):
            conversation.send(f'{{"n":{number}}}')
        conversation.close(1000, "")

    threads = [threading.Thread(target=call, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tap.close()
    steno.settled(8)
    assert sorted(push.query["conversation"] for push in steno.pushes) == [f"call-{name}" for name in range(8)]
    for push in steno.pushes:
        assert texts(push.lines) == [f'{{"n":{number}}}' for number in range(200)]
        assert push.lines[-1]["dir"] == "close"


def test_no_thread_and_no_descriptor_is_left(steno: Steno) -> None:
    program = """
        import gc, os, sys, threading
        from steno_tap import Tap
        def left(): return sorted(os.listdir("/proc/self/fd")), [thread.name for thread in threading.enumerate()]
        before = left()
        tap = Tap(sys.argv[1])
        for _ in range(3):
            conversation = tap.conversation()
            conversation.send("{}")
            thread = tap._pusher._thread
            conversation.close(1000, "")
            thread.join(5)
            assert left() == before, (before, left())
        absent = Tap(sys.argv[1].replace("127.0.0.1", "127.0.0.2"))
        absent.send("{}")
        assert tap.close()
        assert not absent.close(0)
        assert left() == before, (before, left())
        """
    done = run(program, steno.url)

    assert done.returncode == 0, done.stderr


def test_the_thread_ends_with_the_last_conversation_and_begins_again(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    for _ in range(3):
        conversation = tap.conversation()
        conversation.send(FRAME)
        conversation.close(1000, "")
        until(lambda: tap._pusher._thread is not None and not tap._pusher._thread.is_alive())

    assert tap.close()
    steno.settled(3)
    assert [texts(push.lines) for push in steno.pushes] == [[FRAME]] * 3


def test_a_tap_that_sends_nothing_has_no_thread(make_tap: MakeTap) -> None:
    tap = make_tap()
    tap.conversation().close()

    assert tap._pusher._thread is None
    assert tap.close()


def test_frames_after_the_end_go_nowhere(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)
    conversation = tap.conversation()
    conversation.send(FRAME)
    conversation.close(1000, "done")
    conversation.send(FRAME)
    conversation.close(1006, "")
    assert tap.close()
    tap.send(FRAME)

    steno.settled()
    assert shapes(steno.lines) == [
        {"dir": "received", "text": FRAME},
        {"dir": "close", "code": 1000, "reason": "done"},
    ]


def test_asyncio_waits_without_holding_its_loop(make_tap: MakeTap, steno: Steno) -> None:
    async def main() -> int:
        turns = 0
        steno.reads.clear()

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                steno.reads.set()
                await asyncio.sleep(0)

        async with make_tap(steno.url) as tap:
            tap.send(FRAME)
            other = asyncio.create_task(others())
        other.cancel()
        return turns

    assert asyncio.run(main()) > 1
    steno.settled()
    assert texts(steno.lines) == [FRAME]


def test_a_loop_that_is_closed_abruptly_takes_nothing_with_it(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url)

    async def main() -> None:
        tap.send(FRAME)
        raise RuntimeError("the application dies here")

    with pytest.raises(RuntimeError):
        asyncio.run(main())
    tap.send(FRAME)

    assert tap.close()
    steno.settled()
    assert texts(steno.lines) == [FRAME, FRAME]


def test_a_tap_that_nobody_holds_pushes_what_it_has_and_ends(steno: Steno) -> None:
    tap = Tap(steno.url)
    tap.send(FRAME)
    del tap
    gc.collect()

    steno.settled()
    assert texts(steno.lines) == [FRAME]


def test_nothing_of_the_tap_is_raised_into_the_application(make_tap: MakeTap, caplog: pytest.LogCaptureFixture) -> None:
    tap = make_tap()
    tap.send(object())
    tap.send(FRAME, "sideways")  # type: ignore[arg-type]
    tap.send({"type": {1, 2}})
    loop: list[object] = []
    loop.append(loop)
    tap.send(loop)
    assert tap(7) == 7
    tap.agents(None)

    assert tap.close(0)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        "the tap failed at a frame: TypeError",
        "this connection cannot be tapped, it goes on without: int",
    ]


def test_a_log_handler_that_waits_for_another_thread_holds_nobody(make_tap: MakeTap, steno: Steno) -> None:
    class Waiting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            other = threading.Thread(target=tap.send, args=(FRAME,))
            other.start()
            other.join()

    tap = make_tap(steno.url, queue_bytes=1)
    handler = Waiting()
    logging.getLogger("steno_tap").addHandler(handler)
    tap.send(FRAME)
    logging.getLogger("steno_tap").removeHandler(handler)

    assert tap.close()
    steno.settled()
    assert sum(line["frames"] for line in steno.lines) == 2


def test_the_bound_over_all_holds_for_many_conversations(make_tap: MakeTap) -> None:
    with closed_port() as port:
        tap = make_tap(f"ws://127.0.0.1:{port}", queue_bytes=10_000, total_bytes=50_000)
        for _ in range(20):
            conversation = tap.conversation()
            for _ in range(20):
                conversation.send("A" * 1000)
        gaps = 20 * 256
        assert tap._pusher.budget.used_bytes <= 50_000 + gaps
        tap.close(0)
        assert tap._pusher.budget.used_bytes == 0


EXIT = """
    import sys
    from steno_tap import Tap
    tap = Tap(sys.argv[1])
    for number in range(100):
        tap.send('{"n":%d}' % number)
    """


def test_the_end_of_the_interpreter_waits_for_what_is_on_its_way(steno: Steno) -> None:
    done = run(EXIT, steno.url)

    assert (done.returncode, done.stderr) == (0, "")
    steno.settled()
    assert texts(steno.lines) == [f'{{"n":{number}}}' for number in range(100)]


def test_the_end_of_the_interpreter_does_not_wait_for_an_absent_steno() -> None:
    program = (
        EXIT
        + "import time, atexit; begun = time.monotonic(); import steno_tap.tap\n"
        + ("    atexit.unregister(steno_tap.tap._at_exit); steno_tap.tap._at_exit(); print(time.monotonic() - begun)\n")
    )
    with closed_port() as port:
        done = run(program.replace("import time, atexit", "    import time, atexit".lstrip()), f"ws://127.0.0.1:{port}")

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.5


def test_a_process_that_ends_without_a_word_of_its_loop_does_not_hang(steno: Steno) -> None:
    steno.reads.clear()
    done = run(EXIT + "    for _ in range(1000): tap.send('A' * 50_000)\n", steno.url)

    assert done.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_a_fork_pushes_its_own_frames_once_and_leaves_the_parents_alone(steno: Steno, tmp_path: Path) -> None:
    program = """
        import os, sys
        from steno_tap import Tap
        tap = Tap(sys.argv[1], ack=True)
        conversation = tap.conversation("shared")
        conversation.send('{"from":"parent","n":1}')
        child = os.fork()
        if child == 0:
            conversation.send('{"from":"child"}')
            everything = tap.close(5)
            os._exit(0 if everything else 1)
        _, status = os.waitpid(child, 0)
        conversation.send('{"from":"parent","n":2}')
        assert tap.close(5)
        sys.exit(os.waitstatus_to_exitcode(status))
        """
    done = run(program.replace('"-W", "error"', ""), steno.url)

    assert (done.returncode, done.stderr) == (0, "")
    steno.settled(2)
    assert sorted(texts(push.lines) for push in steno.pushes) == [
        ['{"from":"child"}'],
        ['{"from":"parent","n":1}', '{"from":"parent","n":2}'],
    ]


def test_a_frame_costs_the_application_no_wait(make_tap: MakeTap, steno: Steno) -> None:
    """No call takes as long as any exchange with the server: each returns while the server has read nothing."""
    steno.reads.clear()
    tap = make_tap(steno.url, queue_bytes=100_000)
    for _ in range(5000):
        tap.send(FRAME)

    assert not steno.lines
    steno.reads.set()
    assert tap.close()
    assert time.monotonic() > 0
