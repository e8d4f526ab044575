"""From what a user calls a pipeline to networks with weights.

A folder is a run or a checkpoint. A name is that of stored weights (`posezoo weights list`), or of
a repository of the hub (hub:ORG/NAME). A spec names weights by tags, as in blazepose+semgcn.cmu; a
detector has its own. What has no weights is refused: random ones would predict nonsense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from torch import nn

from posezoo import registry
from posezoo.assembly import build_detector, build_pipeline
from posezoo.contracts import Detector
from posezoo.hints import naming
from posezoo.inference.exported import read_exported
from posezoo.inference.finding import ByCrops, ByDetector, Finder
from posezoo.pipeline import Pipeline
from posezoo.registry import NodeSpec, PipelineSpec, parse_node, parse_pipeline
from posezoo.training import checkpoint
from posezoo.training.devices import pick_device
from posezoo.typed_files import Count, typed
from posezoo.weights.index import KnownWeights, known_weights, weights_of
from posezoo.weights.named import is_name, open_named, spec_of
from posezoo.weights.reading import sha256_of
from posezoo.weights.shipped import shipped_weights
from posezoo.weights.store import all_stored, load_weights

DETECTOR = "blazepose"  # for a lifter without a detector


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A pipeline that can look at pictures, and what must be known of it."""

    pipeline: Pipeline
    name: str  # its spec, with the names of weights
    weights: Mapping[str, str] = field(default_factory=dict)  # sha256 of each part's, by name
    crop_px: int = 0  # side of the crops that it was trained on; 0: it looks at whole pictures
    margin: float = 0.0  # around the person, in those crops
    people: Detector | None = None  # who says where to crop
    licence: str = ""  # of the weights, where it is known


def load(what: str | Path) -> Pipeline:
    """The pipeline of a run's or checkpoint's folder, of stored weights, or of a spec with weights.

    It is in eval mode. `posezoo.predict(picture, pipeline=...)` takes it.

    Raises:
        ValueError: no such folder, name or entry, missing or damaged weights.
    """
    return open_pipeline(what).pipeline


def default_lifter() -> str:
    """The name of the lifter that is taken where nobody says: what is shipped.

    Raises:
        ValueError: no lifter is.
    """
    names = [name for name, held in shipped_weights().items() if held.default]
    if not names:
        raise ValueError("no lifter comes with this posezoo: give --pipeline, a run or weights")
    return names[0]


def missing_weights(what: str | Path | None, detector: str | None) -> list[KnownWeights]:
    """The weights of the index that this pipeline's detector needs and this machine lacks.

    Raises:
        ValueError: neither a folder nor stored weights nor a spec.
    """
    text = str(what or default_lifter())
    spec = _spec_of(text)
    node = spec.detector
    if node is None and detector is not None:
        node = parse_node(detector)
    elif node is None and spec.backbone is None:
        node = NodeSpec(DETECTOR)
    name = weights_of(node.key) if node is not None else None
    return [known_weights()[name]] if name is not None and name not in all_stored() else []


def load_for_prediction(
    what: str | Path | Pipeline | None, *, detector: str | None = None, device: str = "auto"
) -> Loaded:
    """A pipeline with somebody who finds people; see `Predictor`.

    Raises:
        ValueError: as `load`; or a detector that the pipeline has no use for.
    """
    loaded = (
        Loaded(pipeline=what, name=str(what.spec))
        if isinstance(what, Pipeline)
        else open_pipeline(what or default_lifter())
    )
    pipeline = loaded.pipeline
    if pipeline.has_image:
        loaded = _with_crops(loaded, detector)
    elif pipeline.detector is None:
        loaded = _with_detector(loaded, detector or DETECTOR)
    elif detector is not None:
        raise ValueError(f"'{loaded.name}' has a detector: leave out --detector {detector}")
    where = pick_device(device)
    loaded.pipeline.to_device(where).eval()
    if isinstance(loaded.people, nn.Module):
        loaded.people.to(where)
    return loaded


def load_lifter(what: str | Path | Pipeline | None, *, device: str = "auto") -> Loaded:
    """The lifter of a pipeline, for joints that others have found; its detector is not loaded.

    Raises:
        ValueError: as `load`; or there is no lifter.
    """
    if isinstance(what, Pipeline):
        loaded = Loaded(pipeline=what, name=str(what.spec))
    else:
        text = str(what or default_lifter())
        if not _is_path(text) and not is_name(text):
            spec = parse_pipeline(text)
            text = str(replace(spec, detector=None)) if spec.lifter and spec.detector else text
        loaded = open_pipeline(text)
    if loaded.pipeline.lifter is None:
        raise ValueError(f"'{loaded.name}' has no lifter: give a run or weights that have one")
    loaded.pipeline.to_device(pick_device(device)).eval()
    return loaded


def finder_of(loaded: Loaded, *, batch: int) -> Finder:
    """Who finds people with that pipeline."""
    if not loaded.crop_px:
        return ByDetector(loaded.pipeline.detector, loaded.pipeline.skeleton)
    return ByCrops(
        loaded.pipeline,
        size=loaded.crop_px,
        margin=loaded.margin,
        people=loaded.people,
        batch=batch,
    )


