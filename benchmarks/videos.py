"""Prediction of drawn videos: `python -m benchmarks.videos FOLDER [--mocap FILE]`.

FOLDER gets `two_people.mp4`, invented people who turn and move, each in a half of the picture, and
with motion capture (docs/data.md) `mocap.mp4`, one recording of it drawn: 60 frames at 30 fps. Each
is predicted, unfiltered and filtered, and compared with the truth. Needs the extra `video`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from posezoo.camera import Camera
from posezoo.data.mocap.mocap_file import read_mocap
from posezoo.data.scene.render import render_batch
from posezoo.data.synthetic.activities import NAMES
from posezoo.data.synthetic.body import bone_lengths, stand_up
from posezoo.data.synthetic.poses import pose
from posezoo.inference.formats.overlay import import_av
from posezoo.inference.lens import Lens
from posezoo.inference.people import VideoPrediction
from posezoo.inference.predictor import Predictor
from posezoo.metrics import mpjpe, mpjve, pa_mpjpe

FRAMES, FPS = 60, 30
FOCAL_PX, HEIGHT = 700.0, 512
_CAMERA_MM = (4500.0, 1000.0)  # from the people, and above the floor
_UPRIGHT = ("stand", "talk", "walk", "reach", "dance", "kick")
_POSES_EACH = 4  # of an invented person, through which they move
_NEAR_PX = 60.0  # mean distance of joints up to which a found person is the true one

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A video and its truth."""

    path: Path
    joints_mm: Floats  # (P, T, 17, 3) camera frame, absolute
    joints2d: Floats  # (P, T, 17, 2) px


def two_people(folder: Path) -> Drawn:
    """Two invented people, 1.3 m to the left and to the right."""
    angles, activity = pose(0, np.arange(200))
    upright = np.flatnonzero(np.isin(activity, [NAMES.index(name) for name in _UPRIGHT]))
    people = []
    for person, aside in enumerate((-1300.0, 1300.0)):
        chosen = angles[upright[person * _POSES_EACH : (person + 1) * _POSES_EACH]]
        lengths = np.repeat(bone_lengths(np.array([person])), FRAMES, 0)
        world = np.asarray(stand_up(_eased(chosen), lengths))
        people.append(_before_camera(_turned(world, np.linspace(-0.9, 0.9, FRAMES)), aside))
    return _draw(folder / "two_people.mp4", np.stack(people))


def motion_capture(folder: Path, file: Path, trial: str) -> Drawn:
    """One recording, its first two seconds, between its poses along cubic splines."""
    from scipy.interpolate import CubicSpline  # noqa: PLC0415 - of an extra

    found = next((each for each in read_mocap(file) if each.trial == trial), None)
    if found is None:
        raise SystemExit(f"{file}: has no trial '{trial}'")
    times = found.frame / (found.frame[1] - found.frame[0]) / found.fps
    world = CubicSpline(times - times[0], found.positions_mm)(np.arange(FRAMES) / FPS)
    world[..., :2] -= world[:, :1, :2].mean(0)
    joints = _before_camera(_turned(world, np.full(FRAMES, 0.6)), 0.0)
    return _draw(folder / "mocap.mp4", joints[None])


