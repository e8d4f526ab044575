"""How fast training is while its threads spin, sleep or share the cores, alone and among others.

    python -m benchmarks.waiting                 # about 12 minutes; nothing else may run
    python -m benchmarks.waiting --seconds 5     # to see that it works

Each line is a process of its own, since OpenMP reads its variables once. `busy` is beside as many
endless loops as --load says. How the system shares the cores is its own business: compare lines of
a column, not one number with another machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from posezoo.cores import cores, loader_workers

POLICIES: dict[str, dict[str, str]] = {
    "torch's own": {},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "no spinning": {"GOMP_SPINCOUNT": "0"},
}
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")


def main() -> None:
    """Measure every policy with every split of the cores, quiet and busy; print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement")
    parser.add_argument("--load", type=int, default=6, help="endless loops beside the busy ones")
    parser.add_argument(
        "--one", nargs=3, metavar=("WHAT", "THREADS", "WORKERS"), help=argparse.SUPPRESS
    )
    chosen = parser.parse_args()
    if chosen.one:
        what, threads, workers = chosen.one
        print(measure(what, int(threads), int(workers), chosen.seconds))
        return
    here, fitting = cores(), loader_workers(cpu=True)
    splits = {"lifter": [(here, 0)], "pictures": [(here, max(1, here - 1)), (here, 0)]}
    splits["pictures"].append((max(1, here - fitting), fitting))
    print("| what | threads + workers | waiting | quiet /s | busy /s |\n|---|---|---|---|---|")
    for what, ways in splits.items():
        for threads, workers in dict.fromkeys(ways):
            for name, variables in POLICIES.items():
                quiet, busy = (
                    alone(what, threads, workers, variables, chosen.seconds, load)
                    for load in (0, chosen.load)
                )
                row = f"| {what} | {threads} + {workers} | {name} | {quiet:.1f} | {busy:.1f} |"
                print(row, flush=True)


def alone(
    what: str, threads: int, workers: int, variables: dict[str, str], seconds: float, load: int
) -> float:
    """Poses or pictures a second, measured in a process of its own."""
    environment = {n: v for n, v in os.environ.items() if n not in WAITING} | variables
    command = [sys.executable, "-m", "benchmarks.waiting", "--seconds", str(seconds)]
    command += ["--one", what, str(threads), str(workers)]
    with _others(load):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@contextlib.contextmanager
def _others(count: int) -> Iterator[None]:
    """So many processes that want a core each, all the time."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


def measure(what: str, threads: int, workers: int, seconds: float) -> float:
    """Training items a second: batches loaded, computed and stepped as `posezoo train` does."""
    import torch  # noqa: PLC0415 - after OpenMP's variables are set

    from posezoo.assembly import build_dataset, build_pipeline, build_strategy  # noqa: PLC0415
    from posezoo.data.loading import training_batches  # noqa: PLC0415

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pictures = what == "pictures"
    pipeline = build_pipeline("resnet18-hm:decode=soft+martinez" if pictures else "martinez")
    data = build_dataset("synthetic", image_size=128 if pictures else 0)
    size, steps = (8, 10_000) if pictures else (64, 1_000_000)
    pipeline.fit_normalisation(data.__getitems__(range(64)))
    stage = build_strategy("multitask" if pictures else "separate").stages(pipeline)[0]
    optimizer = torch.optim.AdamW(pipeline.parameters(), 1e-4)
    loader = training_batches(
        data, batch_size=size, seed=0, first=0, last=steps, limit=0, workers=workers, pin=False
    )
    done, started = -3, time.monotonic()
    for batch in loader:
        optimizer.zero_grad()
        sum(stage.losses(pipeline.train(), batch, 0.0).values()).backward()
        optimizer.step()
        done += 1
        if done == 0:  # the first three warm up
            started = time.monotonic()
        elif done > 0 and (passed := time.monotonic() - started) > seconds:
            return done * size / passed
    raise ValueError(f"{steps} steps were too few for {seconds} s")


if __name__ == "__main__":
    main()
