"""`posezoo.predict`: a picture in, a list of people out, who can be drawn and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.inference import video
from posezoo.inference.formats.bvh import write_bvh
from posezoo.inference.formats.png import draw_prediction, png_of
from posezoo.inference.formats.prediction_json import to_dict, write_json
from posezoo.inference.formats.tracks import tracks_of
from posezoo.inference.lens import CameraFile, Lens, read_camera
from posezoo.inference.people import Person, Prediction
from posezoo.inference.picture import Pixels, as_picture
from posezoo.inference.predictor import Given, Predictor
from posezoo.pipeline import Pipeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedPerson(Person):
    """A person, with the picture that they are in."""

    prediction: Prediction = field(repr=False)  # of the picture: everybody, its size and camera
    pixels: Pixels = field(repr=False)  # (H, W, 3) RGB

    @property
    def camera(self) -> Camera:
        """Of the picture; `prediction.camera_assumed` says whether it is a guess."""
        return self.prediction.camera

    def plot(self) -> Figure:
        """The person on the picture, and in 3D from two sides; shown by a notebook as it is."""
        figure = draw_prediction(self._alone(), self.pixels)
        # What Jupyter asks for. Matplotlib answers only where somebody has imported pyplot.
        vars(figure)["_repr_png_"] = partial(png_of, figure)
        return figure

    def to_json(self, path: str | Path | None = None) -> dict[str, Any]:
        """The prediction of this person alone as `posezoo predict` writes it; into a file too."""
        if path is not None:
            write_json(self._alone(), Path(path))
        return to_dict(self._alone())

    def to_bvh(self, path: str | Path) -> None:
        """One frame of motion, for Blender and others.

        Raises:
            ValueError: there is no 3D, or not of a joint set that BVH's skeleton can be made of.
        """
        tracks = tracks_of(self._alone())
        if not tracks:
            raise ValueError(f"{path}: this person has no 3D to write ({'; '.join(self.warnings)})")
        write_bvh(tracks[0], Path(path))

    def _alone(self) -> Prediction:
        return replace(self.prediction, people=(self,))


def predict(
    picture: Given,  # a path, or (H, W, 3) uint8 RGB
    *,
    pipeline: str | Path | Pipeline | Predictor | None = None,
    detector: str | None = None,
    focal: float | None = None,
    fov: float | None = None,
    camera: Camera | str | Path | None = None,
    boxes: Tensor | Sequence[Sequence[float]] | None = None,
    device: str = "auto",
) -> list[PredictedPerson]:
    """Everybody in a picture: joints in px, and in mm from the camera's point of view.

    The networks of the last pipeline that was named are kept. For videos, many pictures and other
    settings there is `posezoo.Predictor`, which this takes as a pipeline too.

    Args:
        picture: a file, an array, a tensor or Pillow's image.
        pipeline: see `Predictor`; None: the detector and lifter that are shipped.
        detector: who finds people for a lifter or a run.
        focal: focal length, px.
        fov: field of view from left to right, degrees.
        camera: a camera, or a file of one.
        boxes: (P, 4) px, x, y, width, height: one person in each.
        device: "auto", "cpu" or "cuda".

    Raises:
        ValueError: the picture, the pipeline or the camera cannot be used.
    """
    if isinstance(picture, str | Path) and Path(picture).suffix.lower() in video.SUFFIXES:
        raise ValueError(f"{picture}: is a video: posezoo.Predictor().video({str(picture)!r})")
    if isinstance(pipeline, Predictor):
        predictor = pipeline
    elif pipeline is None or (isinstance(pipeline, str) and not Path(pipeline).exists()):
        predictor = _kept(pipeline, detector, device)
    else:  # a folder may change, and whoever has a pipeline keeps it
        predictor = Predictor(pipeline, detector=detector, device=device)
    seen = as_picture(picture)
    found = predictor.picture(
        seen,
        boxes=None if boxes is None else torch.as_tensor(boxes, dtype=torch.float64).view(-1, 4),
        lens=_lens(focal, fov, camera),
    )
    return [_with_picture(person, found, seen.pixels) for person in found.people]


@lru_cache(maxsize=1)
def _kept(pipeline: str | None, detector: str | None, device: str) -> Predictor:
    return Predictor(pipeline, detector=detector, device=device)


def _lens(
    focal: float | None, fov: float | None, camera: Camera | str | Path | None
) -> Lens | None:
    """What the call says of the camera; None: nothing."""
    file = None
    if isinstance(camera, Camera):
        file = CameraFile(name="the call", camera=camera.to(torch.float64))
    elif camera is not None:
        file = read_camera(str(camera))
    lens = Lens(focal_px=focal, fov_deg=fov, file=file)
    return None if lens == Lens() else lens


def _with_picture(person: Person, prediction: Prediction, pixels: Pixels) -> PredictedPerson:
    facts = {each.name: getattr(person, each.name) for each in fields(Person)}
    return PredictedPerson(**facts, prediction=prediction, pixels=pixels)
