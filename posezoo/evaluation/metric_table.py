"""Every error that an evaluation reports: what it is called, which way is better, where it stands.

The functions that compute them are in `posezoo.metrics`; a protocol says how they are averaged.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One error."""

    key: str  # in eval.json, metrics.jsonl and tables for machines
    name: str  # in the field's own spelling
    unit: str  # "" of a share from 0 to 1
    higher_is_better: bool = False
    always: bool = True  # whatever predicts such joints has it; else only some data allow it
    # Where it is shown, beside eval.json and metrics.jsonl:
    ranks: bool = False  # runs are ordered by it: by the first such that all of them have
    compared: bool = False  # a column where runs stand beside each other
    progress: bool = False  # in the line that a training prints
    column: bool = True  # of the table of one evaluation; else in a line below it

    @property
    def label(self) -> str:
        """Name and unit, as a heading."""
        return f"{self.name} {self.unit}".rstrip()

    def loss(self, value: float) -> float:
        """The value as something of which less is better."""
        return -value if self.higher_is_better else value


_MAIN = {"ranks": True, "compared": True, "progress": True}
_ASIDE = {"always": False, "column": False}
METRICS = {
    metric.key: metric
    for metric in (
        Metric(key="mpjpe_mm", name="MPJPE", unit="mm", **_MAIN),
        Metric(key="pa_mpjpe_mm", name="PA-MPJPE", unit="mm", compared=True, progress=True),
        Metric(key="error_2d_px", name="2D error", unit="px", **_MAIN),
        Metric(key="n_mpjpe_mm", name="N-MPJPE", unit="mm"),
        Metric(key="pck150", name="3DPCK@150", unit="", higher_is_better=True),
        Metric(key="auc", name="AUC", unit="", higher_is_better=True),
        Metric(key="mean_pose_mpjpe_mm", name="mean pose", unit="mm", progress=True),
        # Of the bone that ends in each joint: against the true one, and left against right.
        Metric(key="bone_length_mm", name="bone length error", unit="mm", **_ASIDE),
        Metric(key="symmetry_mm", name="left-right difference", unit="mm", **_ASIDE),
        # Of a lifter that says how sure it is, and how far the root is.
        Metric(key="within_68", name="errors within what 68 % should", unit="", **_ASIDE),
        Metric(key="within_95", name="within what 95 % should", unit="", **_ASIDE),
        Metric(key="root_mm", name="root position error", unit="mm", **_ASIDE),
        # Of data with sequences, seen by a lifter alone.
        Metric(key="mpjve_mm", name="MPJVE", unit="mm/frame", **_ASIDE),
    )
}
COMPARED = {metric.key: metric.label for metric in METRICS.values() if metric.compared}


def ranking_metric(*results: Container[str], any_of: bool = False) -> str | None:
    """What results are ordered by: the first that all of them (or any of them) have."""
    enough = any if any_of else all
    ranking = (metric.key for metric in METRICS.values() if metric.ranks)
    return next((key for key in ranking if enough(key in each for each in results)), None)
