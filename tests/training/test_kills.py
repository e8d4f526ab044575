"""Runs killed at a sample of the file operations; `python -m benchmarks.kill_everywhere` is all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of one process")
def test_a_run_killed_at_a_file_operation_goes_on_to_the_same_bits():
    """Every 23rd of all points: before, half way, with the power on and lost."""
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill_everywhere", "--every", "23"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    *_, last = done.stdout.splitlines() or [done.stderr]
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(last.split()[0]) > 20, last
    assert last.endswith(" 0 not survived")
