"""Runs killed, and disks that fill, at a sample of the file operations.

`python -m benchmarks.kill_everywhere` is all of them, with `--disk full` and `--disk read-only`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of one process")
@pytest.mark.parametrize(
    ("options", "least"), [(["--every", "37"], 20), (["--disk", "full", "--every", "23"], 8)]
)
def test_a_run_cut_at_a_file_operation_goes_on_to_the_same_bits(options, least):
    """Killed before and half way, with the power on and lost; or the disk is full from there on."""
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill_everywhere", *options],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    *_, last = done.stdout.splitlines() or [done.stderr]
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(last.split()[0]) > least, last
    assert last.endswith(" 0 not survived")
