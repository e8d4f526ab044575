"""How threads wait is chosen before torch is loaded; threads and workers fit the cores."""

import os
import re
import subprocess
import sys

import pytest
import torch

from posezoo import cores
from posezoo.registry import parse_pipeline
from posezoo.training import runs


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


@pytest.mark.parametrize(
    ("here", "workers", "threads"), [(1, 0, 1), (2, 1, 1), (4, 2, 2), (8, 4, 4), (32, 8, 24)]
)
def test_threads_and_workers_together_fit_the_cores(monkeypatch, here, workers, threads):
    monkeypatch.setattr(cores, "cores", lambda: here)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert cores.loader_workers(cpu=True) == workers
    assert cores.threads_beside(workers) == threads


def test_a_gpu_leaves_all_cores_but_one_to_the_workers(monkeypatch):
    monkeypatch.setattr(cores, "cores", lambda: 6)
    assert cores.loader_workers(cpu=False) == 5


def test_the_user_s_number_of_threads_is_kept(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cores.threads_beside(8) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # nested teams
    assert cores.threads_beside(8) == 4


def test_training_takes_its_threads_and_gives_them_back(monkeypatch, tmp_path):
    class Training:
        """Notes how many threads it was given, and stops there."""

        def __init__(self, *_, workers, **__):
            assert workers == 2

        def start(self, *_):
            pass

        def __call__(self, stop):
            del stop
            given.append(torch.get_num_threads())
            raise ValueError("stop")

    given, before = [], torch.get_num_threads()
    monkeypatch.setattr(runs, "Training", Training)
    monkeypatch.setattr(cores, "cores", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(4)
    try:
        pipeline = parse_pipeline("resnet18:cut=layer1-hm")
        run, settings, _ = runs.plan(pipeline=pipeline, out=tmp_path / "run", device="cpu")
        with pytest.raises(ValueError, match="stop"):
            runs.start(run, settings, device="cpu", workers=2)
        assert (given, torch.get_num_threads()) == ([3], 4)
    finally:
        torch.set_num_threads(before)
