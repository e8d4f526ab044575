"""posezoo: a plugin-style model zoo for 3D human pose estimation.

Public names are resolved on first use, so that importing posezoo does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posezoo.assembly import build_pipeline as build
    from posezoo.camera import Camera
    from posezoo.contracts import Batch, FeatureSpec, PoseResult, Sample, Stage
    from posezoo.inference.api import predict
    from posezoo.inference.loading import load
    from posezoo.inference.people import Person, Prediction, VideoPrediction
    from posezoo.inference.predictor import Predictor
    from posezoo.pipeline import Pipeline
    from posezoo.registry import Entry, entries, register
    from posezoo.skeleton import Skeleton, get_skeleton

    __version__: str

__all__ = [
    "Batch",
    "Camera",
    "Entry",
    "FeatureSpec",
    "Person",
    "Pipeline",
    "PoseResult",
    "Prediction",
    "Predictor",
    "Sample",
    "Skeleton",
    "Stage",
    "VideoPrediction",
    "__version__",
    "build",
    "entries",
    "get_skeleton",
    "load",
    "predict",
    "register",
]

_HOMES = {
    "Batch": "contracts:Batch",
    "Camera": "camera:Camera",
    "Entry": "registry:Entry",
    "FeatureSpec": "contracts:FeatureSpec",
    "Person": "inference.people:Person",
    "Pipeline": "pipeline:Pipeline",
    "PoseResult": "contracts:PoseResult",
    "Prediction": "inference.people:Prediction",
    "Predictor": "inference.predictor:Predictor",
    "Sample": "contracts:Sample",
    "Skeleton": "skeleton:Skeleton",
    "Stage": "contracts:Stage",
    "VideoPrediction": "inference.people:VideoPrediction",
    "build": "assembly:build_pipeline",
    "entries": "registry:entries",
    "get_skeleton": "skeleton:get_skeleton",
    "load": "inference.loading:load",
    "predict": "inference.api:predict",
    "register": "registry:register",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'posezoo' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(f"posezoo.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("posezoo")
    except metadata.PackageNotFoundError:
        return "0+not.installed"  # a checkout on the path
