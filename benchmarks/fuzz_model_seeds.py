"""Seeds of `fuzz_files`: exported files, body models, studies, plugins, videos, predictions."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import fuzz_studio as studio
from benchmarks.fuzz_studio import VIEW
from benchmarks.fuzz_target import Target, save_json
from posezoo.assembly import build_pipeline
from posezoo.clips import lift_clip
from posezoo.data.keypoints.reading import read_keypoints
from posezoo.inference.exported import read_exported
from posezoo.inference.keypoint_lifting import lift_keypoints
from posezoo.inference.results import write_lifted
from posezoo.inference.video import VideoFile
from posezoo.inference.view import view
from posezoo.registry.plugins import GROUP, installed_entries
from posezoo.skeleton import SKELETONS
from posezoo.sweep.definition import Axis, Sweep
from posezoo.sweep.results import ranked, read_rows
from posezoo.sweep.study import Study
from posezoo.testing.body_model import write_body_model
from posezoo.testing.examples import people
from posezoo.weights.verifying import verify

_LIFTER = "martinez:blocks=1,width=8"
_PICTURES = "resnet18:cut=layer1,width=8-direct"
_PLUGIN = "acme_pose-1.2.dist-info"


def model_targets() -> dict[str, Target]:
    """Every format by name."""
    return {
        "onnx/lifter": Target(
            make=lambda folder: _exported(folder, _LIFTER), files=("model.onnx",), read=_lift
        ),
        "onnx/pictures": Target(
            make=lambda folder: _exported(folder, _PICTURES), files=("model.onnx",), read=_look
        ),
        "body-model": Target(
            make=lambda folder: write_body_model(folder / "body.npz"),
            files=("body.npz",),
            read=_body,
        ),
        "prior": Target(make=_prior, files=("prior.npz",), read=_real_bodies),
        "verify-case": Target(make=_case, files=("case.npz",), read=_verify),
        "study": Target(make=_study, files=("study/study.journal",), read=_report),
        "plugin": Target(
            make=_plugin,
            files=(
                f"{_PLUGIN}/entry_points.txt",
                f"{_PLUGIN}/METADATA",
                "acme_pose/registry.toml",
            ),
            read=_plugins,
        ),
        "video": Target(make=_video, files=("a.mp4", "a.avi"), read=_frames),
        "prediction": Target(make=_prediction, files=("a.json",), read=_page),
        "lift": Target(make=_alphapose, files=("found.json",), read=_lifted),
    }


# ----- networks


def _exported(folder: Path, spec: str) -> None:
    """As `posezoo export` writes it, from weights of any numbers."""
    from posezoo.export import graphs_of, write  # noqa: PLC0415 - an extra

    torch.manual_seed(0)
    pipeline = build_pipeline(spec)
    for part in (pipeline.head, pipeline.lifter):
        if hasattr(part, "fit_normalisation"):
            part.fit_normalisation(people(64, size=32, pictures=False))
    pipeline.eval()
    (graph,) = graphs_of(pipeline, crop_px=32, margin=0.25, licence="MIT")
    write(graph, folder / "model.onnx")


def _lift(folder: Path, out: Path) -> None:
    del out
    pipeline = read_exported(folder / "model.onnx").pipeline
    batch = people(2, size=32)
    lift_clip(pipeline, batch.joints2d, batch.camera)


def _look(folder: Path, out: Path) -> None:
    del out
    pipeline = read_exported(folder / "model.onnx").pipeline
    batch = people(2, size=32, pictures=True)
    pipeline(batch.image, batch.camera)


def _body(folder: Path, out: Path) -> None:
    from posezoo.heads._body_model import read_body_model  # noqa: PLC0415 - a kind's own

    del out
    read_body_model(folder / "body.npz")


def _prior(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(folder / "prior.npz", poses=rng.normal(0, 0.3, (6, 72)), betas=rng.normal(0, 1, 16))


def _real_bodies(folder: Path, out: Path) -> None:
    from posezoo.strategies._body_prior import RealBodies  # noqa: PLC0415 - a kind's own

    del out
    RealBodies(folder / "prior.npz", 1.0)


def _case(folder: Path) -> None:
    from benchmarks.fuzz_seeds import martinez_weights  # noqa: PLC0415 - it imports this file

    martinez_weights(folder)
    numbers = np.zeros((2, 32), np.float32)
    np.savez(folder / "case.npz", input=numbers, output=np.zeros((2, 48), np.float32))


def _verify(folder: Path, out: Path) -> None:
    del out
    verify(folder / "weights.pth", folder / "case.npz", spec="martinez", warn=lambda text: None)


# ----- a sweep's folder, and a plugin's


def _study(folder: Path) -> None:
    sweep = Sweep(
        pipeline="martinez", strategy=None, data=None, preset=None, changes={"batch_size": "4"},
        epochs=None, axes=(Axis.grid("lr=1e-3,1e-4"), Axis.grid("seed=1,2")), trials=0, seeds=2,
        prune=True, device="cpu",
    )  # fmt: skip
    with_trials = Study(folder / "study", sweep)
    for number in range(3):
        claim = with_trials.claim()
        assert claim is not None
        with claim:
            claim.report(10, 90.0)
            if number == 1:
                claim.fail("no memory")
            elif not number:
                claim.finish([{"mpjpe_mm": 50.0}, {"mpjpe_mm": 52.0}], 51.0)


def _report(folder: Path, out: Path) -> None:
    """As `posezoo sweep --study`: what it would train next, and the table's rows."""
    del out
    study = Study(folder / "study")
    if (claim := study.claim()) is not None:
        with claim:
            json.dumps([claim.point, study.unfinished])
    ranked(read_rows(study))


