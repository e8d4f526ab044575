"""Checkpoints: safetensors and JSON, with a sha256 of each file; nothing is ever pickled.

A checkpoint is a folder: `model.safetensors` (the spec, joint set and provenance in its metadata,
so that the model can be rebuilt from this file alone), for a resumable one also `state.safetensors`
and `state.json`, and `manifest.json` with the checksums, written last. A flipped byte in a weight
file loads without complaint everywhere; here it is an error.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

import posezoo
from posezoo.hints import naming, shown
from posezoo.pipeline import Pipeline
from posezoo.registry import PipelineSpec, parse_pipeline
from posezoo.safetensors_file import read_metadata, read_tensors
from posezoo.skeleton import get_skeleton
from posezoo.training.fitting import rebuild
from posezoo.training.shared_tensors import restored, saved_once
from posezoo.typed_files import decode, parse_json, read_tree, typed
from posezoo.whole_files import fsync

SCHEMA = "posezoo.training.checkpoint/1"
_FILES = ("model.safetensors", "state.safetensors", "state.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """What a run needs beside the model to go on exactly: tensors, and plain JSON values."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(
    folder: Path,
    model: dict[str, Tensor],
    *,
    pipeline: Pipeline,
    provenance: dict[str, Any],
    state: TrainingState | None = None,
) -> None:
    """Write a checkpoint so that `folder` holds the old one or the new one, never half.

    A tensor that has several names, as a layer used twice, is saved once.

    Raises:
        OSError: no space or no permission; the old checkpoint is untouched.
        ValueError: something of the state is no dense tensor; as before.
    """
    new, old = _beside(folder)
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        about = {
            "schema": SCHEMA,
            "version": posezoo.__version__,
            "pipeline": str(pipeline.spec),
            "skeleton": pipeline.skeleton.name,
            "provenance": json.dumps(provenance, sort_keys=True),
        }
        _save(new / "model.safetensors", model, about)
        if state is not None:
            _save(new / "state.safetensors", state.tensors, {"schema": SCHEMA})
            (new / "state.json").write_text(json.dumps(state.values, indent=1), encoding="utf-8")
        sums = {path.name: _sha256(path) for path in sorted(new.iterdir())}
        manifest = {"schema": SCHEMA, "sha256": sums}
        (new / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        mode = (new / "manifest.json").stat().st_mode  # safetensors lets nobody else read
        for path in new.iterdir():
            path.chmod(mode)
            fsync(path)
        fsync(new)
    except SafetensorError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise OSError(f"{folder}: the checkpoint could not be written ({error})") from error
    except (OSError, ValueError) as error:
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, OSError) and error.filename is None:  # a write does not know its file
            error.filename = str(folder)
        raise
    # A folder cannot be replaced in one step. A kill between the two renames leaves no `folder`,
    # but both others whole: `settle` then takes the new one.
    try:
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        new.rename(folder)
    except OSError:
        if old.exists() and not folder.exists():
            with suppress(OSError):  # then both stay, and `settle` has them
                old.rename(folder)
        if folder.exists():
            shutil.rmtree(new, ignore_errors=True)
        raise
    fsync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def is_there(folder: Path) -> bool:
    """Whether there is a checkpoint, whole or damaged; a first one, half written, is none."""
    new, old = _beside(folder)
    return folder.exists() or old.exists() or not _flaw(new, content=True)


def settle(folder: Path) -> str:
    """Clear up what a kill has left beside a checkpoint; says so if another one took its place.

    Raises:
        ValueError: the checkpoint is damaged, and none beside it is whole.
    """
    new, old = _beside(folder)
    said = ""
    flaw = _flaw(folder, content=True)
    if flaw and is_there(folder):
        whole = next((path for path in (new, old) if not _flaw(path, content=True)), None)
        if whole is None:
            raise ValueError(flaw)
        said = f"{flaw}: {whole.name} is whole and takes its place"
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)
    for path in (new, old):
        shutil.rmtree(path, ignore_errors=True)
    return said


