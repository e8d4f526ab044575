"""Temporal convolutions from a clip of 2D joints to the 3D joints of its frames.

Pavllo et al. 2019, "3D human pose estimation in video with temporal convolutions and
semi-supervised training" (VideoPose3D), arXiv:1811.11742. A clip longer than `frames` is convolved
densely, each layer's taps further apart than the last's; one of exactly `frames` takes strides
instead and computes only what its single prediction needs, with the same weights. Differs from the
paper: z-scores in and out (`input="screen"`: as published), the batch norm's momentum stays at 0.1,
and without `widths` lifters of 3 and 9 frames have as many blocks as that of 27, the last of them a
frame wide.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.lifters._blocks import FastDropout
from posezoo.lifters._windows import require_frames
from posezoo.limits import Dropout, Frames, Length, Width
from posezoo.normalisation import InputForm, LossForm, Normalisation
from posezoo.skeleton import Skeleton, get_skeleton


class Tcn(nn.Module):
    """A convolution, then blocks of two with a shortcut, each over 3 times as many frames.

    Args:
        skeleton: the joints.
        frames: how many frames a prediction sees: a power of 3, or the product of `widths`.
        widths: how many frames each convolution sees, such as 3x3x3; none: threes, and ones to
            make up three.
        causal: see none after the predicted frame, instead of as many as before it.
        width: channels.
        dropout: share of numbers left out behind every convolution.
        joints2d: the set of the 2D joints where it is not the skeleton, such as coco17; only for
            input="screen", which has no statistics to take from the training data.
        input: "px", "rays" with the intrinsics taken out, or "screen" as published.
        loss: on z-scores ("l2", "l1") or in mm ("mpjpe").
        zero_init: an output layer of zeros, which predicts the mean pose, instead of torch's
            own random one.
    """

    takes_confidence = False

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        frames: Frames = 27,
        widths: Annotated[tuple[Frames, ...], Length(1, 16)] | None = None,
        causal: bool = False,
        width: Width = 1024,
        dropout: Dropout = 0.25,
        joints2d: str = "",
        input: InputForm = "px",
        loss: LossForm = "mpjpe",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.frames, self.future = frames, 0 if causal else frames // 2
        told = get_skeleton(joints2d) if joints2d else skeleton
        self.joints2d = joints2d
        if told != skeleton and input != "screen":
            raise ValueError(
                f"joints2d={joints2d} with input={input}: expected input=screen, since the "
                f"training data has no statistics of joints that are not {skeleton.name}'s"
            )
        self.normalisation = Normalisation(skeleton=skeleton, input=input, loss=loss, joints2d=told)
        self.stem_kernel, *kernels = _kernels(frames, widths)
        self.stem = _Layer(self.stem_kernel * self.normalisation.num_inputs, width, dropout=dropout)
        dilations = [math.prod([self.stem_kernel, *kernels[:i]]) for i in range(len(kernels))]
        self.blocks = nn.ModuleList(
            _Block(width, kernel=kernel, dilation=dilation, causal=causal, dropout=dropout)
            for kernel, dilation in zip(kernels, dilations, strict=True)
        )
        self.out = nn.Linear(width, self.normalisation.num_outputs)
        if zero_init:  # a random output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
        """Lift every frame that has its whole context in the clip.

        Raises:
            ValueError: the clip is too short.
        """
        require_frames(joints2d, self.frames)
        inputs, to_camera = self.normalisation.inputs(joints2d, camera)
        past = self.frames - 1 - self.future
        to_camera = to_camera[:, past : joints2d.shape[1] - self.future]
        return self.normalisation.joints3d(self.network(inputs), to_camera)

    def network(
        self,
        inputs: Tensor,  # (B, T, inputs)
    ) -> Tensor:  # (B, T - frames + 1, outputs)
        """The convolutions by themselves."""
        strided = inputs.shape[1] == self.frames
        x = self.stem(_taps(inputs, self.stem_kernel, 1, strided=strided))
        for block in self.blocks:
            x = block(x, strided=strided)
        outputs: Tensor = self.out(x)
        return outputs

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,  # of the predicted frames
    ) -> Tensor:  # scalar; z-score units for "l1" and "l2", mm for "mpjpe"
        """The training loss that the lifter was built with."""
        return self.normalisation.loss(predicted, batch)

    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Mean and standard deviation of every input and output number."""
        self.normalisation.fit(batch)


class _Layer(nn.Module):
    """A linear map of the frames that a convolution sees at once, batch norm, ReLU, dropout."""

    def __init__(self, fan_in: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(fan_in, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = FastDropout(dropout)

    def forward(self, taps: Tensor) -> Tensor:
        """(B, T, kernel, C) to (B, T, width)."""
        x = self.linear(taps.flatten(2))
        x = self.norm(x.flatten(0, 1)).view_as(x)
        return self.dropout(functional.relu(x))


class _Block(nn.Module):
    """A convolution over time, then one over channels; the frame that they are about skips both."""

    def __init__(
        self, width: int, *, kernel: int, dilation: int, causal: bool, dropout: float
    ) -> None:
        super().__init__()
        self.kernel, self.dilation = kernel, dilation
        self.about = kernel - 1 if causal else kernel // 2
        self.over_time = _Layer(kernel * width, width, dropout=dropout)
        self.over_channels = _Layer(width, width, dropout=dropout)

    def forward(self, x: Tensor, *, strided: bool) -> Tensor:
        """(B, T, C) to fewer frames of it, as `_taps`."""
        taps = _taps(x, self.kernel, self.dilation, strided=strided)
        y = self.over_time(taps)
        return taps[:, :, self.about] + self.over_channels(y[:, :, None])


def _taps(
    x: Tensor,  # (B, T, C)
    kernel: int,
    dilation: int,
    *,
    strided: bool,
) -> Tensor:  # (B, T / kernel, kernel, C) if strided, else (B, T - (kernel - 1) * dilation, ...)
    """The frames that each output of a convolution over time sees.

    A convolution is then one matrix product, which on a CPU took 0.54 of `conv1d`'s time.
    """
    if strided:  # layers before have left only every `dilation`-th frame
        return x.unflatten(1, (-1, kernel))
    length = x.shape[1] - (kernel - 1) * dilation
    return torch.stack([x[:, k * dilation :][:, :length] for k in range(kernel)], 2)


def _kernels(frames: int, widths: tuple[int, ...] | None) -> list[int]:
    """How many frames each convolution sees, their product being `frames`."""
    if widths is None:
        threes = round(math.log(max(frames, 1), 3))
        widths = (3,) * threes + (1,) * (3 - threes)
    if math.prod(widths) != frames or any(width < 1 or width % 2 == 0 for width in widths):
        raise ValueError(
            f"frames={frames} with widths={'x'.join(map(str, widths))}: expected odd widths whose "
            "product is frames; without widths, 1, 3, 9, 27, 81 or 243 frames"
        )
    return [*widths]
