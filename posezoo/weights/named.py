"""Trained pipelines by name: a run's folder, weights in the user's store, or `hub:ORG/NAME`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from posezoo.assembly import build_pipeline
from posezoo.pipeline import Pipeline
from posezoo.registry import PipelineSpec, parse_pipeline
from posezoo.safetensors_file import read_metadata, read_tensors
from posezoo.skeleton import get_skeleton
from posezoo.training import checkpoint
from posezoo.training.fitting import rebuild
from posezoo.weights import hub
from posezoo.weights.importing import import_file
from posezoo.weights.reading import sha256_of
from posezoo.weights.store import all_stored, load_weights, stored_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A trained pipeline and what is known of its weights."""

    pipeline: Pipeline  # in eval mode
    sha256: str  # of the file that the weights are in
    about: Mapping[str, str]  # spec, joint_set, licence, source, ...


def open_named(name: str | Path) -> Named:
    """The trained pipeline of that name.

    Args:
        name: the folder of a run or a checkpoint, weights of `posezoo weights list`, or
            "hub:ORG/NAME" of huggingface.co.

    Raises:
        ValueError: nothing of that name, or files that are damaged or do not fit.
    """
    text = str(name)
    if hub.is_hub(text):
        return _from_hub(text)
    if Path(name).is_dir() or len(Path(name).parts) > 1:
        return _from_run(Path(name))
    tensors, stored = load_weights(text)
    return _filled(tensors, stored.about, stored.sha256, origin=str(stored.path))


def is_name(text: str) -> bool:
    """Whether weights are called so, here or on the hub, which is not asked."""
    return hub.is_hub(text) or text in all_stored()


def spec_of(name: str) -> PipelineSpec:
    """The pipeline of weights that `is_name` knows.

    Raises:
        ValueError: a card that is damaged; or the hub has nothing of that name.
    """
    if hub.is_hub(name):
        return open_named(name).pipeline.spec
    return parse_pipeline(stored_weights(name).about["spec"])


def _from_run(path: Path) -> Named:
    pipeline = checkpoint.load_pipeline(path)
    about = {
        "summary": f"{pipeline.spec}, trained with posezoo",
        "spec": str(pipeline.spec),
        "joint_set": pipeline.skeleton.name,
    }
    return Named(pipeline=pipeline, sha256=checkpoint.sha256(path), about=about)


def own_weights(source: str) -> Named | None:
    """What posezoo itself has trained and kept: a run, a checkpoint, or a repository of `push`.

    Raises:
        ValueError: it is one, but damaged; or the hub has nothing of that name.
    """
    if hub.is_hub(source):
        return own_of_hub(hub.pull(source), source)
    path = Path(source)
    is_run = any((path / name).is_file() for name in ("run.toml", "manifest.json"))
    return _from_run(path) if is_run else None


def own_of_hub(file: Path, name: str) -> Named | None:
    """What a pulled file is, if `posezoo weights push` made it.

    Raises:
        ValueError: it did, and the weights do not fit their spec.
    """
    if file.suffix != ".safetensors":
        return None
    about = dict(read_metadata(file))
    if about.pop("schema", None) != hub.SCHEMA:
        return None
    return _filled(read_tensors(file), about, sha256_of(file), origin=name)


def _from_hub(name: str) -> Named:
    file = hub.pull(name)
    if (own := own_of_hub(file, name)) is not None:
        return own
    imported = import_file(file, warn=warnings.warn)
    return Named(
        pipeline=imported.pipeline,
        sha256=imported.about["file_sha256"],
        about=imported.about,
    )


def _filled(
    tensors: dict[str, Tensor], about: Mapping[str, str], digest: str, *, origin: str
) -> Named:
    if lacking := {"spec", "joint_set"} - about.keys():
        raise ValueError(f"{origin}: its card lacks '{min(lacking)}'; import the weights again")
    try:
        spec, skeleton = parse_pipeline(about["spec"]), get_skeleton(about["joint_set"])
    except ValueError as error:
        raise ValueError(f"{origin}: its card is damaged ({error})") from error
    if spec.detector is not None:  # its weights are those that it is built with
        return Named(pipeline=build_pipeline(spec).eval(), sha256=digest, about=about)
    pipeline = rebuild(spec, skeleton, tensors, origin=origin)
    return Named(pipeline=pipeline.eval(), sha256=digest, about=about)