def _plugin(folder: Path) -> None:
    info, package = folder / _PLUGIN, folder / "acme_pose"
    info.mkdir()
    package.mkdir()
    (package / "__init__.py").write_text("")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pose\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nacme = acme_pose\n")
    stanza = 'entry = "acme_pose.lift:GraphLift"\nsummary = "A lifter."\nlicence = "MIT"\n'
    (package / "registry.toml").write_text(f"schema = 1\n\n[lifter.graphlift]\n{stanza}")


def _plugins(folder: Path, out: Path) -> None:
    """A broken one is left out with a line, and never an error."""
    del out
    sys.path.insert(0, str(folder))
    sys.path_importer_cache.clear()
    try:
        entries, problems = installed_entries()
    finally:
        sys.path.remove(str(folder))
    for each in problems:
        if not str(each).isprintable() or len(str(each)) > 1500:
            raise AssertionError(f"a line that cannot be shown: {str(each)!r}")
    json.dumps([str(each) for each in entries])


# ----- videos, predictions and joints


def _video(folder: Path) -> None:
    import av  # noqa: PLC0415 - an extra

    rng = np.random.default_rng(0)
    for name, codec in (("a.mp4", "mpeg4"), ("a.avi", "mjpeg")):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = 32, 48
            stream.pix_fmt = "yuv420p" if codec == "mpeg4" else "yuvj420p"
            for _ in range(4):
                pixels = rng.integers(0, 255, (32, 48, 3), np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())


def _frames(folder: Path, out: Path) -> None:
    del out
    for name in ("a.mp4", "a.avi"):
        for picture in VideoFile(folder / name):
            assert picture.time_s is not None


def _prediction(folder: Path) -> None:
    _alphapose(folder)
    _lifted(folder, folder)
    shutil.move(folder / "lifted.json", folder / "a.json")


def _page(folder: Path, out: Path) -> None:
    view(folder / "a.json", out / "page.html")


def _alphapose(folder: Path) -> None:
    joints = studio.of_set(SKELETONS["coco17"].joints, studio.px(VIEW))
    flat = np.concatenate([joints, np.ones((studio.FRAMES, 17, 1))], -1).reshape(studio.FRAMES, -1)
    rows: list[dict[str, Any]] = [
        {"image_id": f"{k}.jpg", "category_id": 1, "keypoints": row.tolist(), "score": 2.9,
         "idx": 3}
        for k, row in enumerate(flat[:2])
    ]  # fmt: skip
    save_json(folder / "found.json", rows)


def _lifted(folder: Path, out: Path) -> None:
    path = folder / "found.json"
    found = read_keypoints(path, size_px=(1000, 1002))
    lifted = lift_keypoints(found, source=path, size_px=(1000, 1002), device="cpu")
    write_lifted(lifted.prediction, out / "lifted.json", [])
