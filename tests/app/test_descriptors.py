"""Descriptors that others read: small writes that do not wait, and none of the first three left closed."""

import os
import pty
import subprocess
import sys

import pytest

from steno.app.descriptors import WRITE_BYTES, Descriptor


def test_a_write_takes_what_a_pipe_takes_at_once() -> None:
    """And nothing where there is no room; the pipe stays as it was."""
    reading, writing = os.pipe()
    descriptor = Descriptor(writing)

    taken = [descriptor.write(bytes(10 * WRITE_BYTES), 0)]
    while taken[-1]:
        taken.append(descriptor.write(bytes(WRITE_BYTES), 0))
    blocking = os.get_blocking(writing)
    os.close(reading)
    os.close(writing)

    assert taken == [WRITE_BYTES] * (len(taken) - 1) + [0]
    assert (blocking, len(taken) > 2) == (True, True)


def test_a_reader_that_has_gone_is_noticed_without_a_write() -> None:
    """Of a pipe, and of a terminal; a pipe that is full has its reader still."""
    reading, writing = os.pipe()
    parent, child = pty.openpty()
    descriptors = Descriptor(writing), Descriptor(child)
    while descriptors[0].write(bytes(WRITE_BYTES), 0):
        pass

    before = [each.gone for each in descriptors]
    os.close(reading)
    os.close(parent)
    after = [each.gone for each in descriptors]
    os.close(writing)
    os.close(child)

    assert (before, after) == ([False, False], [True, True])


def test_a_terminal_is_one() -> None:
    """People look at it; nobody looks at a pipe."""
    parent, child = pty.openpty()
    reading, writing = os.pipe()

    found = (Descriptor(child).terminal, Descriptor(writing).terminal)
    for each in (parent, child, reading, writing):
        os.close(each)

    assert found == (True, False)


def test_standard_descriptors_that_are_closed_are_opened() -> None:
    """In place of each stands the null device; what is open stays."""
    statements = """
import os
from steno.app.descriptors import open_standard
open_standard()
os.write(1, f"{os.readlink('/proc/self/fd/0')} {os.readlink('/proc/self/fd/2')} {os.open('/', 0)}".encode())
"""
    shell = ("sh", "-c", 'exec "$@" <&- 2>&-', "sh")
    done = subprocess.run([*shell, sys.executable, "-c", statements], stdout=subprocess.PIPE, text=True, check=True)

    null, error, following = done.stdout.split()
    assert (null, error) == (os.devnull, os.devnull)
    assert int(following) > 2


def test_a_descriptor_that_somebody_made_non_blocking_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room that there was may be gone."""
    reading, writing = os.pipe()

    def refuse(*_: object) -> int:
        raise BlockingIOError

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", refuse)
        taken = Descriptor(writing).write(b"x", 0)
    os.close(reading)
    os.close(writing)

    assert taken == 0
