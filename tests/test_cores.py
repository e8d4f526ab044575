"""How threads wait is chosen before torch is loaded; threads and workers fit the cores."""

import os
import re
import subprocess
import sys

import pytest

from posezoo import cores


def openmp_of_the_command_line(**variables):
    """What OpenMP itself says, once torch has loaded it, of how threads wait."""
    environment = {n: v for n, v in os.environ.items() if n not in cores._WAITING}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_DISPLAY_ENV": "TRUE", **variables}
    command = [sys.executable, "-c", "from posezoo.cli import main; main()", "env", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return re.findall(r"OMP_WAIT_POLICY = '(\w+)'", done.stderr), done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the OpenMP of Linux's torch is GCC's")
@pytest.mark.parametrize(
    ("variables", "policy", "words"),
    [
        ({}, "PASSIVE", "OMP_WAIT_POLICY=PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", "OMP_WAIT_POLICY=ACTIVE"),
        ({"GOMP_SPINCOUNT": "5"}, "PASSIVE", "GOMP_SPINCOUNT=5"),  # as GCC calls no policy
    ],
)
def test_threads_of_the_command_line_sleep_while_they_wait_unless_the_user_says_otherwise(
    variables, policy, words
):
    said, printed = openmp_of_the_command_line(**variables)
    assert {*said} == {policy}
    assert f'"waiting": "{words}"' in printed


def test_nothing_is_chosen_once_torch_is_loaded(monkeypatch):
    for name in cores._WAITING:
        monkeypatch.delenv(name, raising=False)
    cores.wait_quietly()
    assert "OMP_WAIT_POLICY" not in os.environ
    assert cores.waiting() == "as OpenMP does by itself"


@pytest.mark.parametrize(("here", "workers"), [(1, 0), (2, 1), (4, 2), (8, 4), (32, 8)])
def test_pictures_have_half_as_many_workers_as_cores(monkeypatch, here, workers):
    monkeypatch.setattr(cores, "cores", lambda: here)
    assert cores.loader_workers(cpu=True) == workers


def test_a_gpu_leaves_all_cores_but_one_to_the_workers(monkeypatch):
    monkeypatch.setattr(cores, "cores", lambda: 6)
    assert cores.loader_workers(cpu=False) == 5


def kept_memory(**variables):
    """Whether glibc was told to keep what is freed, and what a process then takes and gives back.

    64 MB are freed: by itself the allocator hands such a block back to the system at once.
    """
    program = (
        "import ctypes; from posezoo.cores import keep_freed_memory; kept = keep_freed_memory()\n"
        "free, malloc = (getattr(ctypes.CDLL(None), n) for n in ('free', 'malloc'))\n"
        "malloc.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]\n"
        "def mib(): return int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20\n"
        "before, block = mib(), ctypes.c_void_p(malloc(64 << 20))\n"
        "ctypes.memset(block, 1, 64 << 20); free(block)\n"
        "print(kept, round(mib() - before))"
    )
    environment = {n: v for n, v in os.environ.items() if n not in cores._ALLOCATOR}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), **variables}
    run = [sys.executable, "-c", program]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
def test_freed_memory_is_kept_for_the_next_tensor_unless_the_user_says_otherwise():
    assert kept_memory().split() == ["True", "64"]
    assert kept_memory(MALLOC_MMAP_THRESHOLD_="131072").split() == ["False", "0"]
