"""How often a client may send a wrong token."""

from steno.admin.attempts import ADDRESSES, AT_ONCE, SECONDS_EACH, Attempts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_ten_at_once_then_one_every_six_seconds() -> None:
    clock = Clock()
    attempts = Attempts(clock)

    def most() -> int:
        count = 0
        while not attempts.exhausted("192.0.2.1"):
            attempts.wrong("192.0.2.1")
            count += 1
        return count

    counts = [most()]
    for seconds in (SECONDS_EACH, SECONDS_EACH - 0.5, 3600.0):
        clock.now += seconds
        counts.append(most())

    assert counts == [AT_ONCE, 1, 0, AT_ONCE]


def test_clients_do_not_answer_for_each_other() -> None:
    attempts = Attempts(Clock())
    for _ in range(AT_ONCE):
        attempts.wrong("2001:db8::1")
        attempts.wrong("::ffff:192.0.2.1")

    exhausted = ["2001:db8::2", "192.0.2.1", "2001:db8:0:1::1", "192.0.2.2", "fe80::1%eth0", ""]
    assert [attempts.exhausted(each) for each in exhausted] == [True, True, False, False, False, False]


def test_memory_is_bounded() -> None:
    attempts = Attempts(Clock())
    for number in range(ADDRESSES + 500):
        attempts.wrong(f"10.0.{number // 250}.{number % 250}")

    assert len(attempts._due) == ADDRESSES
