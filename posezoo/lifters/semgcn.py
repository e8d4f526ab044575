"""Semantic graph convolutions over the skeleton's bones, from 2D joints to 3D joints.

Zhao et al. 2019, "Semantic graph convolutional networks for 3D human pose regression",
arXiv:1904.03345. Each convolution learns how much every joint listens to each of its neighbours;
non-local layers between the blocks let far joints talk. Differs from the paper: z-scores in and
out (`input="screen"`: as published), all 17 joints (16 there, joint set h36m16), and the non-local
layers hear joints one by one and not the larger of two that belong together (`pool`).
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.limits import Layers, Range
from posezoo.normalisation import InputForm, LossForm, Normalisation
from posezoo.skeleton import Skeleton

_PARTNERS = (
    ("pelvis", "spine"),
    ("thorax", "head"),
    ("right_hip", "left_hip"),
    ("left_shoulder", "right_shoulder"),
    *((f"{side}_knee", f"{side}_ankle") for side in ("right", "left")),
    *((f"{side}_elbow", f"{side}_wrist") for side in ("right", "left")),
)


class SemGcn(nn.Module):
    """A graph convolution, blocks of two with a shortcut, a graph convolution to x y z.

    Args:
        skeleton: the joints, and the bones that make them neighbours.
        width: channels of each joint.
        blocks: residual blocks.
        non_local: let every joint listen to every other, before the blocks and behind each.
        pool: let it hear pairs of them, as published, such as a knee with its ankle; a joint that
            has no partner (the neck) is heard alone. Has no weights.
        input: "px", "rays" with the intrinsics taken out, or "screen" as published.
        loss: on z-scores ("l2", "l1") or in mm ("mpjpe").
        zero_init: an output layer of zeros, which predicts the mean pose, instead of the
            published random one.
    """

    frames, future, takes_confidence = 1, 0, False

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        width: Annotated[int, Range(2, 16384)] = 128,
        blocks: Layers = 4,
        non_local: bool = True,
        pool: bool = False,
        input: InputForm = "px",
        loss: LossForm = "l2",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.normalisation = Normalisation(skeleton=skeleton, input=input, loss=loss)
        edges = _edges(skeleton)
        pairs = torch.tensor(_pairs(skeleton)).T.contiguous() if pool else None

        def far() -> nn.Module:
            return _NonLocal(width, pairs) if non_local else nn.Identity()

        def layer(fan_in: int) -> nn.Sequential:
            convolution = _SemanticConv(fan_in, width, edges)
            return _Layer(convolution, nn.BatchNorm1d(width), nn.ReLU())

        self.stem = nn.Sequential(layer(self.normalisation.inputs_by_joint), far())
        self.blocks = nn.ModuleList(
            nn.Sequential(layer(width), layer(width)) for _ in range(blocks)
        )
        self.far = nn.ModuleList(far() for _ in range(blocks))
        self.out = _SemanticConv(width, 3, edges)
        if zero_init:  # a random output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
        """Lift each frame by itself."""
        inputs, to_camera = self.normalisation.inputs(joints2d, camera)
        outputs = self.network(self.normalisation.by_joint(inputs).flatten(0, 1)).flatten(1)
        return self.normalisation.joints3d(outputs.unflatten(0, joints2d.shape[:2]), to_camera)

    def network(
        self,
        inputs: Tensor,  # (N, J, inputs)
    ) -> Tensor:  # (N, J, 3)
        """The convolutions by themselves."""
        x = self.stem(inputs)
        for block, far in zip(self.blocks, self.far, strict=True):
            x = far(x + block(x))
        outputs: Tensor = self.out(x)
        return outputs

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,
    ) -> Tensor:  # scalar; z-score units for "l1" and "l2", mm for "mpjpe"
        """The training loss that the lifter was built with."""
        return self.normalisation.loss(predicted, batch)

    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Mean and standard deviation of every input and output number."""
        self.normalisation.fit(batch)


