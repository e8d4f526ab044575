"""Predictions from photographs against MediaPipe: `python -m benchmarks.prediction --pictures DIR`.

The BlazePose networks on the same pictures, with the same number of threads: MediaPipe's own
package where `--mediapipe PYTHON` names an interpreter that has it, `posezoo.Predictor` in torch
and with its networks in onnxruntime. *One person* is what MediaPipe does, one look at the whole
picture (`blazepose:tiles=1,look_again=false,max_people=1`); *all* is the default. Contenders are
processes that take turns; each reads files and gives joints. Then how long a command takes to its
first line, and the shares of a prediction. Writes results/prediction.json and a table of
docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from benchmarks import page_blocks
from benchmarks.turns import contend, in_turns
from posezoo.cores import keep_freed_memory, wait_quietly

NAME = "prediction"
ONE, ALL = "blazepose:tiles=1,look_again=false,max_people=1", "blazepose"
MEDIAPIPE, FIRST = "MediaPipe", "first line"
PARTS = ("decode", "crop", "person network", "landmark network", "rest of finding", "lift", "files")
_SUFFIXES = {".jpg", ".jpeg", ".png"}


def main() -> None:
    """Measure, or be one of those who are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="a folder of photographs")
    parser.add_argument("--mediapipe", default="", metavar="PYTHON", help="which has mediapipe")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=int, default=8, help="pictures of a turn")
    parser.add_argument("--tables", action="store_true", help="write the page alone")
    parser.add_argument("--contender", nargs=2, metavar=("THREADS", "NODE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if not chosen.tables and (chosen.pictures is None or not chosen.pictures.is_dir()):
        parser.error("--pictures FOLDER: of photographs with people in them")
    if chosen.contender:
        contend(_contender(pictures(chosen), int(chosen.contender[0]), chosen.contender[1]))
        return
    if not chosen.tables:
        measure(chosen)
    report = json.loads((page_blocks.RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))
    page_blocks.write(page_blocks.SPEED, NAME, lines(report))


def pictures(chosen: argparse.Namespace) -> list[Path]:
    """The first so many of the folder, by name."""
    found = sorted(each for each in chosen.pictures.iterdir() if each.suffix.lower() in _SUFFIXES)
    return found[: chosen.most]


def measure(chosen: argparse.Namespace) -> None:
    """All of it, into the results file."""
    with TemporaryDirectory() as folder:
        exported = Path(folder) / "blazepose.onnx"
        _posezoo("export", "blazepose", "--out", str(exported))
        rows = []
        for threads in chosen.threads:
            nodes = {"torch, one person": ONE, "torch, all": ALL}
            nodes |= {"onnxruntime, one person": f"{ONE},onnx={exported}"}
            nodes |= {"onnxruntime, all": f"{ALL}:onnx={exported}"}
            contenders = {name: _command(chosen, threads, node) for name, node in nodes.items()}
            if chosen.mediapipe:
                script = str(Path(__file__).with_name("mediapipe_contender.py"))
                words = [str(threads), *map(str, pictures(chosen))]
                contenders = {MEDIAPIPE: [chosen.mediapipe, script, *words]} | contenders
            passive = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(threads)}
            found = in_turns(
                contenders, rounds=chosen.rounds, environments=dict.fromkeys(contenders, passive)
            )
            for name, answers in found.items():
                row = {"threads": threads, "contender": name, "s_per_picture": answers}
                print(row, flush=True)
                rows.append(row)
        start = [*_first_lines(chosen, exported, Path(folder))]
        shares = [{"detector": node, "ms": _shares(chosen, node)} for node in (ONE, ALL)]
    page_blocks.save(NAME, {"pictures": len(pictures(chosen)), "results": rows, "start": start,
                            "shares": shares})  # fmt: skip


def _command(chosen: argparse.Namespace, threads: int, node: str) -> list[str]:
    own = ["--pictures", str(chosen.pictures), "--most", str(chosen.most)]
    return [sys.executable, "-m", f"benchmarks.{NAME}", *own, "--contender", str(threads), node]


def _contender(files: list[Path], threads: int, node: str) -> Callable[[], float]:
    """Seconds a picture, files read and joints in mm made."""
    wait_quietly()
    keep_freed_memory()  # as the command line does
    import torch  # noqa: PLC0415 - after OpenMP's variables are set

    from posezoo.inference.predictor import Predictor  # noqa: PLC0415

    torch.set_num_threads(threads)
    predictor = Predictor(detector=node)

    def turn() -> float:
        begin = time.perf_counter()
        for file in files:
            predictor.picture(file)
        return (time.perf_counter() - begin) / len(files)

    return turn


def _first_lines(
    chosen: argparse.Namespace, exported: Path, folder: Path
) -> Iterator[dict[str, Any]]:
    """Seconds from the command to its first line, and to its end, of one picture."""
    picture = str(pictures(chosen)[0])
    own = [sys.executable, "-c", "from posezoo.cli import main; main()", "predict", picture]
    own += ["--out", str(folder / "results"), "--restart"]
    commands = {
        "posezoo predict": own,
        "posezoo predict --no-png": [*own, "--no-png"],
        "posezoo predict, one person, --no-png": [*own, "--no-png", "--detector", ONE],
        "python -c 'import torch'": [sys.executable, "-c", "import torch; print(1)"],
    }
    if chosen.mediapipe:
        script = str(Path(__file__).with_name("mediapipe_contender.py"))
        commands[MEDIAPIPE] = [chosen.mediapipe, script, "once", picture]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(chosen.rounds):
        for name, command in commands.items():
            seconds[name].append(_first_line(command))
    for name, found in seconds.items():
        print(name, found, flush=True)
        yield {"command": name, FIRST: found}


def _first_line(command: list[str]) -> float:
    begin = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        cwd=page_blocks.ROOT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        if not process.stdout.readline():
            raise ValueError(f"{' '.join(command)} said nothing")
        passed = time.perf_counter() - begin
        process.stdout.read()
    return passed


def _posezoo(*words: str) -> None:
    program = "from posezoo.cli import main; main()"
    subprocess.run([sys.executable, "-c", program, *words], check=True, cwd=page_blocks.ROOT,
                   stdout=subprocess.DEVNULL)  # fmt: skip


def _shares(chosen: argparse.Namespace, node: str) -> dict[str, float]:
    """Milliseconds of CPU of a picture, in one thread, by what `posezoo predict` does with it."""
    import torch  # noqa: PLC0415

    from posezoo.detectors import blazepose  # noqa: PLC0415
    from posezoo.inference.jobs import write_results  # noqa: PLC0415
    from posezoo.inference.picture import read_picture  # noqa: PLC0415
    from posezoo.inference.predictor import Predictor  # noqa: PLC0415
    from posezoo.inference.sources import Source  # noqa: PLC0415

    keep_freed_memory()
    torch.set_num_threads(1)
    spent: Counter[str] = Counter()

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*given, **named)
            finally:
                spent[name] += time.process_time() - begin

        return run

    predictor = Predictor(detector=node)
    detector: Any = predictor.pipeline.detector
    finder, files = type(predictor.finder), pictures(chosen)
    with (
        TemporaryDirectory() as folder,
        patch.object(blazepose, "sample", timed("crop", blazepose.sample)),
        patch.object(detector.person, "forward", timed(PARTS[2], detector.person.forward)),
        patch.object(detector.landmarks, "forward", timed(PARTS[3], detector.landmarks.forward)),
        patch.object(finder, "__call__", timed("finding", finder.__call__)),
        patch.object(predictor, "lift", timed("lift", predictor.lift)),
    ):
        write = timed("files", write_results)
        for turn in range(2):
            for file in files:
                picture = timed("decode", read_picture)(file)
                prediction = predictor.picture(picture)
                write(
                    prediction, Path(folder), Source(str(file), "picture", file.stem),
                    ("png",), picture,
                )  # fmt: skip
            if not turn:
                spent.clear()  # the first turn warms up
    inside = ("crop", PARTS[2], PARTS[3])
    spent["rest of finding"] = spent["finding"] - sum(spent[name] for name in inside)
    return {name: 1e3 * spent[name] / len(files) for name in PARTS}


