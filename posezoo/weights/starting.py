"""What a training's parts start from: other weights, by name or by file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.training.fitting import require_fit
from posezoo.weights import hub
from posezoo.weights.classifiers import as_part
from posezoo.weights.importing import import_file
from posezoo.weights.named import open_named, own_of_hub
from posezoo.weights.reading import Warn, read
from posezoo.weights.recognising import is_recognised
from posezoo.weights.unwrapping import unwrap

_PARTS = ("backbone", "head", "lifter")
_COUNTER = "*num_batches_tracked"  # nothing computes with it; old files lack it


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Tensors for parts of a pipeline, by the pipeline's own names, and a sentence on each part."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """The tensors of one part, and those that the source does not have to have."""

    tensors: Mapping[str, Tensor]
    optional: tuple[str, ...] = ()  # patterns


def starting_weights(pipeline: Pipeline, item: str, *, warn: Warn) -> Start:
    """What `item` offers to the pipeline, which stays as it is.

    Args:
        pipeline: with the parts that are to be filled.
        item: "SOURCE", for all parts that it has, or "part=SOURCE". A source is a file of any
            project that can be imported, or of torchvision's or timm's classifiers; a run's folder;
            a name of `posezoo weights list`; or "hub:ORG/NAME".
        warn: called with what the user must be told at once.

    Raises:
        ValueError: no such part or source, or tensors that are missing or of other shapes.
    """
    part, _, source = item.partition("=")
    if part not in _PARTS:  # a path may hold a "=" too
        part, source = "", item
    if part and part not in pipeline.parts:
        raise ValueError(f"--weights {item}: '{pipeline.spec}' has no {part}")
    offers = _offers(pipeline, source, part, warn)
    chosen = [name for name in pipeline.parts if name in offers and part in ("", name)]
    if not chosen:
        has = " and ".join(offers) or "nothing"
        raise ValueError(f"--weights {item}: holds {has}, nothing for '{pipeline.spec}'")
    tensors: dict[str, Tensor] = {}
    notes = []
    for name in chosen:
        own, offer = pipeline.parts[name].state_dict(), offers[name]
        used = {n: offer.tensors[n] for n in own if n in offer.tensors}
        free = (*offer.optional, *getattr(pipeline.parts[name], "starts_without", ()), _COUNTER)
        kept = {n for n in own if n not in used and any(fnmatch(n, p) for p in free)}
        require_fit({n: own[n] for n in own if n not in kept}, used, origin=f"{source}: {name}")
        tensors |= {f"{name}.{n}": value for n, value in used.items()}
        left = len(offer.tensors.keys() - used)
        new = f", {len(kept)} new" if kept else ""
        notes.append(f"{name}: {len(used)} tensors from {source}, {left} left out{new}")
    return Start(tensors=tensors, notes=tuple(notes))


def _offers(pipeline: Pipeline, source: str, part: str, warn: Warn) -> dict[str, _Offer]:
    """The parts that the source has."""
    path = Path(source)
    if hub.is_hub(source):
        path = hub.pull(source)
        if (named := own_of_hub(path, source)) is not None:
            return _of_pipeline(named.pipeline)
    elif not path.is_file():
        return _of_pipeline(open_named(source).pipeline)
    state = unwrap(read(path, warn=warn).value, origin=source).state
    if is_recognised(state):
        imported = import_file(path, take_first=True, warn=warn)
        return _of_pipeline(imported.pipeline, kept=imported.family.kept)
    if own := _of_checkpoint(state, pipeline):
        return own
    # A bare network of one part: a classifier of torchvision or timm, or what a part itself saved.
    part = part or next(iter(pipeline.parts))
    return {part: _Offer(tensors=as_part(state, pipeline.parts[part], warn=warn))}


def _of_checkpoint(state: Mapping[str, Tensor], pipeline: Pipeline) -> dict[str, _Offer]:
    """The parts of a model.safetensors of ours; empty: it is none."""
    if "mean_pose" not in state:
        return {}
    own = {
        part: {n.removeprefix(f"{part}."): t for n, t in state.items() if n.startswith(f"{part}.")}
        for part in pipeline.parts
    }
    return {part: _Offer(tensors=tensors) for part, tensors in own.items() if tensors}


def _of_pipeline(pipeline: Pipeline, kept: tuple[str, ...] = ()) -> dict[str, _Offer]:
    offers = {}
    for name, module in pipeline.parts.items():
        free = tuple(p.removeprefix(f"{name}.") for p in kept if p.startswith(f"{name}."))
        state = module.state_dict()
        told = {n: t for n, t in state.items() if not any(fnmatch(n, p) for p in free)}
        offers[name] = _Offer(tensors=told, optional=free)
    return offers
