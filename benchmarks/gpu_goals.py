"""What a run of `benchmarks.gpu` says of the goals: `python -m benchmarks.gpu_goals FILE`.

Kernels against the bandwidth of a copy, against eager and compiled torch; exit code 1 where a goal
is not met. A goal of which the file has no figure is named as such.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NOISE = 1.05  # a kernel may take so much longer than torch.compile
_COPY_PERCENT = 85
_LARGE = ([256, 17, 128, 128], [32, 17, 64, 64, 64])
OURS, EAGER, COMPILED = "posezoo triton", "posezoo torch", "torch.compile"
# Operation, shape's length, and how many times eager's speed.
_TIMES = {("soft_argmax", 4): 4.0, ("dsnt_loss js", 4): 15.0, ("soft_argmax", 5): 8.0}
_THIRD = 1 / 3  # of the memory of the textbook's volumetric soft-argmax


def main() -> None:
    """Print each goal with its figure."""
    if len(sys.argv) != 2:
        sys.exit("python -m benchmarks.gpu_goals benchmarks/results/gpu-DEVICE.json")
    rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["results"]
    judged = [*goals(rows)]
    for goal, figure, met in judged:
        print(f"{'met' if met else 'NOT MET' if figure else 'no figure':9}  {figure:>12}  {goal}")
    sys.exit(not all(met for _, figure, met in judged if figure))


def goals(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, bool]]:
    """What is wanted, what was measured ("": nothing), and whether it is enough."""
    groups: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["group"] == "kernels" and "best_ms" in row:
            key = row["operation"], tuple(row["shape"]), row["dtype"], row["mode"]
            groups.setdefault(key, {})[row["implementation"]] = row
    for (operation, shape, dtype, mode), found in groups.items():
        name = f"{operation} {'x'.join(map(str, shape))} {dtype} {mode}"
        ours, eager, compiled = (found.get(each) for each in (OURS, EAGER, COMPILED))
        if ours is None:
            continue
        if [*shape] in _LARGE and mode == "forward" and "head" not in operation:
            percent = ours["copy_percent"]
            enough = percent >= _COPY_PERCENT
            yield f"{name}: {_COPY_PERCENT} % of the copy", f"{percent:.0f} %", enough
        wanted = _TIMES.get((operation, len(shape)))
        if wanted and mode == "both" and eager:
            times = eager["best_ms"] / ours["best_ms"]
            yield f"{name}: {wanted:g} x eager", f"{times:.1f} x", times >= wanted
        if compiled:
            ratio = ours["best_ms"] / compiled["best_ms"]
            goal = f"{name}: no slower than torch.compile"
            yield goal, f"{ratio:.2f} of it", ratio <= _NOISE
        textbook = found.get("textbook")
        volume = len(shape) == 5 and operation == "soft_argmax" and mode == "both"
        if volume and textbook and "peak_mb" in ours:
            share = ours["peak_mb"] / textbook["peak_mb"]
            yield f"{name}: a third of the textbook's memory", f"{share:.2f}", share <= _THIRD
    for key, wanted in _TIMES.items():
        if not any((op, len(shape)) == key for op, shape, *_ in groups):
            yield f"{key[0]} in {key[1] - 2} dimensions: {wanted:g} x eager", "", False


if __name__ == "__main__":
    main()
