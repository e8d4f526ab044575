"""The commands that `kill_everywhere` kills: tiny, each into a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
from safetensors import SafetensorError, safe_open

from benchmarks import fuzz_studio as studio
from benchmarks.fuzz_data_seeds import VIEW, data_targets
from benchmarks.fuzz_target import save_json
from posezoo import registry
from posezoo.cli import main
from posezoo.data.hdf5 import read_hdf5
from posezoo.inference.ledger import FILE as LEDGER
from posezoo.registry import catalog
from posezoo.sample.write import write_sample
from posezoo.training import runs

_PAINTED = Path(__file__).parents[1] / "tests" / "inference" / "painted.py"
_TRAINING = ["--device", "cpu", "--batch-size", "4"]
_SETTINGS = {
    "eval_every": "2",
    "eval_samples": "4",
    "log_every": "1",
    "normalisation_samples": "8",
    "data.items": "16",
}
_TRAINING += [word for name, value in _SETTINGS.items() for word in ("--set", f"{name}={value}")]
# Clock times, machines, and checksums of files whose metadata have no order.
_VOLATILE = (
    "*timing.jsonl",
    "*tensorboard*",
    "*manifest.json",
    "*.journal",
    "*run.toml",
    "*mine.json",
)
_FIGURES = ("draw_run", "draw_curves")


def _nothing(source: Path, out: Path) -> None:
    """No files beforehand."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of `posezoo` that writes into one folder.

    `answers`: what the same command may say in its one line when it is started again, and the words
    that are added then; None: all is there. `prepare` makes the sources, once, and `before` what is
    in the folder already. `finals` are files that are whole, or not there, at any time.
    """

    words: Callable[[Path, Path], list[str]]  # of the sources and of the folder
    prepare: Callable[[Path], None] = lambda source: None
    before: Callable[[Path, Path], None] = _nothing
    answers: dict[str, list[str] | None] = field(default_factory=dict)
    finals: tuple[str, ...] = ()
    in_folder: bool = True  # the folder is there beforehand
    draw: bool = False  # a run's figures, which take longer than the run
    last: int = 0  # only so many of its operations are cut at; 0: all


def call(words: list[str], out: Path, *, draw: bool = False) -> int:
    """Run `posezoo WORDS` in this process, without what it prints; its exit code."""
    # Neither git nor a compiler: what they take is not asked here.
    variables = {"POSEZOO_CACHE": str(out), "PATH": ""}
    figures = {} if draw else dict.fromkeys(_FIGURES, lambda *args, **options: None)
    with (
        patch.dict(os.environ, variables),
        patch.multiple(runs, **figures) if figures else nullcontext(),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        return main([*words], prog_name="posezoo", standalone_mode=False) or 0


def contents(folder: Path) -> dict[str, Any]:
    """What is in a folder, by name: all that does not depend on the clock or the machine."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return {
        re.sub("-[0-9a-f]{12}[.]", "-SHA256.", name): _content(folder / name)
        for name in names
        if not any(fnmatch(name, each) for each in ("*tensorboard/*",))
    }


def _content(path: Path) -> Any:
    if path.is_dir() or any(fnmatch(str(path), each) for each in _VOLATILE):
        return None
    if path.name == LEDGER:  # a line that a kill has cut stays, and does not count
        return [line for line in path.read_text().splitlines() if line.endswith("}")]
    try:
        if path.suffix == ".h5":
            return read_hdf5(path, _tree, expected="what it is")
        if path.suffix != ".safetensors":
            return path.read_bytes()
        file = safe_open(path, "np")
    except (ValueError, SafetensorError):
        return "damaged"
    with file:
        return file.metadata(), {name: file.get_tensor(name).tobytes() for name in file.keys()}


def _tree(file: h5py.File) -> dict[str, Any]:
    """All of it but the times at which groups were made."""
    found: dict[str, Any] = {"": repr(sorted(file.attrs.items()))}

    def visit(name: str, each: h5py.Group | h5py.Dataset) -> None:
        own = each[()].tobytes() if isinstance(each, h5py.Dataset) else b""
        found[name] = own, repr(sorted(each.attrs.items()))

    file.visititems(visit)
    return found


def _train(*more: str, draw: bool = False, last: int = 0, **settings: str) -> Command:
    words = ["train", "martinez:width=8", "--steps", "4", *_TRAINING, *more]
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return Command(
        words=lambda source, out: [*words, "--out", str(out)],
        answers={"add --resume to go on with it": ["--resume"]},
        in_folder=False,
        draw=draw,
        last=last,
    )


def _convert(prepare: Callable[[Path], None], format_name: str, *words: str) -> Command:
    name = "a_poses17.h5" if format_name == "bvh" else "store.h5"

    def command(source: Path, out: Path) -> list[str]:
        named = [str(source / word[1:]) if word[0] == "@" else word for word in words]
        return ["data", "convert", *named, "--from", format_name, str(out / name)]

    return Command(
        words=command,
        prepare=prepare,
        answers={"exists already": None},
        finals=("*.h5",),
    )


def _run(folder: Path) -> None:
    call(["train", "martinez:width=8", "--steps", "2", *_TRAINING, "--out", str(folder)], folder)


def _photographs(folder: Path) -> None:
    before = catalog.entries()
    painted = sys.modules[registry.load_plugin_file(_PAINTED)[0].target.partition(":")[0]]
    painted.save_standing(folder / "standing")
    for number in range(3):
        painted.save_photo(folder / "photos" / f"{number}.png", [(100 * number, 0, 3000)])
    _forget(before)


