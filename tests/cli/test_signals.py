"""SIGTERM and SIGINT at any place of any command: one line, 143 or 130, and it can be gone on with.

`python -m benchmarks.kill_randomly --signals` sends them at random moments to whole programs.
"""

import importlib
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.kill_commands import COMMANDS
from posezoo.training.signals import Stopped, StopRequest

WHERE = {
    "data convert, a store": "posezoo.data.convert.conversion.write_store",
    "predict": "posezoo.inference.jobs.write_results",
    "sweep": "posezoo.sweep.table.draw",
    "weights import": "posezoo.weights.importing.save_weights",
}


@pytest.mark.parametrize("name", WHERE)
def test_a_signal_ends_a_command_in_one_line_and_it_can_be_given_again(
    name, tmp_path, invoke, monkeypatch
):
    command, source, out = COMMANDS[name], tmp_path / "source", tmp_path / "out"
    source.mkdir()
    command.prepare(source)
    monkeypatch.setenv("POSEZOO_CACHE", str(out))
    signum = signal.SIGINT if name == "predict" else signal.SIGTERM
    with monkeypatch.context() as patch:
        patch.setattr(WHERE[name], lambda *args, **options: os.kill(os.getpid(), signum))
        stopped = invoke(*command.words(source, out))
    assert stopped.exit_code == 128 + signum
    *_, last = stopped.output.splitlines()
    assert last == f"stopped by {signum.name}: type the same command again"
    assert "Traceback" not in stopped.output
    again = invoke(*command.words(source, out))
    assert again.exit_code == 0, again.output


def test_an_import_is_ended_before_a_signal_is_honoured(tmp_path, monkeypatch):
    """Torch's C++ aborts the process if an exception goes through its import."""
    (tmp_path / "slow_to_load.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nLOADED = [k for k in range(9)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Stopped) as stopped, StopRequest() as stop:
        stop.at_once("soon")
        slow_to_load = importlib.import_module("slow_to_load")
        time.sleep(5)
    assert len(slow_to_load.LOADED) == 9
    assert (stopped.value.code, stopped.value.said) == (143, "stopped by SIGTERM: soon")


def test_a_signal_while_an_object_is_cleared_up_is_not_lost(capfd):
    """Python prints what is raised in `__del__`, and goes on."""

    class Signals:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(9))  # where Python looks for signals

    with pytest.raises(Stopped) as stopped, StopRequest() as stop:
        stop.at_once("soon")
        signals = Signals()
        del signals
        time.sleep(5)
    assert stopped.value.code == 130
    assert capfd.readouterr().err == ""


def test_a_signal_while_the_program_loads_is_one_line():
    code = """\
import os, signal, sys
class Finder:
    def find_spec(self, name, *rest):
        if name == "posezoo.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from posezoo.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "stopped by SIGINT\n")


def test_a_signal_when_all_is_said_adds_no_word():
    """It comes when the command has taken its own handlers down, before the process ends."""
    code = """\
import os, signal, sys
from posezoo.training.signals import StopRequest
leave = StopRequest.__exit__
def left(self, *error):
    leave(self, *error)
    os.kill(os.getpid(), signal.SIGTERM)
StopRequest.__exit__ = left
sys.argv[1:] = ["info", "nothing"]
from posezoo.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 143
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(("words", "code"), [("list", 0), ("info nothing", 2)])
def test_a_signal_while_python_clears_up_changes_no_exit_code(words, code):
    """Its handlers are gone by then, and a second SIGTERM is not rare: see `timeout`."""
    script = f"""\
import os, signal, sys
class Last:
    def __del__(self, kill=os.kill, own=os.getpid(), signum=signal.SIGTERM):
        kill(own, signum)
sys.kept = Last()
sys.argv[1:] = {words.split()}
from posezoo.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no process is adopted there")
def test_processes_that_share_work_end_when_their_parent_is_killed(tmp_path):
    """They hold its pipe as long as they live."""
    (tmp_path / "work.py").write_text(
        "import os, signal, time\n"
        "from posezoo.training.processes import run_in_processes\n"
        "def endless(threads):\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    run_in_processes(endless, 2, again='')\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "work.py")], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
