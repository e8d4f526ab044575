"""Everything on a GPU in 15 minutes: `python -m benchmarks.gpu_plan`; `--list` shows the plan.

One process for each step, in this order, each within its own time; one that fails or takes too long
does not hold up the next. `--device cpu` rehearses all with small sizes. `--only NAME` runs one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass

from benchmarks import page_blocks


@dataclass(frozen=True, slots=True)
class Step:
    """One command."""

    name: str
    seconds: int  # at most
    command: tuple[str, ...]
    rehearsal: tuple[str, ...]  # on the CPU


def _module(name: str, *words: str) -> tuple[str, ...]:
    return sys.executable, "-m", f"benchmarks.{name}", *words


def _posezoo(*words: str) -> tuple[str, ...]:
    return sys.executable, "-c", "from posezoo.cli import main; main()", *words


def _train(what: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return _module("gpu_train", what), _module("gpu_train", what, "--device", "cpu")


_TINY = ("--steps", "4", "--batch-size", "4", "--set", "eval_samples=4")
STEPS = (
    # Tests of the kernels, graphs, compute-sanitizer, all formulations; it ends itself after 460 s.
    Step("kernels", 500, _module("gpu"), _module("gpu", "--rehearse")),
    Step("resnet", 75, *_train("resnet")),
    Step("lifter", 75, *_train("lifter")),
    Step("ranks", 45, *_train("ranks")),
    # The product itself: pictures on the device, as a user types it.
    Step(
        "train",
        90,
        _posezoo("train", "resnet50-hm+martinez", "--steps", "300"),
        _posezoo("train", "resnet18:cut=layer1-hm+martinez:width=32", "--device", "cpu", *_TINY),
    ),
    Step(
        "pipeline",
        60,
        _posezoo("bench", "pipeline", "resnet50-hm+martinez"),
        _posezoo("bench", "pipeline", "resnet18-direct", "--device", "cpu", "--image-size", "64"),
    ),
)


def main() -> None:
    """Run the plan; exit code 1 if a step failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in STEPS])
    parser.add_argument("--list", action="store_true", help="show the plan and do nothing")
    chosen = parser.parse_args()
    steps = [step for step in STEPS if not chosen.only or step.name in chosen.only]
    if chosen.list:
        for step in steps:
            print(f"{step.name:9} {step.seconds:4} s  {' '.join(step.command[1:])}")
        print(f"{'':9} {sum(step.seconds for step in steps):4} s in all, at most")
        return
    outcomes = {step.name: _ran(step, chosen.device) for step in steps}
    print("\n".join(f"{name:9} {outcome}" for name, outcome in outcomes.items()))
    sys.exit(any("failed" in outcome for outcome in outcomes.values()))


def _ran(step: Step, device: str) -> str:
    command = step.command if device == "cuda" else step.rehearsal
    print(f"--- {step.name}: {' '.join(command[1:])}", flush=True)
    begin = time.monotonic()
    limit = step.seconds if device == "cuda" else None
    try:
        code = subprocess.run(command, cwd=page_blocks.ROOT, timeout=limit, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"failed: not finished in {step.seconds} s"
    passed = time.monotonic() - begin
    return f"{passed:.0f} s" if code == 0 else f"failed with exit code {code} after {passed:.0f} s"


if __name__ == "__main__":
    main()