def _forget(before: list[registry.Entry]) -> None:
    catalog.discard([entry for entry in catalog.entries() if entry not in before])
    for name in [name for name in sys.modules if name.startswith("posezoo_plugin_")]:
        del sys.modules[name]


def _predict(source: Path, out: Path) -> list[str]:
    words = ["predict", str(source / "photos"), "--pipeline", str(source / "standing")]
    words += ["--plugin", str(_PAINTED), "--detector", "marks", "--focal", "700", "--batch", "2"]
    return [*words, "--no-png", "--csv", "--npz", "--bvh", "--html", "--out", str(out)]


def _detections(folder: Path) -> None:
    """A store, and what a detector found in it: all joints 2 px too far to the right."""
    data_targets()["own.json"].make(folder)
    words = ["data", "convert", str(folder / "own.json"), "--from", "own"]
    call([*words, str(folder / "a.h5")], folder)
    found = {
        "joint_set": "h36m17",
        "joints2d_px": (studio.px(VIEW)[0, studio.USED] + [2, 0]).tolist(),
        "confidence": [0.5] * 17,
    }
    person = {"id": 0, "score": 1.0, "box_px": [1, 2, 3, 4], "detected": found}
    about = {"posezoo": "0.2.0", "source": "a.jpg", "width": 1000, "height": 1000}
    save_json(folder / "found.json", about | {"people": [person]})


def _older(folder: Path) -> None:
    """Weights of that name from before."""
    _run(folder.with_name("earlier"))
    call(["weights", "import", str(folder.with_name("earlier")), "--out", "mine"], folder)


COMMANDS = {
    "train": _train(ema="0.9", schedule="plateau"),
    "train with 2 loader workers": _train("--workers", "2"),
    "train, its figures": _train(draw=True, last=20),
    "data convert, a store": _convert(data_targets()["martinez"].make, "martinez", "@"),
    "data convert, pictures": _convert(write_sample, "coco", "@coco.json", "--images", "@pictures"),
    "data convert, a table": _convert(data_targets()["own.csv"].make, "own", "@own.csv"),
    "data convert, motion": _convert(data_targets()["bvh"].make, "bvh", "@walk.bvh"),
    "data detections": Command(
        words=lambda source, out: [
            *("data", "detections", str(source / "a.h5"), str(source / "found.json")),
            *("--from", "keypoints", "--of", f"a/a/{VIEW}", "--name", "own"),
            *("--out", str(out / "b.h5")),
        ],
        prepare=_detections,
        answers={"exists already": None},
        finals=("b.h5",),
    ),
    "sweep": Command(
        words=lambda source, out: [
            *("sweep", "martinez:width=8", "--grid", "lr=1e-2,1e-3", "--steps", "2", *_TRAINING),
            *("--study", str(out)),
        ],
        finals=("table.*", "plot.png"),
        in_folder=False,
    ),
    "weights import": Command(
        words=lambda source, out: ["weights", "import", str(source), "--out", "mine"],
        prepare=_run,
        answers={"'mine' is taken": None},
        finals=("*.json", "*.safetensors"),
        in_folder=False,
    ),
    "weights import --replace": Command(
        words=lambda source, out: [
            *("weights", "import", str(source / "run"), "--out", "mine", "--replace")
        ],
        prepare=lambda source: (_run(source / "run"), _older(source / "older")),
        before=lambda source, out: shutil.copytree(source / "older", out),
        in_folder=False,
    ),
    "predict": Command(
        words=_predict,
        prepare=_photographs,
        finals=("*.json", "*.csv", "*.npz", "*.bvh", "*.html"),
        in_folder=False,
    ),
    "export": Command(
        words=lambda source, out: ["export", str(source), "--out", str(out / "a.onnx")],
        prepare=_run,
        finals=("*.onnx",),
    ),
    "export --int8": Command(
        words=lambda source, out: ["export", str(source), "--int8", "--out", str(out / "a.onnx")],
        prepare=_run,
        finals=("*.onnx",),
    ),
    "export --format pt2": Command(
        words=lambda source, out: [
            *("export", str(source), "--format", "pt2", "--out", str(out / "a.pt2"))
        ],
        prepare=_run,
        finals=("*.pt2",),
    ),
    "lift": Command(
        words=lambda source, out: [
            *("lift", str(source / "openpose.json"), "--width", "640", "--height", "480"),
            *("--csv", "--trc", "--html", "--out", str(out / "a.json")),
        ],
        prepare=data_targets()["keypoints/openpose.json"].make,
        finals=("a.*",),
    ),
    "view": Command(
        words=lambda source, out: ["view", str(source / "a.h5"), "--out", str(out / "a.html")],
        prepare=_detections,
        finals=("a.html",),
    ),
    "data show": Command(
        words=lambda source, out: [
            "data",
            "show",
            str(source / "a.h5"),
            "--out",
            str(out / "a.png"),
        ],
        prepare=_detections,
        finals=("a.png",),
    ),
    "data sample": Command(
        words=lambda source, out: ["data", "sample", "--out", str(out)],
        finals=("*.h5", "*.jpg", "*.bvh", "*.json", "*.csv"),
    ),
    "new": Command(
        words=lambda source, out: ["new", "lifter", "fresh", "--out", str(out / "acme")],
        answers={"exists": None},
    ),
}


def clean(folder: Path) -> None:
    """Take a folder away, if it is there."""
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
