"""Seeds of `fuzz_files`: what posezoo itself writes, cameras, boxes, pictures; and all others."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks import fuzz_studio as studio
from benchmarks.fuzz_data_seeds import data_targets
from benchmarks.fuzz_detection_seeds import detection_targets
from benchmarks.fuzz_model_seeds import model_targets
from benchmarks.fuzz_studio import VIEW
from benchmarks.fuzz_target import Target, json_maker, save_json
from posezoo.assembly import build_pipeline
from posezoo.data.convert.bvh_names import read_map
from posezoo.data.scene.views import Rig
from posezoo.detector_errors import DetectorErrors
from posezoo.evaluation.bootstrap import Cells
from posezoo.evaluation.compare import compare, read_score
from posezoo.evaluation.curves import panels_of
from posezoo.inference.boxes import read_boxes
from posezoo.inference.ledger import FILE, Ledger
from posezoo.inference.lens import read_camera
from posezoo.inference.picture import read_picture
from posezoo.registry.manifest import builtin_manifest, read_manifest
from posezoo.settings import Settings
from posezoo.skeleton import H36M17
from posezoo.training import checkpoint
from posezoo.training.progress import Progress
from posezoo.training.run_folder import RunFolder
from posezoo.typed_files import typed
from posezoo.weights import importing
from posezoo.weights.config import read_config
from posezoo.weights.hub import SCHEMA
from posezoo.weights.named import own_of_hub
from posezoo.weights.store import load_weights, save_weights, stored_weights

PICTURES = tuple(f"a.{e}" for e in "jpg png gif bmp tiff webp ppm jp2 avif".split())


def targets() -> dict[str, Target]:
    """Every format by name."""
    return (
        data_targets()
        | detection_targets()
        | model_targets()
        | {
            "run": Target(make=_run, files=("run/run.toml", "run/metrics.jsonl"), read=_read_run),
            "manifest": Target(
                make=_checkpoint, files=("last/manifest.json",), read=_load_manifest
            ),
            "checkpoint": Target(
                make=_checkpoint,
                files=("last/model.safetensors", "last/state.safetensors", "last/state.json"),
                read=_load_checkpoint,
            ),
            "eval": Target(make=_evaluation, files=("eval.json",), read=_compare),
            "errors": Target(
                make=lambda folder: DetectorErrors.assumed(H36M17).save(folder / "errors.json"),
                files=("errors.json",),
                read=_errors,
            ),
            "weights-card": Target(make=_card, files=("tiny.json",), read=_read_card),
            "weights-import": Target(make=martinez_weights, files=("weights.pth",), read=_import),
            "pushed": Target(
                make=_pushed,
                files=("model.safetensors",),
                read=lambda folder, out: own_of_hub(
                    folder / "model.safetensors", str(folder / "model.safetensors")
                ),
            ),
            "weights-folder": Target(
                make=_folder_of_weights,
                files=("model.safetensors", "config.json"),
                read=_import_folder,
            ),
            "config": Target(
                make=json_maker("config.json", {"config": {"width": 3}, "a": [1, {"b": "c"}]}),
                files=("config.json",),
                read=lambda folder, out: read_config(str(folder / "config.json")),
            ),
            "cameras": Target(make=_cameras, files=("cameras.json",), read=_read_cameras),
            "lens": Target(make=_lens, files=("lens.json", "lens.toml"), read=_read_lens),
            "boxes": Target(
                make=json_maker("boxes.json", {"a.jpg": [[1, 2, 3, 4], [5, 6, 7, 8.5]]}),
                files=("boxes.json",),
                read=lambda folder, out: read_boxes(folder / "boxes.json"),
            ),
            "ledger": Target(
                make=lambda folder: Ledger(folder, {}).add("a", ["x", 3], 2),
                files=(FILE,),
                read=lambda folder, out: Ledger(folder, {}).people("a", ["x", 3], []),
            ),
            "pictures": Target(make=_pictures, files=PICTURES, read=_read_pictures),
            "map": Target(
                make=_map,
                files=("map.toml",),
                read=lambda folder, out: read_map(folder / "map.toml"),
            ),
            "registry": Target(
                make=_manifest,
                files=("registry.toml",),
                read=lambda folder, out: read_manifest(folder / "registry.toml", origin="x"),
            ),
        }
    )


# ----- runs and weights


def _checkpoint(folder: Path) -> None:
    pipeline = build_pipeline("martinez:width=4,blocks=1")
    values = {
        "step": 3,
        "settings": {},
        "schedule": {"reduced": 1.0, "best": "inf", "waited": 0},
        "meter": {"sums": {"a": 0.5}, "steps": 1},
        "best": "12.5",
        "best_step": 2,
        "ema_updates": 0,
    }
    state = checkpoint.TrainingState(tensors={"rng.cpu": torch.get_rng_state()}, values=values)
    about = {"step": 3, "data": "synthetic", "image_size": 0}
    checkpoint.save_checkpoint(
        folder / "last", pipeline.state_dict(), pipeline=pipeline, provenance=about, state=state
    )


def _load_checkpoint(folder: Path, out: Path) -> None:
    """With the sums put right, so that what lies behind them is reached."""
    del out
    manifest = folder / "last" / "manifest.json"
    content = json.loads(manifest.read_text())
    for name in content["sha256"]:
        content["sha256"][name] = hashlib.sha256((manifest.parent / name).read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))
    checkpoint.load_pipeline(folder / "last")
    checkpoint.provenance(folder / "last")
    _, state = checkpoint.load_state(folder / "last")
    typed(state.values, Progress, where=str(folder / "last" / "state.json"))


def _load_manifest(folder: Path, out: Path) -> None:
    del out
    checkpoint.spec_of(folder / "last")
    checkpoint.sha256(folder / "last")
    checkpoint.load_state(folder / "last")


def _run(folder: Path) -> None:
    with RunFolder(folder / "run").locked():
        settings = Settings(pipeline="martinez", strategy="separate", data="synthetic", preset="x")
        RunFolder(folder / "run").start(settings, weights=["a"], data={"b": "c"})
    lines = [{"step": k, "lr": 0.1, "loss": 1.0} for k in range(4)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "run" / "metrics.jsonl").write_text(text)


def _read_run(folder: Path, out: Path) -> None:
    del out
    run = RunFolder(folder / "run")
    run.settings()
    run.weights()
    run.require_same_data({"b": "c"})
    run.rewind(2)
    panels_of(run.records())


def _evaluation(folder: Path) -> None:
    cells = Cells.of(torch.ones(6, 17), ["a", "a", "b", "b", "c", "c"], ["x", "y"] * 3)
    table = {
        "mpjpe_mm": 50.0, "pa_mpjpe_mm": 40.0, "samples": 6, "data": "synthetic", "items": "abc",
        "flip": False, "ground_truth_inputs": ["camera"], "pipeline": "martinez",
        "interval": {"mpjpe_mm": [40.0, 60.0]}, "seen_people": None,
        "protocol": {"key": "poses", "hash": "0123456789"},
        "per_joint": {"mpjpe_mm": {"pelvis": 0.0}}, "cells": {"mpjpe_mm": cells.to_dict()},
    }  # fmt: skip
    save_json(folder / "good.json", table)
    save_json(folder / "eval.json", table)


def _compare(folder: Path, out: Path) -> None:
    del out
    scores = [read_score(folder / name) for name in ("good.json", "eval.json")]
    json.dumps(compare(scores).to_dict())


def _errors(folder: Path, out: Path) -> None:
    del out
    DetectorErrors.load(folder / "errors.json", H36M17).apply(torch.rand(2, 1, 17, 2) * 100)


def _card(folder: Path) -> None:
    save_weights("tiny", {"a": torch.zeros(3)}, {"licence": "MIT", "spec": "x", "joint_set": "y"})
    path = stored_weights("tiny").path
    for file in path.parent.glob("tiny*"):
        name = "tiny.json" if file.suffix == ".json" else file.name
        (folder / name).write_bytes(file.read_bytes())


def _read_card(folder: Path, out: Path) -> None:
    del out
    (kept,) = Path(os.environ["POSEZOO_CACHE"]).rglob("tiny-*.safetensors")
    kept.with_name("tiny.json").write_bytes((folder / "tiny.json").read_bytes())
    load_weights("tiny")


def martinez_weights(folder: Path) -> None:
    """As 3d_pose_baseline_pytorch saves them."""
    sizes = {
        "w1": (8, 32),
        "linear_stages.0.w1": (8, 8),
        "linear_stages.0.w2": (8, 8),
        "w2": (48, 8),
    }
    norms = ("batch_norm1", "linear_stages.0.batch_norm1", "linear_stages.0.batch_norm2")
    state: dict[str, torch.Tensor] = {}
    for name, size in sizes.items():
        state |= {f"{name}.weight": torch.rand(size) - 0.5, f"{name}.bias": torch.zeros(size[0])}
    for name in norms:
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{part}"] = torch.ones(8)
        state[f"{name}.num_batches_tracked"] = torch.tensor(3)
    torch.save({"state_dict": state, "epoch": 3}, folder / "weights.pth")


def _pushed(folder: Path) -> None:
    """As `posezoo weights push` writes it."""
    pipeline = build_pipeline("martinez:width=4,blocks=1")
    about = {"schema": SCHEMA, "spec": str(pipeline.spec), "joint_set": "h36m17", "licence": "MIT"}
    save_file(pipeline.state_dict(), folder / "model.safetensors", about)


def _folder_of_weights(folder: Path) -> None:
    martinez_weights(folder)
    state = torch.load(folder / "weights.pth", weights_only=True)["state_dict"]
    save_file(state, folder / "model.safetensors")
    save_json(folder / "config.json", {"linear_size": 8, "num_stage": 1})
    (folder / "weights.pth").unlink()


def _import_folder(folder: Path, out: Path) -> None:
    del out
    importing.import_file(
        folder, spec="martinez", statistics="synthetic:items=8", warn=lambda text: None
    )


def _import(folder: Path, out: Path) -> None:
    del out
    importing.import_file(
        folder / "weights.pth",
        spec="martinez",
        statistics="synthetic:items=8",
        warn=lambda text: None,
    )


# ----- cameras, boxes, pictures


def _cameras(folder: Path) -> None:
    save_json(folder / "cameras.json", studio.cameras())


def _read_cameras(folder: Path, out: Path) -> None:
    del out
    Rig.from_file(folder / "cameras.json").draw(0, np.arange(3))
    read_camera(f"{folder / 'cameras.json'}#{VIEW}").resized(1000, 1002)


def _lens(folder: Path) -> None:
    one = {"fx": 1000, "fy": 1000.5, "cx": 500, "cy": 500, "distortion": [0, 0.1, 0, 0, 0]}
    save_json(folder / "lens.json", {"camera": one, "width": 1000, "height": 1002})
    text = "".join(f"{name} = {value}\n" for name, value in one.items())
    (folder / "lens.toml").write_text(text + "tangential_factor = 1\n")


def _read_lens(folder: Path, out: Path) -> None:
    del out
    for name in ("lens.json", "lens.toml"):
        read_camera(str(folder / name)).resized(500, 501)


def _pictures(folder: Path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 35
    image.save(folder / "a.jpg", exif=exif)
    for name in PICTURES[1:]:
        image.save(folder / name)


def _read_pictures(folder: Path, out: Path) -> None:
    del out
    for name in PICTURES:
        read_picture(folder / name)


def _map(folder: Path) -> None:
    text = "".join(f'{joint} = "{joint}X"\n' for joint in H36M17.joints[1:])
    (folder / "map.toml").write_text(text + 'pelvis = ["a", "b"]\n')


def _manifest(folder: Path) -> None:
    text = builtin_manifest().read_bytes()
    (folder / "registry.toml").write_bytes(b"\n\n".join(text.split(b"\n\n")[:4]) + b"\n")
