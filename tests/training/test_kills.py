"""Commands killed, and disks that fill, at a sample of the file operations.

`python -m benchmarks.kill_everywhere` is all of them, with `--disk full` and `--disk read-only`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILLED = ("train", "data convert, a store", "predict")
KILLED = (*FILLED, "train with 2 loader workers", "data detections", "weights import --replace")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of one process")
@pytest.mark.parametrize(
    ("commands", "options", "least"),
    [
        (KILLED, ["--every", "131"], 20),
        (FILLED, ["--disk", "full", "--every", "41"], 8),
    ],
    ids=["killed", "full"],
)
def test_a_command_cut_at_a_file_operation_goes_on_to_the_same_bits(commands, options, least):
    """Before and half way through it, with the power on and lost; or the disk is full then."""
    options = [*options, *(word for name in commands for word in ("--only", name))]
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
        timeout=900,
    )
    *_, last = done.stdout.splitlines() or [done.stderr]
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(last.split()[0]) > least, last
    assert last.endswith(" 0 not survived")
