"""What travels between the parts: samples of data, batches of them, and what a pipeline gives.

Letters, units and frames as in `posezoo.contracts`, where these names are to be imported from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from posezoo.camera import Camera


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One item of a dataset: a clip of T frames (T = 1 for a single picture) of one person."""

    joints2d: Tensor  # (T, J, 2) px, true positions; or detected ones, NaN where there is none
    joints3d: Tensor  # (T, J, 3) mm, camera frame, root-relative
    root_mm: Tensor  # (T, 3) mm, camera frame: joints3d + root_mm is absolute
    labelled2d: Tensor  # (T, J) bool: joints2d is known; where it is not, it counts nowhere
    labelled3d: Tensor  # (T, J) bool: joints3d is known; never in data that has 2D only
    visible: Tensor  # (T, J) bool: inside the picture and not hidden by anything
    camera: Camera  # of the picture as the network sees it, crop included: parameters (10,)
    subject: str
    action: str
    sequence: str = ""  # the recording that it comes from, by any camera; "": none
    frame: int = -1  # of that recording: the item's own pose, as its source counts; -1: not known
    image: Tensor | None = None  # (3, H, W) uint8 RGB
    # (T, J) 0 to 1: how sure the detector was whose joints2d these are; None: they are true.
    confidence: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples side by side; the same fields as `Sample` with a leading B."""

    joints2d: Tensor  # (B, T, J, 2) px
    joints3d: Tensor  # (B, T, J, 3) mm, camera frame, root-relative
    root_mm: Tensor  # (B, T, 3) mm, camera frame
    labelled2d: Tensor  # (B, T, J) bool
    labelled3d: Tensor  # (B, T, J) bool
    visible: Tensor  # (B, T, J) bool
    camera: Camera  # parameters (B, 10)
    subject: tuple[str, ...]
    action: tuple[str, ...]
    sequence: tuple[str, ...]
    frame: tuple[int, ...] = ()  # empty: not known
    image: Tensor | None = None  # (B, 3, H, W) uint8 RGB
    confidence: Tensor | None = None  # (B, T, J) 0 to 1; None: joints2d are true

    def __len__(self) -> int:
        return len(self.joints2d)

    @classmethod
    def collate(cls, samples: Sequence[Sample]) -> Batch:
        """Stack samples; pictures only where every sample has one."""
        images = [s.image for s in samples if s.image is not None]
        sure = [_sure(s) for s in samples] if any(s.confidence is not None for s in samples) else []
        return cls(
            joints2d=torch.stack([s.joints2d for s in samples]),
            joints3d=torch.stack([s.joints3d for s in samples]),
            root_mm=torch.stack([s.root_mm for s in samples]),
            labelled2d=torch.stack([s.labelled2d for s in samples]),
            labelled3d=torch.stack([s.labelled3d for s in samples]),
            visible=torch.stack([s.visible for s in samples]),
            camera=Camera.stack([s.camera for s in samples]),
            subject=tuple(s.subject for s in samples),
            action=tuple(s.action for s in samples),
            sequence=tuple(s.sequence for s in samples),
            frame=_numbers([s.frame for s in samples]),
            image=torch.stack(images) if len(images) == len(samples) else None,
            confidence=torch.stack(sure) if sure else None,
        )

    @property
    def known2d(self) -> Tensor:  # (B, T, J, 2) px
        """The 2D joints, NaN where they are not known: what stands there else is no place."""
        return self.joints2d.where(self.labelled2d[..., None], torch.nan)

    def name(self, item: int) -> str:
        """Which pose an item is, for people to find it."""
        recording = f"sequence '{self.sequence[item]}', " if self.sequence[item] else ""
        frame = self.frame[item] if self.frame else -1
        place = f"{recording}frame {frame}, " if frame >= 0 else recording
        return f"{place}subject '{self.subject[item]}', action '{self.action[item]}'"

    def frames(self, first: int, last: int) -> Self:
        """The same clips from frame `first` (included) to frame `last` (not included)."""
        timed = ["joints2d", "joints3d", "root_mm", "labelled2d", "labelled3d", "visible"]
        if self.confidence is not None:
            timed.append("confidence")
        return replace(self, **{name: getattr(self, name)[:, first:last] for name in timed})

    def items(
        self,
        chosen: Tensor,  # (M,) int64, or (B,) bool
    ) -> Self:
        """The samples that are chosen, in that order."""
        places = torch.arange(len(self))[chosen.cpu()].tolist()
        named: dict[str, Any] = {
            name: tuple(getattr(self, name)[i] for i in places)
            for name in ("subject", "action", "sequence", "frame")
            if getattr(self, name)
        }
        return replace(self._map(lambda value: value[chosen]), **named)

    def split(self, size: int) -> list[Self]:
        """The same samples in their order, `size` to a batch, each in memory of its own."""
        return [self.items(rows) for rows in torch.arange(len(self)).split(size)]

    @classmethod
    def join(cls, batches: Sequence[Batch]) -> Batch:
        """One batch after another; pictures only where every batch has them."""
        tensors = {
            f.name: torch.cat([getattr(b, f.name) for b in batches])
            for f in fields(cls)
            if isinstance(getattr(batches[0], f.name), Tensor)
            and f.name not in ("image", "confidence")
        }
        images = [b.image for b in batches if b.image is not None]
        sure = [_sure(b) for b in batches] if any(b.confidence is not None for b in batches) else []
        return cls(
            **tensors,
            camera=Camera(torch.cat([b.camera.parameters for b in batches])),
            subject=tuple(name for b in batches for name in b.subject),
            action=tuple(name for b in batches for name in b.action),
            sequence=tuple(name for b in batches for name in b.sequence),
            frame=_numbers([number for b in batches for number in b.frame or (-1,) * len(b)]),
            image=torch.cat(images) if len(images) == len(batches) else None,
            confidence=torch.cat(sure) if sure else None,
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """Move every tensor."""
        return self._map(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Page-locked copy; the data loader calls this."""
        return self._map(lambda value: value.pin_memory())

    def _map(self, change: Callable[[Any], Any]) -> Self:
        moved = {
            f.name: change(value)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor | Camera)
        }
        return replace(self, **moved)


def _sure(item: Sample | Batch) -> Tensor:  # (..., T, J)
    """Its confidence; of true joints 1, of unknown ones 0."""
    return item.labelled2d.float() if item.confidence is None else item.confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseResult:
    """What a pipeline gives: whatever its parts can tell."""

    joints2d: Tensor | None = None  # (B, T, J, 2) px; None from a head that gives 3D alone
    joints3d: Tensor | None = None  # (B, T, J, 3) mm, camera frame, root exactly 0
    sigma_mm: Tensor | None = None  # (B, T, J) of each joint: 68 % of errors in 3D are within it
    root_mm: Tensor | None = None  # (B, T, 3) camera frame: joints3d + root_mm is absolute
    confidence: Tensor | None = None  # (B, J), 0 to 1
    maps: Tensor | None = None  # the head's raw maps, where they are (B, J, h, w)


def _numbers(frames: Sequence[int]) -> tuple[int, ...]:
    """The frames of a batch; empty where none is known."""
    return tuple(frames) if any(frame >= 0 for frame in frames) else ()
