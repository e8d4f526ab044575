"""What is known of a kernel before a GPU has seen it: spills, registers, vector width, int64."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

REGISTERS = 168  # of one thread; the largest so far is soft_argmax of a volume, with one warp
HEADS = ("head_mse", "integral_head")  # their filters' gradients fill the registers


@pytest.fixture(scope="module")
def reports() -> list[dict[str, Any]]:
    """Compiled in a process of its own: this one has the interpreter."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    run = [sys.executable, "-m", "posezoo_kernels.static"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_kernel_compiles_for_both_architectures_in_both_widths(
    reports: list[dict[str, Any]],
) -> None:
    seen = {(r["operation"].split()[0], r["arch"], r["dtype"]) for r in reports}
    operations = {o for o, _, _ in seen}
    assert operations == {
        "decode", "dsnt_loss", "gaussian_heatmaps", "heatmap_mse", "moments", "soft_argmax", *HEADS
    }  # fmt: skip
    assert seen == {
        (o, a, d) for o in operations for a in (80, 90) for d in ("float32", "bfloat16")
    }


def test_nothing_spills_and_registers_keep_their_budget(reports: list[dict[str, Any]]) -> None:
    assert [r for r in reports if r["spill_bytes"]] == []
    most = dict.fromkeys(HEADS, 255)
    assert [
        r for r in reports if r["registers"] > most.get(r["operation"].split()[0], REGISTERS)
    ] == []


def test_maps_are_read_and_written_sixteen_bytes_at_a_time(reports: list[dict[str, Any]]) -> None:
    of_maps = [
        r for r in reports if r["kernel"] != "combine" and "channels_last" not in r["operation"]
    ]
    loads = [r for r in of_maps if r["kernel"] != "_render"]
    writing = [r for r in of_maps if r["kernel"] in ("_render", "_backward")]
    assert [r for r in loads if r["load_bits"] != 128] == []
    assert [r for r in writing if r["store_bits"] != 128] == []


def test_grids_fit_the_device(reports: list[dict[str, Any]]) -> None:
    assert all(extent < 65536 for r in reports for extent in r["grid"][1:])


# Instructions over bytes where that is known to be above 1: logarithms, squares, and rows of 17
# joints in tiles of 32.
ABOVE_ONE = {
    "dsnt_loss js": 2.9,
    "dsnt_loss variance": 1.25,
    "moments": 1.1,
    "heatmap_mse channels_last": 1.2,
    "soft_argmax channels_last": 1.6,
    "moments channels_last": 2.7,
    "dsnt_loss js channels_last": 2.9,
    "dsnt_loss variance channels_last": 2.1,
    "integral_head": math.inf,  # matrix products: arithmetic is its bound
}


def test_in_float32_the_memory_is_the_bottleneck_not_the_instructions(
    reports: list[dict[str, Any]],
) -> None:
    share = {
        (r["operation"], r["kernel"], *r["shape"]): r["issue_us"] / r["bytes_us"]
        for r in reports
        if r["issue_us"] and r["bytes_us"]
    }
    assert len(share) > 20
    assert [key for key, value in share.items() if value > ABOVE_ONE.get(key[0], 1.0)] == []


def test_addresses_of_maps_pass_two_to_the_thirty_one() -> None:
    """17 x 64^3 cells at a batch of 482: the address must be formed from an int64 index."""
    import posezoo_kernels

    found = 0
    for path in Path(posezoo_kernels.__file__).parent.glob("*.py"):
        for kernel in re.split(r"^@triton.jit\n", path.read_text(), flags=re.MULTILINE)[1:]:
            if "tl.program_id(0)" in kernel:
                assert "tl.program_id(0).to(tl.int64)" in kernel, f"{path}: {kernel[:30]}"
                found += 1
    assert found >= 18
    assert torch.iinfo(torch.int32).max < 482 * 17 * 64**3
