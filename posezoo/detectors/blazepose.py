"""BlazePose: finds people and 33 joints of each, in px, and in mm around the hips.

V. Bazarevsky et al., BlazePose: On-device Real-time Body Pose tracking, arXiv:2006.10204; 3D by
I. Grishchenko et al., BlazePose GHUM Holistic, arXiv:2206.11678. The original follows one person.
Here everybody who is found is looked at, and small people are searched for in parts of the picture:
the network sees 224 px, whatever the picture has. Weights: `posezoo weights get blazepose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from posezoo.contracts import DetectedPerson
from posezoo.detectors._blazepose_geometry import Crops, Found, about, decode, refine, sample
from posezoo.detectors._blazepose_networks import (
    LANDMARK_PX,
    NUM_POINTS,
    PERSON_PX,
    LandmarkNetwork,
    PersonNetwork,
)
from posezoo.detectors._blazepose_people import apart, around, crops_in, distinct, parts_of
from posezoo.detectors._side_by_side import side_by_side
from posezoo.limits import Range, Share
from posezoo.onnx_session import graph_path, onnx_runner
from posezoo.skeleton import SKELETONS

_SET = SKELETONS["blazepose33"]
_JOINTS = _SET.num_joints
_MIRROR = [*_SET.mirror, *range(_JOINTS, NUM_POINTS)]
_NEXT = [_JOINTS, _JOINTS + 1]  # the points that say where this person is in the next picture
_MOST_OVERLAP = 0.3  # of two boxes; above it they are one person
_MOST_DISAGREEMENT = 0.09  # mean distance of two looks, in sides of the crop
_MM = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What the second network says of one crop."""

    places: Tensor  # (P, 2) shares of the side of the crop
    world: Tensor  # (P, 3) m, axes of the crop
    visibility: Tensor  # (P,) 0 to 1
    presence: Tensor  # (P,) 0 to 1: inside the picture
    flag: Tensor  # () 0 to 1: somebody is there


