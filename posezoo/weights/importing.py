"""Another project's file as one of our pipelines: recognised, renamed, nothing left over."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import posezoo
from posezoo.assembly import build_pipeline
from posezoo.hints import naming, shown
from posezoo.pipeline import Pipeline
from posezoo.skeleton import get_skeleton
from posezoo.weights import hub
from posezoo.weights.config import flatten, read_config
from posezoo.weights.family import Config, Family, Shapes, State
from posezoo.weights.index import known_weights
from posezoo.weights.reading import Warn, read
from posezoo.weights.recognising import fitting_families, is_family
from posezoo.weights.statistics import fit_statistics
from posezoo.weights.store import StoredWeights, all_stored, save_weights
from posezoo.weights.trial import picture_size, try_once
from posezoo.weights.unwrapping import unwrap

# Of every pipeline of ours and of nobody's file: not asked for.
_ALWAYS_KEPT = ("mean_pose",)
# Around a person in a crop, on each side: all of these projects take 1.25 times the box.
_MARGIN = 0.125
_COUNTER = "num_batches_tracked"  # of batch norm; nothing computes with it, old files lack it


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A pipeline with another project's weights, and where they are from."""

    family: Family
    pipeline: Pipeline  # in eval mode
    config: Config
    others: tuple[str, ...]  # families whose files look the same
    notes: tuple[str, ...]  # what was found and done, a sentence each
    about: dict[str, str]  # spec, joint_set, and where the weights are from


def import_file(
    path: Path,
    *,
    spec: str = "",
    config: Config | None = None,
    statistics: str = "",
    trust: bool = False,
    take_first: bool = False,
    warn: Warn,
) -> Imported:
    """Read a file, tell its family, build that network and fill it.

    Args:
        path: a file of weights, a folder that holds model.safetensors and config.json, or
            "hub:ORG/NAME" of another project.
        spec: a family's name, or the pipeline itself, where the file does not say enough.
        config: the constructor's arguments, where the weights do not show them.
        statistics: a dataset, where the file lacks the statistics of its z-scores.
        trust: open a pickle that could run code.
        take_first: where several families fit, take the first instead of asking.
        warn: called with what the user must be told at once.

    Raises:
        ValueError: unreadable, unknown, ambiguous, or with tensors missing or left over.
    """
    path, beside = _locate(path)
    config = beside | flatten(config or {})
    contents = read(path, trust=trust, warn=warn)
    unwrapped = unwrap(contents.value, origin=str(path))
    shapes = {name: tuple(tensor.shape) for name, tensor in unwrapped.state.items()}
    fitting = fitting_families(shapes, config, spec, origin=str(path))
    if len(fitting) > 1 and not take_first:
        told = "; ".join(f"{f.name} ({f.input})" for f in fitting)
        raise ValueError(
            f"{path}: fits several families, whose files look the same: {told}. "
            f"Add --as {' or --as '.join(f.name for f in fitting)}"
        )
    family = fitting[0]
    forced = spec if spec and not is_family(spec) else ""
    pipeline, matched = _build(family, unwrapped.state, shapes, config, forced, origin=str(path))
    scale = _scale(family, pipeline, statistics)
    try_once(pipeline, origin=str(path))
    notes = [
        f"{path.name}: {unwrapped}",
        f"family {family.name} ({family.project}), pipeline {pipeline.spec}",
        f"{matched} matched, 0 missing, 0 unexpected",
    ]
    if family.assumed and not config and not forced:
        assumed = ", ".join(family.assumed)
        notes.append(f"not shown by the weights, so as published: {assumed} (else: --config)")
    if family.lacks_statistics and not statistics:
        notes.append(
            "NOT in px and mm: the file lacks the statistics of its z-scores. Take them from poses "
            "like those that it was trained on: --statistics mocap:path=poses17.h5"
        )
    return Imported(
        family=family,
        pipeline=pipeline,
        config=config,
        others=tuple(f.name for f in fitting[1:]),
        notes=tuple(notes),
        about={
            "spec": str(pipeline.spec),
            "joint_set": pipeline.skeleton.name,
            "file": path.name,
            "file_sha256": contents.sha256,
            "family": family.name,
            "summary": f"{family.name} weights of {family.project}",
            "source": f"https://github.com/{family.project}",
            "paper": family.paper,
            "licence": family.licence,
            "terms": family.terms,
            "input": family.input,
            "output": family.output,
            "scale": scale,
            "imported": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "posezoo": posezoo.__version__,
            **_crops(pipeline),
        },
    )


