"""A picture in, 17 joints in millimetres out: backbone, head and lifter put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self, TypeVar, cast

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import Batch, Detector, Lifter, PoseResult
from posezoo.registry import PipelineSpec
from posezoo.skeleton import Skeleton, get_skeleton

Said = TypeVar("Said", Tensor, PoseResult)


class Pipeline(nn.Module):
    """The assembled network. Without a backbone and head it lifts 2D joints that it is given.

    With a detector in place of backbone and head, those joints are the detector's, mapped to
    `skeleton`: posezoo.inference does that. A detector comes trained, and is no part that learns.
    """

    mean_pose: Tensor  # (J, 3) mm
    # Modules that obey `Backbone`, `Head` or `PoseHead`, and `Lifter`; a protocol cannot say that
    # it is a module.
    backbone: Any
    head: Any
    lifter: Any
    detector: Any  # obeys `Detector`

    def __init__(
        self,
        *,
        spec: PipelineSpec,
        skeleton: Skeleton,
        backbone: nn.Module | None,
        head: nn.Module | None,
        lifter: nn.Module | None,
        detector: Detector | None = None,
    ) -> None:
        super().__init__()
        self.spec, self.skeleton = spec, skeleton
        self.backbone, self.head, self.lifter = backbone, head, lifter
        self.detector = detector
        # The mean training pose, mm root-relative: what a network that looks at nothing predicts.
        self.register_buffer("mean_pose", torch.zeros(skeleton.num_joints, 3))

    def forward(
        self,
        image: Tensor | None,  # (B, 3, H, W) RGB, uint8 or in [0, 1]
        camera: Camera,  # parameters (B, 10): the camera of that picture
    ) -> PoseResult:
        """See the joints, then lift them."""
        maps = self.heatmaps(image)
        if self.head.output == "joints3d":
            result: PoseResult = self.head.decode(maps, camera)
            return result
        joints2d, confidence = self.head.decode(maps)
        joints2d, joints3d = joints2d[:, None], None  # a clip of one frame
        if self.lifter is not None:
            joints3d = self.lift(joints2d, camera, confidence[:, None])
        return PoseResult(
            joints2d=joints2d,
            joints3d=joints3d,
            confidence=confidence,
            maps=maps if maps.ndim == 4 else None,  # (B, J, h, w)
        )

    def heatmaps(
        self,
        image: Tensor | None,  # (B, 3, H, W) RGB, uint8 or in [0, 1]
    ) -> Tensor:  # the head's raw maps
        """Backbone and head.

        Raises:
            ValueError: the data has no pictures.
        """
        maps: Tensor = self.head(self._features(image))
        return maps

    def head_loss(self, batch: Batch) -> Tensor:  # scalar
        """The head's own loss, where nobody else wants its maps.

        Raises:
            ValueError: the data has no pictures.
        """
        features = self._features(batch.image)
        fused: Any = getattr(self.head, "loss_of_features", None)
        loss: Tensor
        loss = (
            self.head.loss(self.head(features), batch) if fused is None else fused(features, batch)
        )
        return loss

    def _features(self, image: Tensor | None) -> tuple[Tensor, ...]:
        if image is None:
            raise ValueError(f"'{self.spec}' starts from pictures, and this data has none")
        if image.dtype == torch.uint8:
            image = image.float() / 255
        features: tuple[Tensor, ...] = self.backbone(image)
        return features

    def lift(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: true joints, so 1
    ) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
        """The lifter, in float32: a bfloat16 coordinate is off by up to 1/4 px at 64 px.

        Only a lifter alone that learns under autocast multiplies its matrices in bfloat16; what it
        is told and what its answer means stays float32 then too (`posezoo.normalisation`).
        """
        return self._lift(self.lifter, joints2d, camera, confidence)

    def lifted(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: true joints, so 1
    ) -> PoseResult:  # of T - frames + 1 frames
        """`lift` with whatever else the lifter says, such as how sure it is."""
        if not hasattr(self.lifter, "answer"):
            return PoseResult(joints3d=self.lift(joints2d, camera, confidence))
        return self._lift(self.lifter.answer, joints2d, camera, confidence)

    def lifted_window(
        self,
        joints2d: Tensor,  # (B, frames, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, frames, J), 0 to 1; None: true joints, so 1
    ) -> PoseResult:
        """All frames of one window, of a lifter that predicts them at once; float32 as `lift`."""
        if hasattr(self.lifter, "answer_window"):
            return self._lift(self.lifter.answer_window, joints2d, camera, confidence)
        joints3d = self._lift(self.lifter.lift_window, joints2d, camera, confidence)
        return PoseResult(joints3d=joints3d)

    def lift_loss(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, true or predicted
        batch: Batch,
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: true joints, so 1
    ) -> Tensor:  # scalar
        """The lifter's loss for the joints that it is given, of all that it predicts at once.

        A joint that is not labelled is NaN. Items with one do not count where the lifter takes no
        confidence: it sees another item in their place, so that no shape depends on the data.
        """
        if confidence is None:
            joints2d = joints2d.where(batch.labelled2d[..., None], torch.nan)
        if not self.lifter.takes_confidence:
            missing = joints2d.isnan().any(-1) & ~batch.labelled2d  # else NaN is a fault, and shows
            whole = ~missing.flatten(1).any(1)
            place = torch.arange(len(whole), device=whole.device).where(whole, whole.int().argmax())
            # Filled only in a batch without a whole item, where nothing counts.
            joints2d = joints2d.masked_fill(missing[..., None], 0)[place]
            labelled3d = batch.labelled3d & whole[:, None, None]
            batch = replace(batch, labelled3d=labelled3d, camera=batch.camera[place])
        if hasattr(self.lifter, "loss_of_joints"):
            inputs = lifter_inputs(self.lifter, joints2d.float(), batch.camera, confidence)
            own: Tensor = self.lifter.loss_of_joints(*inputs, batch)
            return own
        if hasattr(self.lifter, "lift_window") and joints2d.shape[1] == self.lifter.frames:
            joints3d = self.lifted_window(joints2d, batch.camera, confidence).joints3d
        else:
            joints3d = self.lift(joints2d, batch.camera, confidence)
            batch = self.predicted_frames(batch)
        loss: Tensor = self.lifter.loss(joints3d, batch)
        return loss

    def _lift(
        self,
        lift: Callable[..., Said],
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None,  # (B, T, J), 0 to 1
    ) -> Said:
        inputs = lifter_inputs(self.lifter, joints2d.float(), camera, confidence)
        kind = joints2d.device.type
        learns = self.lifter.training and not self.has_image and torch.is_autocast_enabled(kind)
        with torch.autocast(kind, torch.bfloat16, enabled=learns):
            return lift(*inputs)

    def predicted_frames(self, batch: Batch) -> Batch:
        """A batch without the frames that the lifter only looks at: what predictions answer to."""
        if self.lifter is None or self.lifter.frames == 1:
            return batch
        seen, future = batch.joints2d.shape[1], self.lifter.future
        return batch.frames(self.lifter.frames - 1 - future, seen - future)

    def predict(self, batch: Batch) -> PoseResult:
        """What the pipeline makes of a batch: of its pictures, or of its 2D joints."""
        if not self.has_image:
            result = self.lifted(batch.known2d, batch.camera, batch.confidence)
            return replace(result, joints2d=self.predicted_frames(batch).joints2d)
        return cast(PoseResult, self(batch.image, batch.camera))

    def to_device(self, device: torch.device) -> Self:
        """Itself on the device, with the memory layout that convolutions like best."""
        self.to(device)
        for part in (self.backbone, self.head):
            if part is not None:
                part.to(memory_format=torch.channels_last)
        return self

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The parts that are there and learn, by kind."""
        named = {"backbone": self.backbone, "head": self.head, "lifter": self.lifter}
        return {name: part for name, part in named.items() if part is not None}

    @property
    def skeleton2d(self) -> Skeleton:
        """The joints that a lifter is told: those of the skeleton, unless it says otherwise."""
        name = getattr(self.lifter, "joints2d", "")
        return get_skeleton(name) if name else self.skeleton

    def takes(self, joint_set: Skeleton) -> bool:
        """Whether the lifter says that it can be told any part of that joint set."""
        return joint_set.name in getattr(self.lifter, "joint_sets", ())

    def set_of(
        self,
        joints2d: Tensor,  # (..., J, 2) px
    ) -> Skeleton:
        """Whose joints those are: the skeleton's, if the lifter takes them as they are."""
        own = joints2d.shape[-2] == self.skeleton.num_joints and self.takes(self.skeleton)
        return self.skeleton if own else self.skeleton2d

    @property
    def has_image(self) -> bool:
        """Whether the pipeline starts from a picture."""
        return self.backbone is not None

    def require(self, *parts: str) -> tuple[str, ...]:
        """The same names, if the pipeline has those parts.

        Raises:
            ValueError: a part is missing.
        """
        missing = [part for part in parts if part not in self.parts]
        if missing:
            raise ValueError(
                f"'{self.spec}' has no {' and no '.join(missing)}, which this strategy trains. "
                "Write backbone-head+lifter (posezoo list), or take --strategy separate"
            )
        return parts

    @torch.no_grad()
    def fit_normalisation(self, batch: Batch) -> None:
        """Take the statistics of training data: the mean pose, and those of the parts.

        Raises:
            ValueError: no pose of the batch is labelled in 3D throughout.
        """
        sides = {"3D": (batch.labelled3d, self.skeleton)}
        if not hasattr(self.lifter, "joint_sets"):  # else it needs no 2D joint in particular
            sides = {"2D": (batch.labelled2d, self.skeleton2d), **sides}
        every = [labelled.all(-1).all(-1) for labelled, _ in sides.values()]
        whole = torch.stack(every).all(0)
        if not whole.any():
            text = f"no pose of the training data has all its joints in {' and in '.join(sides)}"
            for where, (labelled, skeleton) in sides.items():
                never = (~labelled.flatten(0, 1).any(0)).nonzero().flatten().tolist()
                if never:
                    names = ", ".join(skeleton.joints[joint] for joint in never)
                    text += f"; never in {where}: {names}"
            if batch.confidence is not None:
                text += "; estimate=true beside joints2d= puts them where the others say"
            raise ValueError(text)
        batch = batch.items(whole)
        self.mean_pose.copy_(batch.joints3d.flatten(0, 1).mean(0))
        for part in self.parts.values():
            fit: Any = getattr(part, "fit_normalisation", None)
            if fit is not None:
                fit(batch)


def lifter_inputs(
    lifter: Lifter,
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,  # parameters (B, 10)
    confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: true joints, so 1
) -> tuple[Any, ...]:
    """The arguments that the lifter is called with: confidence only where it takes it.

    A joint that is not known (NaN) then stands in the middle of the others of its frame, with
    confidence 0; a lifter that takes none gives NaN for it.
    """
    if not lifter.takes_confidence:
        return joints2d, camera
    if confidence is None:
        confidence = torch.ones_like(joints2d[..., 0])
    known = ~joints2d.isnan().any(-1)  # (B, T, J)
    count = known.sum(-1)[..., None, None]
    middle = joints2d.where(known[..., None], 0).sum(-2, keepdim=True) / count.clamp_min(1)
    middle = middle.where(count > 0, camera.centre[:, None, None].to(middle))
    joints2d = joints2d.where(known[..., None], middle)
    return joints2d, camera, confidence.to(joints2d.dtype).where(known, 0)