class _SemanticConv(nn.Module):
    """One weight matrix for a joint itself, one for its neighbours, and a learned mix of them."""

    listener: Tensor  # (E,) of each edge
    speaker: Tensor

    def __init__(self, fan_in: int, fan_out: int, edges: list[tuple[int, int]]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, fan_in, fan_out))
        self.bias = nn.Parameter(torch.empty(fan_out))
        self.edges = nn.Parameter(torch.ones(len(edges)))
        listener, speaker = torch.tensor(edges).unbind(1)
        self.register_buffer("listener", listener, persistent=False)
        self.register_buffer("speaker", speaker, persistent=False)
        nn.init.xavier_uniform_(self.weight, nn.init.calculate_gain("relu"))
        nn.init.uniform_(self.bias, -(fan_out**-0.5), fan_out**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, J, fan_in) to (N, J, fan_out)."""
        mix = x.new_full((x.shape[1], x.shape[1]), -torch.inf)
        mix = mix.index_put((self.listener, self.speaker), self.edges).softmax(1)
        own = mix.diagonal()
        others = mix - torch.diag(own)
        return own[:, None] * (x @ self.weight[0]) + others @ (x @ self.weight[1]) + self.bias


class _NonLocal(nn.Module):
    """Adds to every joint a weighted mean of all, or of pairs; at the start it adds nothing."""

    pairs: Tensor | None  # (2, P)

    def __init__(self, width: int, pairs: Tensor | None) -> None:
        super().__init__()
        inner = width // 2
        self.register_buffer("pairs", pairs, persistent=False)
        self.listen, self.speak = nn.Linear(width, inner), nn.Linear(width, inner)
        self.compare = nn.Linear(2 * inner, 1, bias=False)
        self.content, self.back = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm = nn.BatchNorm1d(width)
        for linear in (self.listen, self.speak, self.compare, self.content, self.back):
            nn.init.kaiming_normal_(linear.weight)
        for linear in (self.listen, self.speak, self.content, self.back):
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, J, width) to the same."""
        # The comparison of a pair is linear in both: one number each, instead of all pairs' rows.
        of_listener, of_speaker = self.compare.weight.chunk(2, 1)
        listener = functional.linear(self.listen(x), of_listener)  # (N, J, 1)
        speaker = functional.linear(self._larger(self.speak(x)), of_speaker)  # (N, P, 1)
        heard = functional.relu(listener + speaker.transpose(1, 2)) / speaker.shape[1]
        found = self.back(heard @ self._larger(self.content(x)))
        return x + self.norm(found.flatten(0, 1)).view_as(x)

    def _larger(self, x: Tensor) -> Tensor:
        """(N, J, C) to (N, P, C): of the two joints of each pair, number by number."""
        if self.pairs is None:
            return x
        one, other = self.pairs
        return torch.maximum(x[:, one], x[:, other])


class _Layer(nn.Sequential):
    """Convolution, batch norm over people and joints alike, ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, J, fan_in) to (N, J, C)."""
        convolution, norm, relu = self
        found = convolution(x)
        out: Tensor = relu(norm(found.flatten(0, 1)).view_as(found))
        return out


def _edges(skeleton: Skeleton) -> list[tuple[int, int]]:
    """(listener, speaker): each joint to itself, and both ways along each bone."""
    both_ways = [pair for bone in skeleton.bones for pair in (bone, bone[::-1])]
    return [(joint, joint) for joint in range(skeleton.num_joints)] + both_ways


def _pairs(skeleton: Skeleton) -> list[tuple[int, int]]:
    """The published pairs, and each joint that is in none with itself."""
    place = {name: joint for joint, name in enumerate(skeleton.joints)}
    pairs = [(place[a], place[b]) for a, b in _PARTNERS if a in place and b in place]
    alone = set(place.values()) - {joint for pair in pairs for joint in pair}
    return pairs + [(joint, joint) for joint in sorted(alone)]
