"""Every example of every `--help`, pasted in a folder that holds the files which it names.

What would need hours is run with a few words more; what needs a network, weights, a camera or other
people's data is parsed only. Both are listed here, with the reason.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from posezoo.cli import main
from posezoo.data.store.store_writer import export
from posezoo.data.synthetic.synthetic import Synthetic

_ITEMS = " --set data.items=24 --set eval_samples=8 --set normalisation_samples=32"
_MOTION = " --set eval_samples=8 --set normalisation_samples=16 --batch-size 4"
_STUDY = "posezoo sweep martinez --grid lr=1e-3,1e-4 --study runs/lr --steps 2 --batch-size 4"

LONGER = {  # example: what is typed behind it, so that it takes seconds
    "posezoo train resnet50-hm+martinez --strategy multitask": " --steps 2 --workers 0" + _ITEMS,
    "posezoo train martinez --data mocap:path=poses17.h5 --steps 5000 --out runs/lifter": (
        " --steps 2" + _MOTION
    ),
    "posezoo sweep martinez --grid lr=1e-3,1e-4 --seeds 3 --steps 500 --study runs/lr": (
        " --steps 2 --seeds 1 --batch-size 4" + _ITEMS
    ),
    "posezoo report --scale smoke --out runs/report": (
        " --row lifter-loss --data synthetic:people=6,items=32"
    ),
}
BEFORE = {"posezoo sweep --study runs/lr --jobs 4": _STUDY + _ITEMS}  # which it goes on with
PARSED = {  # example: why it is not run
    "posezoo predict photo.jpg --out results": "fetches weights",
    "posezoo predict holiday/ dance.mp4 --out results --bvh --smooth savgol --focal 1400": (
        "fetches weights"
    ),
    "posezoo lift alphapose-results.json --out lifted.json --width 1920 --height 1080 --bvh": (
        "another program's file; tests/cli/test_lift.py makes one"
    ),
    "posezoo lift openpose_json/ --out lifted.json --width 1280 --height 720 --fov 60": (
        "another program's files"
    ),
    "posezoo view results/photo.json": "a prediction; tests/cli/test_lift.py makes one",
    "posezoo app": "serves until it is stopped",
    "posezoo app --pipeline runs/lifter --port 8000 --no-open": "serves until it is stopped",
    "posezoo train resnet50-hm --weights backbone=resnet50-11ad3fa6.pth": "a file of torchvision",
    "posezoo report --scale cpu --data mocap:path=poses --row max-norm --out runs/report "
    "--jobs 2": "an hour",
    "posezoo data convert --from videopose3d data_3d_h36m.npz h36m.h5 --cameras cams.json "
    "--trust": "others' data; tests/data/convert/ makes such files",
    "posezoo data convert --from bvh motions/ studio_poses17.h5 --fps 10": (
        "others' data; tests/data/convert/ makes such files"
    ),
    "posezoo data detections h36m.h5 data_2d_h36m_cpn_ft_h36m_dbb.npz --name cpn --out both.h5 "
    "--trust": "others' data; tests/cli/test_data_detections.py makes such files",
    "posezoo data detections a.h5 seen.json --from keypoints --of S1/walk/left --name own "
    "--out b.h5": "a prediction; tests/data/detections/ makes one",
    "posezoo errors --data store:path=h36m.h5,joints2d=cpn --out cpn.json": (
        "others' data; tests/cli/test_data_detections.py makes such files"
    ),
    "posezoo weights import pretrained_h36m_cpn.bin --out videopose3d": "others' weights",
    "posezoo weights import best_epoch.bin --config '{\"num_heads\": 8}' --out mixste-243": (
        "others' weights"
    ),
    "posezoo weights verify model_best.pth case.npz": "others' weights",
    "posezoo weights verify mixste.safetensors case.npz --config '{\"num_heads\": 8}' --json": (
        "others' weights"
    ),
    "posezoo weights get blazepose": "a network",
    "posezoo weights get blazepose "
    "--wheel mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl": "a wheel",
    "posezoo weights push mixste-243 hub:me/mixste-243 --private": "a network",
    "posezoo weights push runs/lifter hub:me/my-lifter": "a network",
    "posezoo bench codec --device cpu": "minutes",
    "posezoo bench --json before.json && posezoo bench --compare before.json": "minutes",
}


def examples(command: click.Command = main, path: str = "posezoo") -> Iterator[str]:
    """The lines below "Examples:" of a command and of those below it."""
    context = click.Context(command, info_name=path)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from examples(below, f"{path} {name}")
    _, _, text = (command.epilog or "").partition("Examples:\n")
    yield from (line.strip() for line in text.splitlines() if line.strip())


EXAMPLES = sorted(set(examples()))


def type_in(line: str) -> click.testing.Result:
    return CliRunner().invoke(main, shlex.split(line)[1:], prog_name="posezoo")


@pytest.fixture(scope="module")
def files(tmp_path_factory, make_mocap, lifter_run, invoke):
    """The runs, stores and motion files that examples name."""
    folder = tmp_path_factory.mktemp("examples")
    runs = folder / "runs"
    for name in ("lifter", "one", "two"):
        shutil.copytree(lifter_run, runs / name)
    shutil.copy(lifter_run / "eval.json", folder / "two.json")
    small = "--steps 2 --batch-size 4 --image-size 32 --workers 0 --device cpu" + _ITEMS
    whole = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1"
    for name, spec in (("resnet50-hm", whole), ("resnet50-hm+martinez", f"{whole}+martinez")):
        result = invoke("train", spec, *small.split(), "--out", runs / name)
        assert result.exit_code == 0, result.output
    make_mocap(folder / "poses17.h5", {"anna": 12, "ben": 8, "cem": 6})
    make_mocap(folder / "cmu_poses17.h5")
    (folder / "poses").mkdir()
    make_mocap(folder / "poses" / "studio_poses17.h5", {"anna": 40, "ben": 40, "cem": 40})
    people = Synthetic(split="all", image_size=64, people=5, items=12)
    export(people, folder / "people.h5", 12, licence="CC0-1.0", credit="nobody real")
    return folder


@pytest.mark.parametrize("line", [line for line in EXAMPLES if line not in PARSED])
def test_an_example_runs_as_pasted(line, files, tmp_path, monkeypatch):
    if " sweep " in line:
        pytest.importorskip("optuna")
    here = tmp_path / "here"
    shutil.copytree(files, here)
    monkeypatch.chdir(here)
    words = shlex.split(line)
    if words[1] == "train" and "--out" in words:
        shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)  # it makes that run
    for each in (BEFORE.get(line), line + LONGER.get(line, "")):
        result = type_in(each) if each else None
        assert result is None or result.exit_code == 0, f"{each}\n{result.output}"


@pytest.mark.parametrize("line", [line for line in EXAMPLES if line in PARSED])
def test_the_words_of_an_example_that_is_not_run_are_known(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "before.json").touch()  # which the first half of an example writes
    for part in line.split(" && "):
        command: click.Command = main
        words, context = shlex.split(part)[1:], None
        while isinstance(command, click.Group):
            _, below, words = command.resolve_command(click.Context(command), words)
            assert below is not None
            command = below
        context = command.make_context(part, words)
        assert context.params


def test_no_exception_stands_here_for_an_example_that_is_gone():
    assert {*LONGER, *PARSED, *BEFORE} <= {*EXAMPLES}
    assert not {*LONGER, *BEFORE} & {*PARSED}
    assert len(EXAMPLES) - len(PARSED) >= len(PARSED)  # most are run
