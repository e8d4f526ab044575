"""Attention beside graph convolutions, over joints and then over frames, mixed at every layer.

Mehraban et al. 2024, "MotionAGFormer: enhancing 3D human pose estimation with a
transformer-GCNFormer network", arXiv:2310.16288. A joint listens to its neighbours on the skeleton,
a frame to those that are most like it. Told the detector's confidence beside each joint. The
defaults are its size B. Differs from the paper: z-scores in and out (`input="screen25d"`: as
published, `posezoo.normalisation` says how millimetres come out of that), and the loss is of
positions alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.lifters._blocks import Attention, Block, Mix, over_frames, over_joints
from posezoo.lifters._windows import lift_centres, lift_window
from posezoo.limits import Frames, Heads, Layers, Ratio, Width
from posezoo.normalisation import InputForm, LossForm, Normalisation
from posezoo.skeleton import Skeleton

# (listener, speaker): bones along which the published graph hears one way only.
_UNHEARD = {("pelvis", "left_hip"), ("thorax", "left_shoulder"), ("thorax", "right_shoulder")}


class MotionAgFormer(nn.Module):
    """An embedding, layers of two streams and their mix, a representation, a linear layer.

    Args:
        skeleton: the joints, and the bones that make them neighbours.
        frames: how many frames a window has.
        width: channels of a joint.
        representation: channels of what the output layer reads.
        depth: layers.
        heads: of every attention.
        mlp_ratio: hidden units of a perceptron, per channel.
        neighbours: frames that a frame listens to, itself mostly one of them.
        confidence: be told the detector's.
        input: "px", "rays" with the intrinsics taken out, or "screen25d" as published.
        loss: on z-scores ("l2", "l1") or in mm ("mpjpe").
        zero_init: an output layer of zeros, which predicts the mean pose.
    """

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        frames: Frames = 243,
        width: Width = 128,
        representation: Width = 512,
        depth: Layers = 16,
        heads: Heads = 8,
        mlp_ratio: Ratio = 4.0,
        neighbours: Frames = 2,
        confidence: bool = True,
        input: InputForm = "px",
        loss: LossForm = "mpjpe",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        if not 1 <= neighbours <= frames:
            raise ValueError(f"neighbours={neighbours}: expected 1 to frames={frames}")
        self.frames, self.future = frames, (frames - 1) // 2
        self.takes_confidence = confidence
        self.normalisation = Normalisation(
            skeleton=skeleton, input=input, loss=loss, confidence=confidence
        )

        def stream(of_joints: nn.Module, of_frames: nn.Module) -> nn.ModuleList:
            return nn.ModuleList(
                Block(width, mixer, mlp_ratio=mlp_ratio, eps=1e-5, layer_scale=1e-5)
                for mixer in (of_joints, of_frames)
            )

        def attention() -> nn.Module:
            return Attention(width, heads=heads, bias=False)

        self.embed = nn.Linear(self.normalisation.inputs_by_joint, width)
        self.joint_position = nn.Parameter(torch.zeros(1, skeleton.num_joints, width))
        self.layers = nn.ModuleList(
            _Layer(
                width,
                attention=stream(attention(), attention()),
                graph=stream(
                    _JointGraph(width, skeleton), _FrameGraph(width, frames, neighbours=neighbours)
                ),
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.represent = nn.Linear(width, representation)
        self.out = nn.Linear(representation, 3)
        if zero_init:  # a random output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: sure
    ) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
        """Lift the middle frame of every window of the clip."""
        return lift_centres(
            self.network, self.normalisation, joints2d, camera, confidence, frames=self.frames
        )

    def lift_window(
        self,
        joints2d: Tensor,  # (B, frames, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, frames, J), 0 to 1; None: sure
    ) -> Tensor:  # (B, frames, J, 3) mm, camera frame, root exactly 0
        """Lift every frame of one window."""
        return lift_window(self.network, self.normalisation, joints2d, camera, confidence)

    def network(
        self,
        inputs: Tensor,  # (N, frames, J, inputs)
    ) -> Tensor:  # (N, frames, J, 3)
        """The two streams by themselves."""
        x = self.embed(inputs) + self.joint_position
        for layer in self.layers:
            x = layer(x)
        outputs: Tensor = self.out(torch.tanh(self.represent(self.norm(x))))
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
        """Mean and standard deviation of every input and output number, or a person's size."""
        self.normalisation.fit(batch)


class _Layer(nn.Module):
    """Two streams over joints and then over frames, and their mix."""

    def __init__(self, width: int, *, attention: nn.ModuleList, graph: nn.ModuleList) -> None:
        super().__init__()
        self.attention, self.graph, self.mix = attention, graph, Mix(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, J, width) to the same."""
        one, other = (
            over_frames(of_frames, over_joints(of_joints, x))
            for of_joints, of_frames in (self.attention, self.graph)
        )
        mixed: Tensor = self.mix(one, other)
        return mixed


class _GraphConv(nn.Module):
    """What a node is and what its neighbours are, by a matrix each; every node has its own norm."""

    def __init__(self, width: int, num_nodes: int) -> None:
        super().__init__()
        self.own, self.others = nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(num_nodes)

    def forward(
        self,
        x: Tensor,  # (N, nodes, C)
        hears: Tensor,  # (N or 1, nodes, nodes) 0 or 1: row listens to column
    ) -> Tensor:  # (N, nodes, C)
        """Both sides are divided by the root of how many a node listens to."""
        root = hears.sum(-1, keepdim=True).rsqrt()
        heard = root * (hears @ (root * self.others(x)))
        return functional.relu(x + self.norm(heard + self.own(x)))


class _JointGraph(nn.Module):
    """A joint listens to its neighbours on the skeleton, not to itself."""

    hears: Tensor  # (J, J)

    def __init__(self, width: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.conv = _GraphConv(width, skeleton.num_joints)
        self.register_buffer("hears", _bones(skeleton), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, J, C) to the same."""
        out: Tensor = self.conv(x, self.hears)
        return out


class _FrameGraph(nn.Module):
    """A frame listens to those whose features have the largest products with its own."""

    def __init__(self, width: int, frames: int, *, neighbours: int) -> None:
        super().__init__()
        self.neighbours, self.conv = neighbours, _GraphConv(width, frames)

    def forward(self, x: Tensor) -> Tensor:
        """(N, frames, C) to the same."""
        alike = x @ x.transpose(1, 2)
        least = alike.topk(self.neighbours, -1).values[..., -1:]
        out: Tensor = self.conv(x, (alike >= least).to(x.dtype))
        return out


def _bones(skeleton: Skeleton) -> Tensor:  # (J, J)
    hears = torch.zeros(skeleton.num_joints, skeleton.num_joints)
    for bone in skeleton.bones:
        for listener, speaker in (bone, bone[::-1]):
            if (skeleton.joints[listener], skeleton.joints[speaker]) not in _UNHEARD:
                hears[listener, speaker] = 1.0
    return hears
