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