def load_pipeline(folder: Path | str) -> Pipeline:
    """Rebuild a trained pipeline, in eval mode, from a checkpoint or from a run (its best one).

    Raises:
        ValueError: no checkpoint there, damaged files, or weights that do not fit the spec.
    """
    path = _find(_resolve_run(Path(folder)), content=True)
    file = path / "model.safetensors"
    about = _about(file)
    if about.schema != SCHEMA:
        raise ValueError(
            f"{file}: schema '{shown(about.schema)}', expected '{SCHEMA}'; {_versions(about)}"
        )
    tensors = _load(file)
    with naming(file):
        spec, skeleton = parse_pipeline(about.pipeline), get_skeleton(about.skeleton)
    unfetched = spec
    if spec.backbone is not None and "pretrained" in spec.backbone.params:
        # Not to be fetched again, only to be replaced by the checkpoint's own.
        unfetched = replace(spec, backbone=spec.backbone.with_params(pretrained=False))
    try:
        pipeline = rebuild(unfetched, skeleton, tensors, origin=str(file))
    except ValueError as error:
        if about.version == posezoo.__version__:
            raise
        raise ValueError(f"{error} ({file} was {_versions(about)})") from error
    pipeline.spec = spec
    return pipeline.eval()


def load_state(folder: Path) -> tuple[dict[str, Tensor], TrainingState]:
    """The model's tensors and the training state of a resumable checkpoint.

    Raises:
        ValueError: no checkpoint there, or damaged files.
    """
    path = _find(folder, content=True)
    if not (path / "state.json").is_file():
        raise ValueError(f"{path}: this checkpoint holds no training state, only a model")
    values = typed(read_tree(path / "state.json"), dict[str, Any], where=f"{path / 'state.json'}")
    tensors = _load(path / "state.safetensors")
    return _load(path / "model.safetensors"), TrainingState(tensors=tensors, values=values)


def provenance(folder: Path | str) -> dict[str, Any]:
    """What the checkpoint says of its origin: settings, step, measured errors."""
    file = _find(_resolve_run(Path(folder))) / "model.safetensors"
    where = f"{file}: provenance"
    return typed(parse_json(_about(file).provenance, where=where), dict[str, Any], where=where)


def spec_of(folder: Path | str) -> PipelineSpec:
    """The pipeline of a checkpoint or a run's best one, without its weights."""
    file = _find(_resolve_run(Path(folder))) / "model.safetensors"
    with naming(file):
        return parse_pipeline(_about(file).pipeline)


def sha256(folder: Path | str) -> str:
    """Of the weights of a checkpoint, or of a run's best one, as they were written."""
    manifest = _find(_resolve_run(Path(folder))) / "manifest.json"
    return decode(manifest, _Manifest).sha256["model.safetensors"]


def _resolve_run(path: Path) -> Path:
    """A run stands for its best checkpoint."""
    return path / "best" if (path / "run.toml").is_file() else path


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")


def _find(folder: Path, *, content: bool = False) -> Path:
    """The folder itself if it is whole, or what a kill has left whole beside it."""
    for path in (folder, *_beside(folder)):
        if not _flaw(path, content=content):
            return path
    raise ValueError(_flaw(folder, content=content))


def _flaw(path: Path, *, content: bool = False) -> str:
    """What keeps a folder from being a checkpoint; "" for nothing. `content` reads every file."""
    manifest = path / "manifest.json"
    if not manifest.is_file():
        return f"{path}: no checkpoint here (manifest.json is missing)"
    try:
        sums = decode(manifest, _Manifest).sha256
    except ValueError as error:
        return f"{manifest}: damaged ({str(error).removeprefix(f'{manifest}: ')})"
    unlisted = [name for name in _FILES if name not in sums and (path / name).exists()]
    if unlisted or _FILES[0] not in sums:
        return f"{manifest}: damaged, it has no sha256 of {(unlisted or _FILES)[0]}"
    for name, expected in sums.items():
        if name != Path(name).name or not (path / name).is_file():
            return f"{path / shown(name)}: missing"
        if content and _sha256(path / name) != expected:
            return (
                f"{path / name}: damaged, its sha256 is not the one in manifest.json. "
                "Take another checkpoint (last/ or best/), or train again"
            )
    return ""


class _Manifest(msgspec.Struct):
    """manifest.json."""

    sha256: dict[str, str]  # by file name


class _About(msgspec.Struct):
    """The metadata of model.safetensors."""

    schema: str = ""
    version: str = "of a version that did not write its name"
    pipeline: str = ""
    skeleton: str = ""
    provenance: str = "{}"


def _about(file: Path) -> _About:
    return typed(read_metadata(file), _About, where=str(file))


def _versions(about: _About) -> str:
    """Who wrote the checkpoint, and who reads it."""
    return f"written by posezoo {shown(about.version)}, this is {posezoo.__version__}"


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    kept, shared = saved_once(tensors)
    save_file(kept, path, metadata | shared)


def _load(path: Path) -> dict[str, Tensor]:
    return restored(read_tensors(path), read_metadata(path), origin=str(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