class BlazePose(nn.Module):
    """See `posezoo.contracts.Detector`. Made here it has random weights; assembly puts them in.

    Args:
        tiles: 1: search the whole picture; n: also in overlapping parts of it, 2 x 2 to n x n.
        look_again: look at each person in a mirror too, and take the mean of both. Who looks quite
            different there was none; where left and right change places, the surer look counts.
        max_people: the most people of one picture.
        least_score: how sure the first network must be of a person; it proposes.
        least_presence: how sure the second network must be, which looks closely and decides.
        onnx: run the networks of `posezoo export blazepose --out FILE` in onnxruntime; that FILE.
    """

    joint_set = "blazepose33"

    def __init__(
        self,
        *,
        tiles: Annotated[int, Range(1, 64)] = 3,
        look_again: bool = True,
        max_people: Annotated[int, Range(1, 1000)] = 20,
        least_score: Share = 0.4,
        least_presence: Share = 0.5,
        onnx: str = "",
    ) -> None:
        super().__init__()
        self.tiles, self.look_again, self.max_people = tiles, look_again, max_people
        self.least_score, self.least_presence = least_score, least_presence
        self.person, self.landmarks = PersonNetwork(), LandmarkNetwork()
        whole: Any = self  # whose types know no memory format
        whole.to(memory_format=torch.channels_last)  # a fifth faster
        self._exported = {
            name: onnx_runner(graph_path(Path(onnx), name), like=([example], outputs), threads=1)
            for name, (_, example, outputs) in (self.networks() if onnx else {}).items()
        }
        self.eval()

    @torch.no_grad()
    def forward(
        self,
        picture: Tensor,  # (H, W, 3) uint8 RGB
        *,
        boxes: Tensor | None = None,  # (P, 4) px: one person in each; None: look for people
    ) -> list[DetectedPerson]:  # the surest first; of `boxes`, one each, in their order
        """Find people, or the one in each box, and look at each of them closely.

        `extras` has joints3d_mm (33, 3), presence (33,), next_crop (2, 2) px, which `follow` needs,
        and if it looked again mirror_error (), in sides of the crop, and sides_unsure () bool.
        """
        picture = picture.cpu()
        height, width = picture.shape[:2]
        if boxes is not None:
            if not len(boxes):
                return []
            boxes = boxes.cpu().float()
            crops = crops_in(boxes, self._find(picture, around(boxes)))
            people = self._look(picture, crops)
            return [replace(p, box_px=box) for p, box in zip(people, boxes, strict=True)]
        found = self._find(picture, parts_of(width, height, self.tiles))
        crops = about(found.points[:, 0], found.points[:, 1])
        crops = crops[distinct(crops, found.scores)[: 2 * self.max_people]]
        people = self._look(picture, crops)
        return apart(person for person in people if self._is_somebody(person))[: self.max_people]

    @torch.no_grad()
    def follow(
        self,
        picture: Tensor,  # (H, W, 3) uint8 RGB: the next frame of a video
        people: Sequence[DetectedPerson],  # of the frame before
    ) -> list[DetectedPerson | None]:  # the same people; None: lost
        """Look where each person of the last frame should be now; look for nobody else."""
        if not people:
            return []
        points = torch.stack([person.extras["next_crop"] for person in people])
        seen = self._look(picture.cpu(), about(points[:, 0], points[:, 1]))
        return [person if self._is_somebody(person) else None for person in seen]

    def networks(self) -> dict[str, tuple[nn.Module, Tensor, tuple[str, ...]]]:
        """What can be exported: each network with two pictures for it and names of its outputs."""
        looks = ("points", "flag", "heatmaps", "world_m")
        return {
            "person": (self.person, torch.zeros(2, 3, PERSON_PX, PERSON_PX), ("boxes", "logits")),
            "landmarks": (self.landmarks, torch.zeros(2, 3, LANDMARK_PX, LANDMARK_PX), looks),
        }

    def _run(self, name: str, image: Tensor) -> tuple[Tensor, ...]:
        """One of the networks, wherever it is; its outputs on the CPU."""
        if self._exported:
            return tuple(self._exported[name]([image]))
        image = image.to(self._device).contiguous(memory_format=torch.channels_last)
        return tuple(each.cpu() for each in self.get_submodule(name)(image))

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    def _is_somebody(self, person: DetectedPerson) -> bool:
        error = float(person.extras.get("mirror_error", 0.0))
        return person.score >= self.least_presence and error <= _MOST_DISAGREEMENT

    def _find(self, picture: Tensor, squares: Crops) -> Found:
        """The first network on each square."""

        def find(some: Crops) -> tuple[Tensor, ...]:
            seen = sample(picture, some, PERSON_PX, outside="black")
            return self._run("person", seen / 127.5 - 1)

        at_once = 1 if self._device.type == "cpu" else len(squares)
        found = side_by_side(find, squares.split(at_once))
        values, logits = (torch.cat(each) for each in zip(*found, strict=True))
        return decode(
            values,
            logits,
            squares,
            least_score=self.least_score,
            most_overlap=_MOST_OVERLAP,
        )

    def _look(self, picture: Tensor, crops: Crops) -> list[DetectedPerson]:
        """The second network on each crop."""
        return side_by_side(lambda crop: self._person(picture, crop), crops.split(1))

    def _person(self, picture: Tensor, crop: Crops) -> DetectedPerson:
        image = sample(picture, crop, LANDMARK_PX, outside="border") / 255
        look = self._read(image)
        extras: dict[str, Tensor] = {}
        if self.look_again:
            look, error, swapped = _agreed(look, _mirrored(self._read(image.flip(-1))))
            extras |= {"mirror_error": error, "sides_unsure": swapped}
        places = crop.to_px(look.places[None])[0]
        joints = places[:_JOINTS]
        low, high = joints.amin(0), joints.amax(0)
        across, depth = look.world[:_JOINTS, :2], look.world[:_JOINTS, 2:]
        return DetectedPerson(
            box_px=torch.cat((low, high - low)),
            score=float(look.flag),
            joints2d=joints,
            confidence=look.visibility[:_JOINTS],
            extras={
                "joints3d_mm": torch.cat((crop.turned(across[None])[0], depth), -1) * _MM,
                "presence": look.presence[:_JOINTS],
                "next_crop": places[_NEXT],
                **extras,
            },
        )

    def _read(
        self,
        image: Tensor,  # (1, 3, 256, 256) RGB in [0, 1]
    ) -> _Look:
        points, flag, heatmaps, world = self._run("landmarks", image)
        return _Look(
            places=refine(points[..., :2] / LANDMARK_PX, heatmaps)[0],
            world=world[0],
            visibility=points[0, :, 3].sigmoid(),
            presence=points[0, :, 4].sigmoid(),
            flag=flag[0],
        )


def _mirrored(look: _Look) -> _Look:
    """What was seen in a mirror, as it is: the last column of the crop is the first there."""
    places, world = look.places[_MIRROR], look.world[_MIRROR]
    last = (LANDMARK_PX - 1) / LANDMARK_PX
    return _Look(
        places=torch.stack((last - places[:, 0], places[:, 1]), -1),
        world=world * torch.tensor([-1.0, 1.0, 1.0]),
        visibility=look.visibility[_MIRROR],
        presence=look.presence[_MIRROR],
        flag=look.flag,
    )


def _agreed(first: _Look, second: _Look) -> tuple[_Look, Tensor, Tensor]:
    """One look of two, by how much they differ, and whether they do so on left and right alone.

    The mean of both where they agree, else the surer of them.
    """
    swapped = (first.places[_MIRROR] - second.places)[:_JOINTS].norm(dim=-1).mean()
    error = (first.places - second.places)[:_JOINTS].norm(dim=-1).mean()
    if swapped < error or error > _MOST_DISAGREEMENT:
        surer = max(first, second, key=lambda look: float(look.flag))
        return surer, torch.minimum(swapped, error), swapped < error
    means = {f.name: (getattr(first, f.name) + getattr(second, f.name)) / 2 for f in fields(_Look)}
    return _Look(**means), error, swapped < error
