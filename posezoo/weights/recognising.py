"""Whose file it is: by the names and shapes of its tensors, and by the user's word."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.registry import NodeSpec, parse_pipeline
from posezoo.weights.families import families
from posezoo.weights.family import Config, Family, Shapes

# The last layers of image classifiers of torchvision and timm.
_CLASSIFIERS = {"fc.weight", "classifier.weight", "head.weight", "head.fc.weight"}


def fitting_families(
    shapes: Shapes,
    config: Config,
    said: str = "",
    *,
    origin: str,
) -> list[Family]:
    """The families whose files look like this: one, or several whose files look the same.

    Args:
        shapes: of the unwrapped state dict.
        config: the constructor's arguments, as far as they are known.
        said: a family's name, which wins, or a pipeline, which chooses between families.
        origin: names the file in errors.

    Raises:
        ValueError: there is none, or the pipeline is another network.
    """
    named = [family for family in families() if family.name == said]
    fitting = [family for family in named or families() if family.recognise(shapes, config)]
    if not fitting and len(named) == 1:
        return named  # the user insists; what is missing will be said
    if not fitting:
        raise ValueError(f"{origin}: {_what_else(shapes, origin)}")
    if not said or named:
        return fitting
    # Families that share a file differ in parameters: the likest one is meant.
    given = parse_pipeline(said).nodes
    likeness = {family: _likeness(given, family, shapes, config) for family in fitting}
    best = max(likeness.values())
    if best < 0:
        own = " or ".join(family.spec(shapes, config) for family in fitting)
        raise ValueError(f"{origin}: --as {said}: this file is of another network: {own}")
    return [family for family in fitting if likeness[family] == best]


def is_recognised(state: Mapping[str, Tensor]) -> bool:
    """Whether some family's files look like this unwrapped state dict."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return any(family.recognise(shapes, {}) for family in families())


def is_family(name: str) -> bool:
    """Whether it is the name of one."""
    return any(family.name == name for family in families())


def _what_else(shapes: Shapes, origin: str) -> str:
    if "mean_pose" in shapes:
        return (
            "posezoo's own weights already; use the run's folder, or hub:ORG/NAME, by its name: "
            "posezoo.load(...)"
        )
    if _CLASSIFIERS & shapes.keys():
        return (
            "an image classifier, no pose network; start a training from it: "
            f"posezoo train BACKBONE-HEAD --weights backbone={origin}"
        )
    first, known = ", ".join(list(shapes)[:3]), ", ".join(sorted({f.name for f in families()}))
    return (
        f"of no family that is known here ({known}); its {len(shapes)} tensors begin {first}. If "
        "it is of one of them, name it: --as NAME"
    )


def _likeness(given: Mapping[str, NodeSpec], family: Family, shapes: Shapes, config: Config) -> int:
    """How many parameters are the same; -1 for other entries."""
    own = parse_pipeline(family.spec(shapes, config)).nodes
    if {kind: node.key for kind, node in own.items()} != {k: node.key for k, node in given.items()}:
        return -1
    return sum(len(given[kind].params.items() & own[kind].params.items()) for kind in own)