def lines(report: dict[str, Any]) -> Iterator[str]:
    """What stands between the markers of docs/speed.md."""
    yield f"{page_blocks.where(report)} {report['pictures']} photographs."
    yield ""
    groups: dict[int, dict[str, list[float]]] = {}
    for row in report["results"]:
        groups.setdefault(row["threads"], {})[row["contender"]] = row["s_per_picture"]
    rows = []
    for threads, found in groups.items():
        for name, seconds in found.items():
            theirs = found.get(MEDIAPIPE)
            times = [a / b for a, b in zip(seconds, theirs, strict=True)] if theirs else []
            middle = 1e3 * sorted(seconds)[len(seconds) // 2]
            cells = (name, str(threads), f"{middle:.0f}", f"{1e3 / middle:.1f}")
            rows.append((*cells, page_blocks.ratio(times) if times else "not installed"))
    headings = ("", "threads", "ms a picture", "pictures/s", f"time x {MEDIAPIPE}'s")
    yield from page_blocks.table(headings, rows)
    yield ""
    starts = [
        (row["command"], f"{sorted(row[FIRST])[len(row[FIRST]) // 2]:.2f}",
         f"{min(row[FIRST]):.2f} to {max(row[FIRST]):.2f}")
        for row in report["start"]
    ]  # fmt: skip
    yield from page_blocks.table(("command", "s to its first line", "least to greatest"), starts)
    yield ""
    shares = []
    for row in report["shares"]:
        total = sum(row["ms"].values())
        cells = [f"{100 * row['ms'][name] / total:.0f} %" for name in PARTS]
        shares.append((f"`{row['detector']}`", f"{total:.0f}", *cells))
    yield from page_blocks.table(("detector", "ms of CPU a picture", *PARTS), shares)


if __name__ == "__main__":
    os.environ.setdefault("GLOG_minloglevel", "2")
    main()
