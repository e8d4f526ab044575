"""From specs to objects: the only place where registry keys become parts that know each other."""

from __future__ import annotations

from typing import Any, cast

from posezoo import registry
from posezoo.contracts import Dataset, Detector, Strategy
from posezoo.data.complete import complete
from posezoo.data.mapped import Mapped
from posezoo.data.mixed import Mixed
from posezoo.pipeline import Pipeline
from posezoo.registry import Choice, NodeSpec, PipelineSpec
from posezoo.skeleton import H36M17, Skeleton
from posezoo.weights.index import weights_of
from posezoo.weights.store import load_weights


def build_pipeline(spec: PipelineSpec | str, *, skeleton: Skeleton = H36M17) -> Pipeline:
    """Assemble a pipeline from its spec, e.g. "resnet50-hm+martinez:dropout=0.25".

    Everything has random weights, but for a detector, which has its own.

    Raises:
        ValueError: unknown keys or wrong parameters, all of them at once; or a detector's weights
            are not on this machine.
    """
    spec = registry.parse_pipeline(spec) if isinstance(spec, str) else spec
    chosen = registry.resolve_pipeline(spec)
    backbone = head = lifter = detector = None
    if "detector" in chosen:
        detector = _with_weights(chosen["detector"])
    if "backbone" in chosen:
        backbone = chosen["backbone"].build()
        head = chosen["head"].build(
            features=backbone.features, num_joints=skeleton.num_joints, skeleton=skeleton
        )
    if "lifter" in chosen:
        lifter = chosen["lifter"].build(skeleton=skeleton)
    if head is not None and lifter is not None:
        _check_fit(spec, head, lifter, skeleton)
    return Pipeline(
        spec=spec,
        skeleton=skeleton,
        backbone=backbone,
        head=head,
        lifter=lifter,
        detector=detector,
    )


def build_detector(spec: NodeSpec | str) -> Detector:
    """A detector from its node, e.g. "blazepose:tiles=3", with its weights, in eval mode.

    Raises:
        ValueError: unknown keys or wrong parameters, or weights that are not on this machine.
    """
    return _with_weights(registry.resolve("detector", spec))


def build_strategy(spec: NodeSpec | str) -> Strategy:
    """A strategy from its node, e.g. "multitask:lambda_2d=0.01"."""
    return cast(Strategy, registry.resolve("strategy", spec).build())


def build_dataset(spec: NodeSpec | str, **defaults: Any) -> Dataset:
    """A dataset from its node, e.g. "mocap:path=poses.h5"; its own words win over `defaults`.

    Raises:
        ValueError: a wrong parameter, or a file that cannot be used.
    """
    return cast(Dataset, registry.resolve("dataset", spec).build(**defaults))


def dataset_for(
    pipeline: Pipeline, spec: NodeSpec | str, *, image_size: int, lead: int = 0, **offered: Any
) -> Dataset:
    """The dataset as this pipeline must see it: pictures or none, its joints, its clips.

    `lead` is how many frames more each clip has at its start. A lifter that is told 2D joints and
    takes no confidence gets the items of which all are known.

    Raises:
        ValueError: as `build_dataset`, or data that cannot be seen so.
    """
    choice = registry.resolve("dataset", spec)
    told = pipeline.skeleton2d if pipeline.skeleton2d != pipeline.skeleton else None
    if pipeline.takes(pipeline.skeleton) and not choice.params.get("joints2d"):
        told = None  # it takes the joints of its skeleton too, as the data have them
    if told is not None and "joints2d" not in choice.entry.parameters():
        raise ValueError(
            f"'{pipeline.spec}' is told joints of {told.name}, and data has 2D joints of "
            f"{pipeline.skeleton.name}: use it on what a detector finds, such as a store's "
            "detection (store:...,joints2d=NAME)"
        )
    view = {"image_size": image_size if pipeline.has_image else 0, "pictures": pipeline.has_image}
    if pipeline.lifter is not None and pipeline.lifter.frames + lead > 1:
        if "frames" not in choice.entry.parameters():
            raise ValueError(
                f"'{pipeline.spec}' looks at {pipeline.lifter.frames} frames, and {choice.entry} "
                "has single poses: take data with sequences (mocap, store)"
            )
        view |= {"frames": pipeline.lifter.frames + lead, "future": pipeline.lifter.future}
    dataset = cast(Dataset, choice.build(**view | offered))
    if told is not None:
        if dataset.skeleton != pipeline.skeleton:
            raise ValueError(
                f"'{pipeline.spec}' is told joints of {told.name} and gives those of "
                f"{pipeline.skeleton.name}, and '{spec}' is of {dataset.skeleton.name}: convert it "
                "to that joint set"
            )
        dataset = cast(Dataset, cast(Any, dataset).told(told))
    elif dataset.skeleton != pipeline.skeleton:
        dataset = Mapped(dataset, pipeline.skeleton)
    lifter = pipeline.lifter
    if lifter is not None and not pipeline.has_image and not lifter.takes_confidence:
        try:
            return complete(dataset, lead=lead, skeleton2d=pipeline.skeleton2d)
        except ValueError as error:
            raise ValueError(f"'{pipeline.spec}' on {spec}: {error}") from error
    return dataset


def training_data(
    pipeline: Pipeline,
    spec: NodeSpec | str,
    *,
    mix: str = "",  # further nodes, " + " between them
    mix_share: float,
    **view: Any,
) -> Dataset:
    """The train split as this pipeline must see it, with other data mixed in.

    Raises:
        ValueError: as `dataset_for`, or a share that is none.
    """
    view = {"split": "train"} | view
    first = dataset_for(pipeline, spec, **view)
    if not mix:
        return first
    others = [dataset_for(pipeline, each, **view) for each in registry.split_nodes(mix)]
    return Mixed(first=first, others=others, share=mix_share)


def _with_weights(choice: Choice) -> Detector:
    """The detector with the weights that the index names for it, if it names any."""
    detector = choice.build()
    name = weights_of(choice.entry.key)
    if name is not None:
        state, _ = load_weights(name)
        detector.load_state_dict(state)
    return cast(Detector, detector)


def _check_fit(spec: PipelineSpec, head: Any, lifter: Any, skeleton: Skeleton) -> None:
    if head.output == "joints3d":
        raise ValueError(f"'{spec}': this head gives 3D by itself; leave out +{spec.lifter}")
    told = getattr(lifter, "joints2d", "")
    if told and skeleton.name not in getattr(lifter, "joint_sets", ()):
        raise ValueError(
            f"'{spec}': the lifter is told joints of {told}, and the head finds those that it "
            "predicts; leave out joints2d="
        )
    if lifter.frames > 1:
        raise ValueError(
            f"'{spec}': the lifter looks at {lifter.frames} frames, and a picture is one: train it "
            "alone on sequences of 2D joints, or give it frames=1"
        )