def _crops(pipeline: Pipeline) -> dict[str, str]:
    """How `posezoo predict` cuts people out for it, if it takes square pictures."""
    height, width = picture_size(pipeline)
    if not pipeline.has_image or height != width:
        return {}
    return {"crop_px": str(height), "margin": str(_MARGIN)}


def _scale(family: Family, pipeline: Pipeline, statistics: str) -> str:
    """How mm come out of the network, once the statistics are taken that were asked for."""
    if not statistics:
        return family.scale
    if not family.lacks_statistics:
        raise ValueError(f"--statistics {statistics}: {family.name} needs none")
    fit_statistics(pipeline, statistics)
    return f"{family.scale}; taken from {statistics} instead"


def keep(
    pipeline: Pipeline, about: Mapping[str, str], name: str, *, replace: bool = False
) -> StoredWeights:
    """Put a pipeline's weights into the user's store; returns what is then there.

    Raises:
        ValueError: the name is taken, or cannot be one.
        OSError: no space or no permission.
    """
    check_free(name, replace=replace)
    return save_weights(name, pipeline.state_dict(), about)


def check_free(name: str, *, replace: bool) -> None:
    """Refuse a name that is taken: always by weights of the index, else unless `replace`.

    Raises:
        ValueError: it is.
    """
    if name in known_weights():
        raise ValueError(f"'{name}' is the name of weights of the index; take another")
    if name in all_stored() and not replace:
        raise ValueError(f"'{name}' is taken (posezoo weights info {name}); add --replace")


def _locate(path: Path) -> tuple[Path, dict[str, Any]]:
    """The file itself, fetched if need be, and the config.json of a folder of transformers."""
    if hub.is_hub(str(path)):
        path = hub.pull(str(path))
    if path.is_dir() and (path / "model.safetensors").is_file():
        path = path / "model.safetensors"
    beside = path.with_name("config.json")
    named = path.name == "model.safetensors" and beside.is_file()
    return path, read_config(str(beside)) if named else {}


def _build(
    family: Family,
    tensors: dict[str, Tensor],
    shapes: Shapes,
    config: Config,
    spec: str,
    *,
    origin: str,
) -> tuple[Pipeline, int]:
    """The family's network with the file's numbers, and how many tensors of the file it took."""
    used = {n: t for n, t in tensors.items() if not _matches(n, family.unused)}
    state = State(used)
    try:
        skeleton = get_skeleton(family.joint_set(shapes, config))
        spec = spec or family.spec(shapes, config)
        converted = family.convert(state, config)
    except (ValueError, LookupError) as error:
        lacks = f"{error} is missing" if isinstance(error, LookupError) else str(error)
        raise ValueError(f"{origin}: read as {family.name}: {lacks}") from error
    with naming(Path(origin)):
        pipeline = build_pipeline(spec, skeleton=skeleton).eval()
    own = pipeline.state_dict()
    missing = [
        name
        for name in own
        if name not in converted
        and not name.endswith(_COUNTER)
        and not _matches(name, (*_ALWAYS_KEPT, *family.kept))
    ]
    unexpected = [*state, *(name for name in converted if name not in own)]
    problems = [f"{len(missing)} missing ({_few(missing)})"] * bool(missing)
    problems += [f"{len(unexpected)} unexpected ({_few(unexpected)})"] * bool(unexpected)
    wrong = []
    for name in sorted(own.keys() & converted.keys()):
        if name.endswith(_COUNTER) and converted[name].numel() == 1:
            converted[name] = converted[name].reshape(own[name].shape)  # numpy makes it (1,)
        found, expected = tuple(converted[name].shape), tuple(own[name].shape)
        if found != expected:
            wrong.append(f"'{name}' is {found}, expected {expected}")
        elif not converted[name].isfinite().all():
            wrong.append(f"'{name}' holds NaN or infinity")
    problems += [f"{len(wrong)} wrong ({_few(wrong)})"] * bool(wrong)
    if problems:
        matched = len(own.keys() & converted.keys())
        raise ValueError(
            f"{origin}: does not fit {family.name} as {spec}: {matched} matched, "
            f"{'; '.join(problems)}"
        )
    with torch.no_grad():
        for name, tensor in converted.items():
            own[name].copy_(tensor)
    return pipeline, len(used) - len(state)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _few(names: list[str]) -> str:
    return ", ".join(shown(name, 200) for name in names[:3]) + (", ..." if len(names) > 3 else "")
