"""Whatever joints are known, from whatever camera: a transformer whose tokens are joints.

Ours; joint tokens, and frames after joints, as in Zheng et al. 2021, "3D human pose estimation with
spatial and temporal transformers", arXiv:2103.10455. A token says where its joint is seen, or that
it is not:

- of 31 places (joint set `places31`) it is told those that there are. Sets share what is the same
  point of the body (COCO's wrist and Human3.6M's), and not what is not (their hips). The 17 joints
  to be found are always tokens, with a learned value where nobody saw them; the other places are
  tokens where they are known.
- pixels become rays, turned so that the mean ray lies on the optical axis and divided by their root
  mean square: a token's x y. The mean ray and that size go to all tokens, and whether the camera
  is known or guessed.
- each place has its own embedding matrix, each joint its own output matrix.
- a perceptron reads all places at once, as Martinez et al. 2017 do (arXiv:1705.03098), and has a
  say in each joint's token and answer: attention alone takes far longer to learn whose limb is
  whose (docs/lifting.md).
- of a clip, each joint then hears itself in the other frames, the nearer the louder at first (a
  learned bias for each distance in time, after Press et al. 2022, arXiv:2108.12409), and changes
  what its frame alone says. A frame without others is answered as if there were no clips.

Besides 17 joints it gives the root's distance and, for each joint, the sigma of a density of its
error e, exp(-4.72 (|e| / sigma)^0.736) / sigma^3: of such errors 68 % are within sigma, 95 % within
2 sigma. (A Laplace density's tail, an exponent of 1, is too short for errors of the depth.) Sigma
learns from errors that it cannot change, and they count by sigma^-0.5 (Seitzer et al. 2022,
arXiv:2203.09168), so that joints of which little is known do not drown the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

from posezoo import losses
from posezoo.camera import Camera
from posezoo.contracts import Batch, PoseResult
from posezoo.geometry import root_relative
from posezoo.lifters._anylift_parts import SAID, OverFrames, Whole, blocks_of
from posezoo.lifters._anylift_view import PLACES, SHARED, TOLD, View, all_places, look
from posezoo.lifters._windows import require_frames
from posezoo.limits import Frames, Heads, Layers, Ratio, Width, WidthOrNone
from posezoo.skeleton import H36M17, Skeleton
from posezoo.trunk import trunk_from_limbs

_ROOT = H36M17.root
_TAIL, _SCALE = 0.736, 4.7205  # of that density; the second by the gamma distribution's quantiles
_BETA = 0.5
_LOG_SIGMAS = (math.log(1.0), math.log(3000.0))  # mm
# Of the loss's terms; joints and their motion are in mm.
_WEIGHTS = {"joints": 0.01, "motion": 0.01, "sigma": 0.1, "root": 0.3}


class AnyLift(nn.Module):
    """Embeddings, blocks of attention over joints, of clips over frames, an output for each joint.

    Args:
        skeleton: Human3.6M-17, the joints to be found.
        frames: the longest clip that it looks at; of those before and after, fewer will do.
        width: channels of a token.
        depth: blocks over joints, and as many over frames.
        heads: of every attention.
        mlp_ratio: hidden units of a block's perceptron, per channel.
        whole: channels of the perceptron that reads all places at once; 0: there is none.
        causal: look at no later frame.
        frozen: leave what it makes of single frames as it is, and learn what others change.
        trunk: answer with pelvis, spine, thorax, neck and head as the training data have them
            ("captured"), or where detectors and Human3.6M see them (`posezoo.trunk`), which is
            for networks trained on CMU's.
    """

    takes_confidence = True
    joints2d = PLACES.name
    joint_sets = (
        *("h36m17", "h36m16", "coco17", "coco23", "halpe26", "body25", "openpose18", "mpii16"),
        "blazepose33",
    )
    takes_shorter = True  # windows than `frames`
    fewest = 4  # known joints of a frame, for which it answers
    starts_without = ("over_frames.*",)  # a clip's, after weights of single frames
    output_mean: Tensor  # (17, 3) mm, the mean pose as it is seen along the mean ray
    output_std: Tensor
    distance: Tensor  # (2,) mean and deviation of log(root's z in mm * size)

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        frames: Frames = 1,
        width: Width = 128,
        depth: Layers = 2,
        heads: Heads = 4,
        mlp_ratio: Ratio = 2.0,
        whole: WidthOrNone = 512,
        causal: bool = False,
        frozen: bool = False,
        trunk: Literal["captured", "from_limbs"] = "captured",
    ) -> None:
        super().__init__()
        if skeleton != H36M17:
            raise ValueError(f"anylift finds the joints of {H36M17.name}, not of {skeleton.name}")
        if frozen and frames == 1:
            raise ValueError("anylift:frozen=true leaves one frame nothing to learn: add frames=27")
        self.frames, self.future = frames, 0 if causal else (frames - 1) // 2
        self.trunk = trunk
        self.frozen, joints, places = frozen, skeleton.num_joints, PLACES.num_joints
        self.embed = nn.Parameter(torch.empty(places, TOLD, width))
        self.seen = nn.Parameter(torch.empty(places, width))
        self.not_seen = nn.Parameter(torch.empty(joints, width))
        self.shared = nn.Linear(SHARED, width)
        self.over_joints = blocks_of(width, depth, heads, mlp_ratio)
        self.norm = nn.LayerNorm(width)
        self.whole = Whole(whole, joints, channels=width) if whole else None
        self.out = nn.Parameter(torch.zeros(joints, width, SAID))
        self.out_bias = nn.Parameter(torch.zeros(joints, SAID))
        self.root = nn.Linear(width, 3)  # of the pelvis: x, y, log distance
        self.over_frames = None
        if frames > 1:
            self.over_frames = OverFrames(
                width, joints, frames=frames, depth=depth, mlp_ratio=mlp_ratio, causal=causal
            )
        self.register_buffer("output_mean", torch.zeros(joints, 3))
        self.register_buffer("output_std", torch.full((joints, 3), 1000.0))
        self.register_buffer("distance", torch.tensor([math.log(500.0), 1.0]))
        for weights in (self.embed, self.seen, self.not_seen):
            nn.init.trunc_normal_(weights, std=0.3 if weights is self.embed else 0.02)
        nn.init.zeros_(self.root.weight)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, 31 or 17, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, 31 or 17), 0 to 1; 0: not known; None: sure
    ) -> Tensor:  # (B, T - frames + 1, 17, 3) mm, camera frame, root exactly 0
        """Lift every frame that has all frames around it."""
        return _joints_of(self.answer(joints2d, camera, confidence))

    def lift_window(
        self,
        joints2d: Tensor,  # (B, T, 31 or 17, 2) px, T <= frames
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, 31 or 17), 0 to 1; 0: not known; None: sure
    ) -> Tensor:  # (B, T, 17, 3) mm, camera frame, root exactly 0
        """Lift every frame of one window."""
        return _joints_of(self.answer_window(joints2d, camera, confidence))

    def answer(
        self,
        joints2d: Tensor,  # (B, T, 31 or 17, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, 31 or 17), 0 to 1; 0: not known; None: sure
    ) -> PoseResult:  # joints3d, sigma_mm and root_mm of T - frames + 1 frames
        """All that it says of every frame that has all frames around it."""
        require_frames(joints2d, self.frames)
        if self.frames == 1:
            return self.answer_window(joints2d, camera, confidence)
        present, parts = self.frames - 1 - self.future, []
        for first in range(joints2d.shape[1] - self.frames + 1):
            seen = slice(first, first + self.frames)
            sure = None if confidence is None else confidence[:, seen]
            parts.append(self.answer_window(joints2d[:, seen], camera, sure))
        names = ("joints3d", "sigma_mm", "root_mm")
        values = {n: torch.stack([getattr(p, n)[:, present] for p in parts], 1) for n in names}
        return PoseResult(**values)

    def answer_window(
        self,
        joints2d: Tensor,  # (B, T, 31 or 17, 2) px, T <= frames
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, 31 or 17), 0 to 1; 0: not known; None: sure
    ) -> PoseResult:  # joints3d, sigma_mm and root_mm
        """All that it says of every frame of one window."""
        joints2d, confidence = all_places(joints2d, confidence)
        view = look(joints2d, camera, confidence > 0)
        said, more, root = self.network(view, confidence)
        joints, sigma = self._joints(said + more), self._log_sigma(said + more).exp()
        root = self._root(root, view)
        if self.trunk == "from_limbs":
            joints = trunk_from_limbs(joints)
        root = joints[..., _ROOT, :] + root
        return PoseResult(
            joints3d=root_relative(joints @ view.turn),
            sigma_mm=sigma.where(torch.arange(sigma.shape[-1], device=sigma.device) != _ROOT, 0),
            root_mm=(root[..., None, :] @ view.turn)[..., 0, :],
        )

    def network(
        self,
        view: View,
        confidence: Tensor,  # (B, T, 31)
    ) -> tuple[Tensor, Tensor, Tensor]:  # twice (B, T, 17, 4), where the mean pose is 0; (B, T, 3)
        """What each frame says of the joints alone, what others add to that, and the root."""
        with torch.no_grad() if self.frozen else nullcontext():
            tokens, said = self._alone(view, confidence)
            root = self.root(tokens[:, :, 0])
        if self.over_frames is None or said.shape[1] == 1:
            return said, torch.zeros_like(said), root
        seen = [view.xy[:, :, :17], confidence[:, :, :17, None]]
        told = torch.cat([tokens, said, *seen], -1)
        if self.training:  # frames learn to speak for themselves, not to be heard
            told = told.detach()
        more, more_root = self.over_frames(told, view.known.any(-1))
        return said, more, root + more_root

    def _alone(
        self,
        view: View,
        confidence: Tensor,  # (B, T, 31)
    ) -> tuple[Tensor, Tensor]:  # (B, T, 17, width) and (B, T, 17, 4)
        """The tokens that stand for the joints, in the end, and what each frame says of them."""
        known, places = view.known, _present(view.known)
        told = torch.cat([view.xy, 2 * confidence[..., None] - 1], -1)
        x = torch.einsum("btpi,pic->btpc", told[..., places, :], self.embed[places])
        x = x + self.seen[places]
        unseen = torch.cat([self.not_seen, self.seen.new_zeros(len(places) - 17, x.shape[-1])])
        x = torch.where(known[..., places, None], x, unseen)
        x = x + self.shared(view.person)[..., None, :]
        said = self.out_bias
        if self.whole is not None:
            handed, more = self.whole(told, known, view.person)
            said = said + more
            x = torch.cat([x[..., :17, :] + handed, x[..., 17:, :]], -2)
        heard = known[..., places].flatten(0, 1)
        heard[:, :17] = True
        mask = None if len(places) == 17 else heard[:, None, None]
        for block in self.over_joints:
            x = block(x.flatten(0, 1), mask).unflatten(0, x.shape[:2])
        tokens = self.norm(x[:, :, :17])
        return tokens, torch.einsum("btjc,jco->btjo", tokens, self.out) + said

    def loss_of_joints(
        self,
        joints2d: Tensor,  # (B, T, 31 or 17, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None,  # (B, T, 31 or 17)
        batch: Batch,  # of the same frames; joints not labelled do not count
    ) -> Tensor:  # scalar
        """MPJPE and MPJVE, how likely errors are by their sigmas, and the root's relative place.

        What frames say alone does not learn from how joints move: it would learn to stand still.
        """
        joints2d, confidence = all_places(joints2d, confidence)
        view = look(joints2d, camera, confidence > 0)
        said, more, root = self.network(view, confidence)
        joints, log_sigma = self._joints(said + more), self._log_sigma(said + more)
        root = self._root(root, view)
        turned = view.turn.transpose(-1, -2)
        true = batch.joints3d @ turned
        error = losses.distances(joints, true)
        counts = batch.labelled3d & (view.known.sum(-1) >= self.fewest)[..., None]
        root_counts = counts.all(-1)
        counts = counts & (torch.arange(counts.shape[-1], device=counts.device) != _ROOT)
        surprise = 3 * log_sigma + _SCALE * (error.detach() * (-log_sigma).exp()) ** _TAIL
        weight = (-_BETA * log_sigma.detach()).exp() * counts
        weight = weight / losses.mean_of(weight, counts).clamp_min(1e-12)  # nothing may count
        off_by = (self._joints(said.detach() + more) - true) @ view.turn
        moved = losses.distances(off_by[:, 1:], off_by[:, :-1])
        true_root = (batch.root_mm[..., None, :] @ turned)[..., 0, :]
        off = (root - true_root).abs().sum(-1) / true_root.norm(dim=-1).clamp_min(1.0)
        terms = {
            "joints": losses.mean_of(weight * error, counts),
            "motion": losses.mean_of(weight[:, 1:] * moved, counts[:, 1:] & counts[:, :-1]),
            "sigma": losses.mean_of(surprise, counts),
            "root": losses.mean_of(off, root_counts),
        }
        return torch.stack([weight * terms[name] for name, weight in _WEIGHTS.items()]).sum()

    def loss(
        self,
        predicted: Tensor,  # (B, T, 17, 3) mm
        batch: Batch,  # of the predicted frames
    ) -> Tensor:  # scalar, mm
        """The MPJPE, which is what can be said of joints alone."""
        return losses.mean_distance(predicted, batch.joints3d, batch.labelled3d)

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled in 3D; 2D as far as it is
    ) -> None:
        """Mean and deviation of the pose along the mean ray, and of the root's distance."""
        joints2d, confidence = all_places(batch.joints2d, batch.labelled2d.float())
        view = look(joints2d, batch.camera, confidence > 0)
        turned = view.turn.transpose(-1, -2)
        joints = (batch.joints3d @ turned).flatten(0, 1)
        distance = (batch.root_mm[..., None, :] @ turned)[..., 0, 2] * view.size
        self.output_mean.copy_(joints.mean(0))
        self.output_std.copy_(joints.std(0).clamp_min(1.0))
        log = distance.clamp_min(1.0).log()
        self.distance.copy_(torch.stack([log.mean(), log.std().clamp_min(0.05)]))

    def _joints(self, said: Tensor) -> Tensor:  # (B, T, 17, 3) mm along the mean ray, root 0
        return root_relative(said[..., :3] * self.output_std + self.output_mean)

    def _log_sigma(self, said: Tensor) -> Tensor:  # (B, T, 17) log mm
        return (said[..., 3] + math.log(30.0)).clamp(*_LOG_SIGMAS)

    def _root(self, said: Tensor, view: View) -> Tensor:  # (B, T, 3) mm, along the mean ray
        x_y, log = said.tensor_split([2], -1)
        mean, std = self.distance
        z = (log * std + mean).exp() / view.size[..., None]
        return torch.cat([x_y * z * view.size[..., None], z], -1)


def _joints_of(result: PoseResult) -> Tensor:
    assert result.joints3d is not None
    return result.joints3d


def _present(known: Tensor) -> Sequence[int]:
    """The 17 joints, and the other places that anybody has."""
    if torch.compiler.is_compiling() or known.is_meta:
        return range(known.shape[-1])
    return [*range(17), *(17 + known[..., 17:].flatten(0, -2).any(0).nonzero()[:, 0]).tolist()]
