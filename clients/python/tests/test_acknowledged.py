from collections.abc import Callable
from functools import partial

from steno_tap import Tap
from tests.servers import Disk, Mute, Steno, shapes, texts, until

MakeTap = Callable[..., Tap]


def frames(first: int, last: int) -> list[str]:
    return [f'{{"n":{number}}}' for number in range(first, last + 1)]


def reached(disk: Disk, count: int) -> bool:
    return sum(map(len, disk.lines.values())) >= count


def stored(disk: Disk) -> list[str]:
    [lines] = [lines for lines in disk.lines.values() if lines]
    return texts(lines)


def test_what_is_acknowledged_is_forgotten(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url, ack=True)
    conversation = tap.conversation()
    for frame in frames(1, 100):
        conversation.send(frame)
    until(lambda: tap._pusher.budget.used_bytes == 0)

    assert tap.close()
    steno.settled()
    assert stored(steno.disk) == frames(1, 100)
    assert steno.pushes[0].query == {"ack": "1", "resume": conversation.resume, "from": "1"}


def test_a_restart_of_steno_loses_nothing_and_doubles_nothing(make_tap: MakeTap) -> None:
    disk = Disk()
    with Steno(disk) as steno:
        tap = make_tap(steno.url, ack=True)
        for frame in frames(1, 50):
            tap.send(frame)
        steno.wait(lambda: len(steno.lines) == 50)
        steno.kill()
        for frame in frames(51, 60):
            tap.send(frame)
        steno.start()

        assert tap.close()
        steno.settled(2)
    assert stored(disk) == frames(1, 60)


def test_what_was_sent_and_not_acknowledged_is_sent_again_under_its_number(make_tap: MakeTap) -> None:
    disk = Disk()
    with Steno(disk) as steno:
        steno.acknowledges = False  # it keeps the frames, and is killed before it says so
        tap = make_tap(steno.url, ack=True)
        for frame in frames(1, 3):
            tap.send(frame)
        steno.wait(lambda: len(steno.lines) == 3)
        steno.kill()
        steno.acknowledges = True
        steno.start()
        tap.send(frames(4, 4)[0])

        assert tap.close()
        steno.settled(2)
        assert steno.pushes[-1].query["from"] == "1"
        assert texts(steno.pushes[-1].lines) == frames(1, 4)
    assert stored(disk) == frames(1, 4)


def test_numbers_go_on_from_what_was_acknowledged(make_tap: MakeTap, steno: Steno) -> None:
    tap = make_tap(steno.url, ack=True)
    for frame in frames(1, 3):
        tap.send(frame)
    until(lambda: tap._pusher.budget.used_bytes == 0)
    steno.kill()
    steno.start()
    tap.send(frames(4, 4)[0])

    assert tap.close()
    steno.settled(2)
    assert steno.pushes[-1].query["from"] == "4"
    assert stored(steno.disk) == frames(1, 4)


def test_a_hundred_kills_under_load(make_tap: MakeTap) -> None:
    disk = Disk()
    with Steno(disk) as steno:
        tap = make_tap(steno.url, ack=True)
        for kill in range(100):
            for frame in frames(10 * kill + 1, 10 * kill + 10):
                tap.send(frame)
            steno.wait(partial(reached, disk, 10 * kill + 5))
            steno.kill()
            steno.start()

        assert tap.close(30)
        steno.settled()
    assert stored(disk) == frames(1, 1000)


def test_frames_that_are_kept_count_to_the_bound_and_gaps_are_acknowledged_too(make_tap: MakeTap) -> None:
    with Mute() as mute:
        tap = make_tap(f"ws://127.0.0.1:{mute.port}", ack=True, queue_bytes=1000)
        conversation = tap.conversation()
        for frame in frames(1, 3):
            conversation.send(frame)
        until(lambda: len(conversation.queue.unconfirmed) == 3)
        for frame in frames(4, 5):
            conversation.send(frame)
        until(lambda: len(conversation.queue.unconfirmed) == 4)
        conversation.send(frames(6, 6)[0])
    with Steno(port=mute.port) as steno:
        assert tap.close()
        steno.settled()
        gaps = [line for line in shapes(steno.lines) if line["dir"] == "gap"]
        assert texts(steno.lines) == frames(1, 3)
        assert sum(gap["frames"] for gap in gaps) == 3
        assert gaps[-1] == {"dir": "gap", "frames": 1, "bytes": 7, "reason": "queue_full"}


def test_a_frame_over_which_steno_closes_is_given_up_and_said(make_tap: MakeTap, steno: Steno) -> None:
    long = '{"long":"' + "A" * 1000 + '"}'

    def refuse_long(connection, line):
        if line.get("text") == long:
            connection.close(1009, "too long")

    steno.on_line = refuse_long
    tap = make_tap(steno.url, ack=True)
    for frame in ('{"n":1}', long, '{"n":2}'):
        tap.send(frame)

    assert tap.close()
    steno.settled(2)
    assert shapes(steno.pushes[-1].lines)[-2:] == [
        {"dir": "gap", "frames": 1, "bytes": len(long), "reason": "frame_too_big"},
        {"dir": "received", "text": '{"n":2}'},
    ]


def test_messages_that_are_no_acknowledgements_change_nothing(make_tap: MakeTap, steno: Steno) -> None:
    def babble(connection, _):
        for message in ("", "[", "{}", '{"ack":true}', '{"ack":"1"}', '{"ack":-5}', "[1]", b"\xff", "[" * 10_000):
            connection.send(message)

    steno.on_line = babble
    tap = make_tap(steno.url, ack=True)
    tap.send('{"n":1}')

    assert tap.close()
    steno.settled()
    assert len(steno.pushes) == 1