def main() -> None:
    """Draw the videos, predict them, and print a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mocap", type=Path, metavar="FILE")
    parser.add_argument("--trial", default="HDM_mm_depositFloorR_024_120")
    parser.add_argument("--pipeline", metavar="SPEC|RUN")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    videos = [two_people(options.folder)]
    if options.mocap:
        videos.append(motion_capture(options.folder, options.mocap, options.trial))
    predictor = Predictor(options.pipeline, lens=Lens(focal_px=FOCAL_PX))
    print(predictor.name)
    for video in videos:
        for smooth in (None, "one-euro", "savgol"):
            found = predictor.video(video.path, smooth=smooth)
            print(f"{video.path.name}  {smooth or 'as lifted'}  {_score(video, found)}")


def _score(video: Drawn, found: VideoPrediction) -> str:
    predicted = np.full(video.joints_mm.shape, np.nan)
    ids: list[set[int]] = [set() for _ in predicted]
    errors_px, others = [], 0
    for t, frame in enumerate(found.frames):
        others += len(frame.people)
        for number, true_px in enumerate(video.joints2d[:, t]):
            distances = [_distance(person.joints2d, true_px) for person in frame.people]
            if not distances or min(distances) > _NEAR_PX:
                continue
            person = frame.people[int(np.argmin(distances))]
            others -= 1
            errors_px.append(min(distances))
            ids[number].add(person.id)
            if person.joints3d is not None:
                predicted[number, t] = person.joints3d
    guess = torch.from_numpy(predicted)
    true = torch.from_numpy(video.joints_mm - video.joints_mm[:, :, :1])
    seen = guess.isfinite().all(-1).all(-1)
    speed = mpjve(guess, true, fps=1.0).nanmean()
    return (
        f"found {int(seen.sum())} of {seen.numel()}  others {others}  ids {ids}  "
        f"2D {np.mean(errors_px):.1f} px  MPJPE {mpjpe(guess[seen], true[seen]).mean():.1f} mm  "
        f"PA-MPJPE {pa_mpjpe(guess[seen], true[seen]).mean():.1f} mm  MPJVE {speed:.1f} mm/frame"
    )


def _distance(first: Floats, second: Floats) -> float:  # px, (17, 2) each
    return float(np.linalg.norm(first - second, axis=-1).mean())


def _eased(poses: Floats) -> Floats:  # (K, A) rad -> (FRAMES, A)
    """From pose to pose, slow at each."""
    at = np.linspace(0, len(poses) - 1, FRAMES)
    low = np.minimum(at.astype(int), len(poses) - 2)
    share = (1 - np.cos(np.pi * (at - low)))[:, None] / 2
    return (1 - share) * poses[low] + share * poses[low + 1]


def _turned(world: Floats, yaw: Floats) -> Floats:  # (T, 17, 3) mm z up, (T,) rad
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    x, y, z = np.moveaxis(world, -1, 0)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], -1)


def _before_camera(world: Floats, aside: float) -> Floats:  # (T, 17, 3) mm, camera frame
    """Seen by a level camera that stands where x points to."""
    x, y, z = np.moveaxis(world, -1, 0)
    return np.stack([y + aside, _CAMERA_MM[1] - z, _CAMERA_MM[0] - x], -1)


def _draw(path: Path, joints_mm: Floats) -> Drawn:  # (P, T, 17, 3) camera frame
    """Each person in a square of their own, beside each other, all by one camera."""
    people, middle = len(joints_mm), (HEIGHT - 1) / 2
    centre = (people * HEIGHT - 1) / 2
    squares = []
    for person, joints in enumerate(joints_mm):
        camera = Camera.make(
            focal_px=(FOCAL_PX, FOCAL_PX), centre_px=(centre - person * HEIGHT, middle)
        )
        images, _ = render_batch(
            torch.from_numpy(joints),
            Camera(camera.parameters.expand(FRAMES, -1).contiguous()),
            size=HEIGHT,
            seed=0,
            index=np.full(FRAMES, person),  # the same clothes and light in every frame
            subject=[f"P{person:02d}"] * FRAMES,
        )
        squares.append(images.permute(0, 2, 3, 1).numpy())
    _write(path, np.concatenate(squares, 2))
    whole = Camera.make(focal_px=(FOCAL_PX, FOCAL_PX), centre_px=(centre, middle)).to(torch.float64)
    return Drawn(
        path=path, joints_mm=joints_mm, joints2d=whole.project(torch.from_numpy(joints_mm)).numpy()
    )


def _write(path: Path, frames: NDArray[np.uint8]) -> None:  # (T, H, W, 3) RGB
    av = import_av()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.options = {"crf": "18"}
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