class _Origin(msgspec.Struct):
    """What a checkpoint must say of its training to be used."""

    data: str
    image_size: Count


def open_pipeline(what: str | Path) -> Loaded:
    """As `load`, with what must be known of the pipeline. A file that was exported is one too.

    Raises:
        ValueError: as `load`.
    """
    if Path(what).suffix.lower() == ".onnx":
        return _exported(Path(what))
    if Path(what).is_dir():
        pipeline = checkpoint.load_pipeline(what)
        origin = typed(checkpoint.provenance(what), _Origin, where=f"{what}: provenance")
        with naming(Path(what)):
            node = parse_node(origin.data)
        return Loaded(
            pipeline=pipeline,
            name=str(pipeline.spec),
            weights={str(pipeline.spec): checkpoint.sha256(what)},
            crop_px=origin.image_size if pipeline.has_image else 0,
            margin=_margin(node) if pipeline.has_image else 0.0,
        )
    text = str(what)
    if is_name(text):
        return _named(text)
    spec = parse_pipeline(text)
    registry.resolve_pipeline(replace(spec, lifter=_untagged(spec.lifter)) if spec.lifter else spec)
    if spec.backbone is not None:
        raise ValueError(
            f"'{spec}' has random weights: train it (posezoo train {spec}), and give the run's "
            "folder"
        )
    loaded = None
    if spec.lifter is not None:
        if spec.lifter.tag is None:
            raise ValueError(
                f"'{spec.lifter}' has random weights: write {spec.lifter.key}.TAG for weights of "
                "`posezoo weights list`, or give the folder of a run"
            )
        loaded = _named(f"{spec.lifter.key}.{spec.lifter.tag}")
    if spec.detector is None:
        assert loaded is not None  # a spec has one of them
        return loaded
    if loaded is None:
        known = weights_of(spec.detector.key)
        return Loaded(
            pipeline=build_pipeline(spec).eval(),
            name=str(spec),
            weights=_sha256(spec.detector),
            licence=known_weights()[known].licence if known else "",
        )
    return _with_detector(loaded, str(spec.detector))


def _is_path(text: str) -> bool:
    return Path(text).is_dir() or text.lower().endswith(".onnx")


def _spec_of(text: str) -> PipelineSpec:
    if text.lower().endswith(".onnx"):
        return read_exported(Path(text)).pipeline.spec
    if Path(text).is_dir():
        return checkpoint.spec_of(text)
    return spec_of(text) if is_name(text) else parse_pipeline(text)


def _exported(path: Path) -> Loaded:
    """The pipeline of an ONNX file that `posezoo export` wrote."""
    exported = read_exported(path)
    return Loaded(
        pipeline=exported.pipeline,
        name=path.name,
        weights={path.name: sha256_of(path)},
        crop_px=exported.crop_px,
        margin=exported.margin,
    )


def _named(name: str) -> Loaded:
    """Weights by their name, in the pipeline that they say they fit."""
    named = open_named(name)
    return Loaded(
        pipeline=named.pipeline,
        name=name,
        weights={name: named.sha256},
        crop_px=int(named.about.get("crop_px", 0)),
        margin=float(named.about.get("margin", 0)),
        licence=named.about.get("licence", ""),
    )


def _with_detector(loaded: Loaded, node: str) -> Loaded:
    """A lifter with a detector before it."""
    lifter = loaded.pipeline
    detector = build_detector(node)
    pipeline = Pipeline(
        spec=PipelineSpec(detector=parse_node(node), lifter=lifter.spec.lifter),
        skeleton=lifter.skeleton,
        backbone=None,
        head=None,
        lifter=lifter.lifter,
        detector=detector,
    )
    pipeline.mean_pose.copy_(lifter.mean_pose)
    return replace(
        loaded,
        pipeline=pipeline.eval(),
        name=f"{node}+{loaded.name}",
        weights={**_sha256(parse_node(node)), **loaded.weights},
    )


def _with_crops(loaded: Loaded, detector: str | None) -> Loaded:
    """A run on crops; with a detector that says where, if one is wanted."""
    if not loaded.crop_px:
        raise ValueError(
            f"'{loaded.name}' looks at crops, and nobody says of how many px: give its folder"
        )
    if detector is None:
        return loaded
    return replace(
        loaded,
        people=build_detector(detector),
        name=f"{loaded.name} (boxes: {detector})",
        weights={**loaded.weights, **_sha256(parse_node(detector))},
    )


def _margin(data: NodeSpec) -> float:
    """The room around people in the crops of a training's data."""
    parameters = registry.find("dataset", data.key).parameters()
    if "margin" in data.params:
        return float(data.params["margin"])
    return float(parameters["margin"].default) if "margin" in parameters else 0.0


def _sha256(detector: NodeSpec) -> dict[str, str]:
    """Of a detector's weights, where the index names them."""
    name = weights_of(detector.key)
    return {} if name is None else {name: load_weights(name)[1].sha256}


def _untagged(lifter: NodeSpec) -> NodeSpec:
    return replace(lifter, tag=None)
