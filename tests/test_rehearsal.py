"""Reading that hangs, crashes or takes the memory is refused in one line; other reading is free."""

import gc
import os
import signal
import sys
import time

import pytest

from posezoo import rehearsal
from posezoo.rehearsal import rehearse

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks with limits: Linux only")


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.h5"
    file.write_bytes(b"content")
    return file


def loop():
    while True:
        pass


def test_an_endless_loop_is_ended(path, monkeypatch):
    monkeypatch.setattr(rehearsal, "_SECONDS", 1)
    with pytest.raises(ValueError, match=r"a\.h5: damaged: its reading had not ended after 1 s"):
        rehearse(path, loop)


def test_waiting_for_nothing_is_ended(path, monkeypatch):
    monkeypatch.setattr(rehearsal, "_SECONDS", 1)
    monkeypatch.setattr(rehearsal, "_TIMES_THE_CLOCK", 0.2)
    start = time.monotonic()
    with pytest.raises(ValueError, match="had not ended"):
        rehearse(path, lambda: time.sleep(60))
    assert time.monotonic() - start < 10


def test_a_crash_is_named(path):
    with pytest.raises(ValueError, match=r"a\.h5: damaged: its reading crashed \(SIGSEGV\)"):
        rehearse(path, lambda: os.kill(os.getpid(), signal.SIGSEGV))


def test_more_memory_than_a_file_of_that_size_may_take_is_refused(path):
    with pytest.raises(ValueError, match=r"its 7 bytes would take more than 1,024 MiB of memory"):
        rehearse(path, lambda: bytearray(2 << 30))


def test_what_it_may_take_it_gets(path):
    for _ in range(5):
        rehearse(path, lambda: bytearray(50 << 20))


def test_what_its_parent_no_longer_needs_is_not_thrown_away_in_the_child(path, monkeypatch):
    """A network's runtime would wait there for threads that only the parent has."""
    monkeypatch.setattr(rehearsal, "_SECONDS", 1)
    monkeypatch.setattr(rehearsal, "_TIMES_THE_CLOCK", 3)

    class Waiting:
        def __init__(self):
            self.itself, self.parent = self, os.getpid()

        def __del__(self):
            while os.getpid() != self.parent:
                time.sleep(1)

    gc.disable()
    try:
        Waiting()
        rehearse(path, gc.collect)
    finally:
        gc.enable()


def test_an_error_is_left_to_the_reading_itself(path):
    def wrong():
        raise KeyError("x")

    rehearse(path, wrong)


def test_a_reading_with_a_name_is_tried_once_until_the_file_changes(path, tmp_path):
    def read():
        with (tmp_path / "tries").open("a") as file:
            file.write("x")

    def tries():
        return len((tmp_path / "tries").read_text())

    for _ in range(3):
        rehearse(path, read, name="a")
    assert tries() == 1
    rehearse(path, read, name="b")
    rehearse(path, read)
    assert tries() == 3
    path.write_bytes(b"other content")
    rehearse(path, read, name="a")
    assert tries() == 4


def test_a_reading_that_ended_badly_is_tried_again(path):
    for _ in range(2):
        with pytest.raises(ValueError, match="crashed"):
            rehearse(path, lambda: os.kill(os.getpid(), signal.SIGSEGV), name="a")


def test_nothing_of_it_is_seen_here(path):
    found = []
    rehearse(path, lambda: found.append(1))
    assert found == []
