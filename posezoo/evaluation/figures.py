"""Pictures of what a run predicts, beside the truth.

Skeletons have left and right in two colours, as everywhere: the true one is a pale band, the
predicted one a line. Heatmaps are as the source report's Figure 2: true green, predicted red, equal
yellow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from posezoo.contracts import Batch, PoseResult
from posezoo.drawing import LEGEND, coloured_bones, save_figure
from posezoo.evaluation.open_run import open_run
from posezoo.metrics import mpjpe
from posezoo.pipeline import Pipeline
from posezoo.training.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Width and opacity: what is predicted right runs in the middle of its band.
_TRUE: dict[str, Any] = {"linewidth": 5.0, "alpha": 0.4}
_PREDICTED: dict[str, Any] = {"linewidth": 1.4, "alpha": 1.0}
_CPU = torch.device("cpu")
_ROWS = 6
_REACH_MM = 1000.0  # half the width of the 3D plots


def draw_run(run: RunFolder, *, device: torch.device) -> Path:
    """Draw a few poses of the run's val split, as its best checkpoint sees them."""
    pipeline, batch = _val_poses(run, device)
    with torch.inference_mode():
        result = pipeline.predict(batch.to(device))
    batch = pipeline.predicted_frames(batch)
    run.figures.mkdir(exist_ok=True)
    path = run.figures / "predictions.png"
    draw_predictions(pipeline, batch, result, path)
    return path


def draw_overlays(run: RunFolder, path: Path, *, device: torch.device = _CPU) -> None:
    """Heatmaps of a few val poses as the source report's Figure 2: true, predicted, and both."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    pipeline, batch = _val_poses(run, device)
    with torch.inference_mode():
        result = pipeline.predict(batch.to(device))
    if result.maps is None:
        raise ValueError(f"{run.path}: '{pipeline.spec}' has no heatmaps to draw")
    maps = result.maps.float().cpu()
    true = pipeline.head.encode(batch.joints2d[:, 0], (maps.shape[-2], maps.shape[-1])).cpu()
    maps, true = _heights(pipeline.head, maps), _heights(pipeline.head, true)
    figure = Figure(figsize=(8, 2.1 * len(batch)), layout="constrained")
    for row, axes in enumerate(figure.subplots(len(batch), 4, squeeze=False)):
        _draw_picture(axes[0], None if batch.image is None else batch.image[row])
        _draw_maps(axes[1], true[row], torch.zeros_like(true[row]))
        _draw_maps(axes[2], torch.zeros_like(true[row]), maps[row], height=true[row].amax())
        _draw_maps(axes[3], true[row], maps[row])
        for axis, name in zip(axes, ("picture", "true", "predicted", "both"), strict=True):
            axis.set(xticks=[], yticks=[], xlabel=name)
    save_figure(figure, path)


def _val_poses(run: RunFolder, device: torch.device) -> tuple[Pipeline, Batch]:
    """The best checkpoint, and a few poses spread over the run's val split."""
    opened = open_run(run.path, device=device)
    return opened.pipeline, opened.poses(_ROWS)


def draw_predictions(pipeline: Pipeline, batch: Batch, result: PoseResult, path: Path) -> None:
    """One row a pose: picture, heatmaps if there are any, 3D from the front and the side."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    has_maps, has_3d = result.maps is not None, result.joints3d is not None
    columns = 1 + has_maps + 2 * has_3d
    figure = Figure(figsize=(2.6 * columns, 2.6 * len(batch)), layout="constrained")
    grid = figure.subplots(len(batch), columns, squeeze=False)
    bones = coloured_bones(pipeline.skeleton)
    for row, axes in enumerate(grid):
        true2d = batch.joints2d[row, 0]
        _draw_picture(axes[0], None if batch.image is None else batch.image[row])
        _draw_pose(axes[0], true2d, coloured_bones(pipeline.set_of(true2d)), _TRUE)
        axes[0].set_xlabel("2D, true", fontsize=8)
        if pipeline.has_image and result.joints2d is not None:
            predicted2d = result.joints2d[row, 0].cpu()
            _draw_pose(axes[0], predicted2d, bones, _PREDICTED)
            error = (predicted2d - true2d).norm(dim=-1).mean()
            axes[0].set_xlabel(f"2D error {error:.1f} px", fontsize=8)
        if result.maps is not None:
            size = (result.maps.shape[-2], result.maps.shape[-1])
            true_maps = pipeline.head.encode(batch.joints2d[row : row + 1, 0], size)
            maps = result.maps[row : row + 1].float().cpu()
            _draw_maps(
                axes[1], _heights(pipeline.head, true_maps)[0], _heights(pipeline.head, maps)[0]
            )
        if result.joints3d is not None:
            true3d, predicted3d = batch.joints3d[row, 0], result.joints3d[row, 0].cpu()
            for axis, (across, name) in zip(axes[-2:], ((0, "front"), (2, "side")), strict=True):
                for pose, stroke in ((true3d, _TRUE), (predicted3d, _PREDICTED)):
                    _draw_pose(axis, pose[:, [across, 1]], bones, stroke)
                axis.set(xlim=(-_REACH_MM, _REACH_MM), ylim=(_REACH_MM, -_REACH_MM), aspect="equal")
                axis.set_xlabel(f"3D, {name}", fontsize=8)
            error = mpjpe(predicted3d, true3d).mean()
            axes[-1].set_xlabel(f"3D, side; MPJPE {error:.0f} mm", fontsize=8)
        for axis in axes:
            axis.set(xticks=[], yticks=[])
    heatmaps = "; heatmaps: true green, predicted red, equal yellow" if has_maps else ""
    figure.suptitle(f"{LEGEND}; true pale, predicted a line{heatmaps}", fontsize=9, wrap=True)
    save_figure(figure, path)


def _heights(head: Any, maps: Tensor) -> Tensor:  # (B, J, h, w), 0 where nothing is seen
    """What a head's maps look like, where they are not heights themselves."""
    shown: Tensor = head.heatmaps(maps) if hasattr(head, "heatmaps") else maps
    return shown


def _draw_picture(axis: Axes, image: Tensor | None) -> None:  # (3, H, W) uint8
    if image is None:
        axis.set_aspect("equal")
        axis.invert_yaxis()  # y goes down in pictures
    else:
        axis.imshow(image.permute(1, 2, 0).numpy())


def _draw_maps(
    axis: Axes,
    true: Tensor,  # (J, h, w)
    predicted: Tensor,  # (J, h, w)
    height: Tensor | None = None,  # what is full brightness; by default the true maps' peak
) -> None:
    """The largest of all joints' maps, true in the green channel, predicted in the red one."""
    height = (true.amax() if height is None else height).clamp_min(1e-6)
    green = (true.amax(0) / height).clamp(0, 1)
    red = (predicted.amax(0) / height).clamp(0, 1)
    axis.imshow(np.stack([red.numpy(), green.numpy(), np.zeros(red.shape)], -1))
    axis.set_xlabel("heatmaps", fontsize=8)


def _draw_pose(
    axis: Axes,
    pose: Tensor,  # (J, 2)
    bones: Sequence[tuple[int, int, str]],
    stroke: Mapping[str, Any],
) -> None:
    lines = [(pose[[a, b]].T.tolist(), colour) for a, b, colour in bones]
    if stroke is _PREDICTED:  # a white edge parts it from pictures
        for line, _ in lines:
            axis.plot(*line, color="white", solid_capstyle="round", linewidth=3.0, alpha=0.8)
    for line, colour in lines:
        axis.plot(*line, color=colour, solid_capstyle="round", **stroke)
