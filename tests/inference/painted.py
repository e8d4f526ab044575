"""People painted as marks, which the detector `marks` reads and the lifter `standing` knows.

A joint is a block of 3 x 3 px: the middle says whose it is and which, the rim where in its pixel it
lies. Nothing else in a picture looks like that, so that what is found is what the door handed on.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.contracts import DetectedPerson
from posezoo.registry import register
from posezoo.skeleton import Skeleton
from posezoo.training.checkpoint import save_checkpoint

# Facing the camera, the same on both sides, mm from the pelvis, y down.
POSE_MM = np.array([
    (0, 0, 0), (-110, 5, 0), (-130, 440, 20), (-120, 850, 60), (110, 5, 0), (130, 440, 20),
    (120, 850, 60), (0, -230, 10), (0, -480, 30), (0, -580, -10), (0, -690, 20), (170, -470, 30),
    (320, -250, 40), (420, -60, -60), (-170, -470, 30), (-320, -250, 40), (-420, -60, -60),
], float)  # fmt: skip
CAMERA = Camera.make(focal_px=(700, 700), centre_px=(319.5, 239.5))
BACKGROUND = (30, 60, 20)


def project(root_mm, camera=CAMERA, pose=POSE_MM):
    """(17, 2) px of the person standing there."""
    return camera.project(torch.from_numpy(pose + np.array(root_mm, float))).numpy()


def paint(people_px, size=(640, 480)):
    """(H, W, 3) uint8 with a mark for every joint of every person that lies in the picture."""
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = BACKGROUND
    for person, joints in enumerate(people_px):
        for joint, (x, y) in enumerate(joints):
            column, row = round(x), round(y)
            if 0 < column < width - 1 and 0 < row < height - 1:
                rest = [round(128 + 250 * each) for each in (x - column, y - row)]
                picture[row - 1 : row + 2, column - 1 : column + 2] = (254, *rest)
                picture[row, column] = (255, 16 + person, 100 + joint)
    return picture


def read_marks(picture):
    """The people that `paint` painted: {person: (17, 2) px}, NaN for marks that are not there."""
    people = {}
    for row, column in np.argwhere(picture[..., 0] == 255):
        person, joint = int(picture[row, column, 1]) - 16, int(picture[row, column, 2]) - 100
        rest = (picture[row, column - 1, 1:].astype(float) - 128) / 250
        joints = people.setdefault(person, np.full((17, 2), np.nan))
        joints[joint] = (column + rest[0], row + rest[1])
    return people


@register("detector", "marks", summary="Reads marks.", licence="Apache-2.0")
class Marks(nn.Module):
    """A detector of painted people, the nearest (largest) first."""

    joint_set = "h36m17"

    def __init__(self, *, score: float = 0.9) -> None:
        super().__init__()
        self.score = score

    def __call__(self, picture, *, boxes=None):
        assert picture.dtype == torch.uint8 and picture.shape[2] == 3
        found = []
        for joints in read_marks(picture.numpy()).values():
            px = torch.from_numpy(joints)
            known = px[px.isfinite().all(-1)]
            box = torch.cat([known.amin(0), known.amax(0) - known.amin(0)])
            sure = px.isfinite().all(-1).double()
            found.append(DetectedPerson(box_px=box, score=self.score, joints2d=px, confidence=sure))
        return sorted(found, key=lambda each: -float(each.box_px[3]))


@register("lifter", "standing", summary="One pose.", licence="Apache-2.0")
class Standing(nn.Module):
    """A lifter for which everybody stands as POSE_MM."""

    frames, future, takes_confidence = 1, 0, False

    def __init__(self, *, skeleton: Skeleton) -> None:
        super().__init__()
        self.register_buffer("pose", torch.from_numpy(POSE_MM).float())

    def __call__(self, joints2d, camera):
        return self.pose.expand(*joints2d.shape[:2], -1, -1).clone()

    def fit_normalisation(self, batch): ...

    def loss(self, predicted, batch):
        return predicted.sum()


def save_standing(folder: Path) -> Path:
    """A checkpoint of the lifter that knows how everybody stands."""
    pipeline = build_pipeline("standing")
    about = {"data": "synthetic", "image_size": 0}
    save_checkpoint(folder, pipeline.state_dict(), pipeline=pipeline, provenance=about)
    return folder


def save_photo(path: Path, roots=((0, 0, 3000),), size=(640, 480), **options) -> Path:
    """A picture of people who stand at these places, mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(paint([project(root) for root in roots], size)).save(path, **options)
    return path


def save_video(path: Path, frames, *, fps=25, turned=0, times=None) -> Path:
    """A video that keeps every pixel; `times` in s where frames do not follow each other evenly."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "rgb24"
        stream.codec_context.time_base = Fraction(1, 1000)
        if turned:
            stream.set_display_rotation(turned)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = round(1000 * (number / fps if times is None else times[number]))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
