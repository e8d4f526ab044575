"""From specs to objects: the only place where registry keys become parts that know each other."""

from __future__ import annotations

from typing import Any, cast

from posezoo import registry
from posezoo.contracts import Dataset, Strategy
from posezoo.pipeline import Pipeline
from posezoo.registry import NodeSpec, PipelineSpec
from posezoo.skeleton import H36M17, Skeleton


def build_pipeline(spec: PipelineSpec | str, *, skeleton: Skeleton = H36M17) -> Pipeline:
    """Assemble a pipeline from its spec, e.g. "resnet50-hm+martinez:dropout=0.25".

    Raises:
        ValueError: unknown keys or wrong parameters; all of them at once.
    """
    spec = registry.parse_pipeline(spec) if isinstance(spec, str) else spec
    chosen = registry.resolve_pipeline(spec)
    backbone = head = lifter = None
    if "backbone" in chosen:
        backbone = chosen["backbone"].build()
        head = chosen["head"].build(features=backbone.features, num_joints=skeleton.num_joints)
    if "lifter" in chosen:
        lifter = chosen["lifter"].build(skeleton=skeleton)
    return Pipeline(spec=spec, skeleton=skeleton, backbone=backbone, head=head, lifter=lifter)


def build_strategy(spec: NodeSpec | str) -> Strategy:
    """A strategy from its node, e.g. "multitask:lambda_2d=0.01"."""
    return cast(Strategy, registry.resolve("strategy", spec).build())


def build_dataset(spec: NodeSpec | str, **defaults: Any) -> Dataset:
    """A dataset from its node, e.g. "mocap:path=poses.h5"; its own words win over `defaults`.

    Raises:
        ValueError: a wrong parameter, or a file that cannot be used.
    """
    return cast(Dataset, registry.resolve("dataset", spec).build(**defaults))
