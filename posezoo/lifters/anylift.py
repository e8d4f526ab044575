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
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from posezoo import losses
from posezoo.camera import Camera
from posezoo.contracts import Batch, PoseResult
from posezoo.geometry import root_relative, rotation_to_optical_axis
from posezoo.lifters._blocks import Mlp, attention_block
from posezoo.lifters._windows import require_frames
from posezoo.limits import Frames, Heads, Layers, Ratio, Width, WidthOrNone
from posezoo.skeleton import H36M17, Skeleton, get_skeleton
from posezoo.trunk import trunk_from_limbs

_PLACES = get_skeleton("places31")  # its first joints are those of H36M17
_ROOT = H36M17.root
_TAIL, _SCALE = 0.736, 4.7205  # of that density; the second by the gamma distribution's quantiles
_TOLD = 3  # numbers of a token: x, y, confidence
_SHARED = 5  # numbers of a person: mean ray, size, how much of them is known, a guessed camera
_SAID = 4  # numbers of a joint: x, y, z, log sigma
_CLIP_WIDTH, _CLIP_HEADS = 64, 4  # channels of a token that hears other frames
_HANDED = 32  # channels by which the perceptron speaks to a joint's token
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
    joints2d = _PLACES.name
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
        self.frames, self.future = frames, 0 if causal else (frames - 1) // 2
        self.trunk = trunk
        self.frozen, joints, places = frozen, skeleton.num_joints, _PLACES.num_joints
        self.embed = nn.Parameter(torch.empty(places, _TOLD, width))
        self.seen = nn.Parameter(torch.empty(places, width))
        self.not_seen = nn.Parameter(torch.empty(joints, width))
        self.shared = nn.Linear(_SHARED, width)
        self.over_joints = _blocks(width, depth, heads, mlp_ratio)
        self.norm = nn.LayerNorm(width)
        self.whole = _Whole(whole, joints, channels=width) if whole else None
        self.out = nn.Parameter(torch.zeros(joints, width, _SAID))
        self.out_bias = nn.Parameter(torch.zeros(joints, _SAID))
        self.root = nn.Linear(width, 3)  # of the pelvis: x, y, log distance
        self.over_frames = None
        if frames > 1:
            blocks = _blocks(_CLIP_WIDTH, depth, _CLIP_HEADS, mlp_ratio)
            self.over_frames = _OverFrames(width, joints, blocks, frames=frames, causal=causal)
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
        return _joints(self.answer(joints2d, camera, confidence))

    def lift_window(
        self,
        joints2d: Tensor,  # (B, T, 31 or 17, 2) px, T <= frames
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, 31 or 17), 0 to 1; 0: not known; None: sure
    ) -> Tensor:  # (B, T, 17, 3) mm, camera frame, root exactly 0
        """Lift every frame of one window."""
        return _joints(self.answer_window(joints2d, camera, confidence))

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
        joints2d, confidence = _all_places(joints2d, confidence)
        view = _look(joints2d, camera, confidence > 0)
        joints, log_sigma, root = self._read(*self.network(view, confidence), view)
        sigma = log_sigma.exp()
        joints = root_relative(joints)
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
        view: _View,
        confidence: Tensor,  # (B, T, 31)
    ) -> tuple[Tensor, Tensor]:  # (B, T, 17, 4), where the mean pose is 0, and (B, T, 3) the root
        """What is said of the joints and of the root, by each frame alone and after others."""
        with torch.no_grad() if self.frozen else nullcontext():
            tokens, said = self._alone(view, confidence)
            root = self.root(tokens[:, :, 0])
        if self.over_frames is None:
            return said, root
        seen = [view.xy[:, :, :17], confidence[:, :, :17, None]]
        more, more_root = self.over_frames(torch.cat([tokens, said, *seen], -1), view.known.any(-1))
        return said + more, root + more_root

    def _alone(
        self,
        view: _View,
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
        """MPJPE and MPJVE, how likely errors are by their sigmas, and the root's relative place."""
        joints2d, confidence = _all_places(joints2d, confidence)
        view = _look(joints2d, camera, confidence > 0)
        joints, log_sigma, root = self._read(*self.network(view, confidence), view)
        joints = root_relative(joints)
        turned = view.turn.transpose(-1, -2)
        true = batch.joints3d @ turned
        error = losses.distances(joints, true)
        counts = batch.labelled3d & (view.known.sum(-1) >= self.fewest)[..., None]
        root_counts = counts.all(-1)
        counts = counts & (torch.arange(counts.shape[-1], device=counts.device) != _ROOT)
        surprise = 3 * log_sigma + _SCALE * (error.detach() * (-log_sigma).exp()) ** _TAIL
        weight = (-_BETA * log_sigma.detach()).exp() * counts
        weight = weight / losses.mean_of(weight, counts).clamp_min(1e-12)  # nothing may count
        off_by = (joints - true) @ view.turn
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
        joints2d, confidence = _all_places(batch.joints2d, batch.labelled2d.float())
        view = _look(joints2d, batch.camera, confidence > 0)
        turned = view.turn.transpose(-1, -2)
        joints = (batch.joints3d @ turned).flatten(0, 1)
        distance = (batch.root_mm[..., None, :] @ turned)[..., 0, 2] * view.size
        self.output_mean.copy_(joints.mean(0))
        self.output_std.copy_(joints.std(0).clamp_min(1.0))
        log = distance.clamp_min(1.0).log()
        self.distance.copy_(torch.stack([log.mean(), log.std().clamp_min(0.05)]))

    def _read(
        self,
        said: Tensor,  # (B, T, 17, 4)
        root: Tensor,  # (B, T, 3)
        view: _View,
    ) -> tuple[Tensor, Tensor, Tensor]:  # (B, T, 17, 3) mm, (B, T, 17) log mm, (B, T, 3) mm
        """Joints, sigmas and root, along the mean ray."""
        joints = said[..., :3] * self.output_std + self.output_mean
        x_y, log = root.tensor_split([2], -1)
        mean, std = self.distance
        z = (log * std + mean).exp() / view.size[..., None]
        root = torch.cat([x_y * z * view.size[..., None], z], -1)
        return joints, (said[..., 3] + math.log(30.0)).clamp(*_LOG_SIGMAS), root


def _blocks(width: int, depth: int, heads: int, mlp_ratio: float) -> nn.ModuleList:
    made = (attention_block(width, heads=heads, mlp_ratio=mlp_ratio) for _ in range(depth))
    return nn.ModuleList(made)


class _OverFrames(nn.Module):
    """What the other frames change: every joint hears itself in those that there are."""

    def __init__(
        self,
        told: int,
        joints: int,
        blocks: nn.ModuleList,
        *,
        frames: int,
        causal: bool,
    ) -> None:
        super().__init__()
        self.causal, self.longest, width = causal, frames, _CLIP_WIDTH
        self.told = nn.Linear(told + _SAID + _TOLD, width)
        self.joint = nn.Parameter(torch.empty(joints, width))
        # What is added to the attention's logits, by how many frames later the other is: at first
        # some heads hear neighbours alone, and some the whole clip.
        fall = 2.0 * 0.05 ** torch.linspace(0, 1, _CLIP_HEADS)
        nearness = -fall[:, None] * torch.arange(1 - frames, frames).abs()
        self.nearness = nn.Parameter(nearness.repeat(len(blocks), 1, 1))
        self.blocks, self.norm = blocks, nn.LayerNorm(width)
        self.out = nn.Parameter(torch.zeros(joints, width, _SAID))
        self.root = nn.Linear(width, 3)
        nn.init.trunc_normal_(self.joint, std=0.1)
        for weights in self.root.parameters():  # it starts with frames alone
            nn.init.zeros_(weights)

    def forward(
        self,
        told: Tensor,  # (B, T, 17, told + 7)
        there: Tensor,  # (B, T) bool: anything is known
    ) -> tuple[Tensor, Tensor]:  # (B, T, 17, 4) and (B, T, 3), added to what frames alone say
        x = (self.told(told) + self.joint).transpose(1, 2)  # (B, 17, T, C)
        frames = torch.arange(x.shape[2], device=x.device)
        later = frames - frames[:, None]
        heard = there[:, None] | (later == 0)  # (B, T, T)
        if self.causal:
            heard = heard & (later <= 0)
        muted = ~heard.repeat_interleave(x.shape[1], 0)[:, None]
        for block, nearness in zip(self.blocks, self.nearness, strict=True):
            bias = nearness[:, later + self.longest - 1].masked_fill(muted, -torch.inf)
            x = block(x.flatten(0, 1), bias).unflatten(0, x.shape[:2])
        x = self.norm(x).transpose(1, 2)
        others = (heard.sum(-1) > 1)[..., None].to(x)
        said = torch.einsum("btjc,jco->btjo", x, self.out)
        return said * others[..., None], self.root(x[:, :, 0]) * others


class _Whole(nn.Module):
    """A perceptron that reads all places of a person at once: its first layer adds them up."""

    def __init__(self, width: int, joints: int, *, channels: int) -> None:
        super().__init__()
        # Of each place: what it is told there, that it is known, and that it is not.
        self.embed = nn.Parameter(torch.empty(_PLACES.num_joints, _TOLD + 2, width))
        self.shared = nn.Linear(_SHARED, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), Mlp(width, width)) for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.hand = nn.Linear(width, joints * _HANDED)
        self.to_token = nn.Parameter(torch.empty(joints, _HANDED, channels))
        self.say = nn.Linear(width, joints * _SAID)
        nn.init.trunc_normal_(self.embed[:, :_TOLD], std=0.3)
        nn.init.trunc_normal_(self.embed[:, _TOLD:], std=0.02)
        nn.init.trunc_normal_(self.to_token, std=_HANDED**-0.5)
        for weights in self.say.parameters():  # it starts with the mean pose as every answer
            nn.init.zeros_(weights)

    def forward(
        self,
        told: Tensor,  # (B, T, 31, 3)
        known: Tensor,  # (B, T, 31) bool
        person: Tensor,  # (B, T, 5)
    ) -> tuple[Tensor, Tensor]:  # (B, T, 17, channels) for the tokens, (B, T, 17, 4) for the answer
        here = known[..., None].to(told)
        told = torch.cat([told * here, here, 1 - here], -1).flatten(-2)
        x = told @ self.embed.flatten(0, 1) + self.shared(person)
        for block in self.blocks:
            x = x + block(x)
        x, joints = self.norm(x), len(self.to_token)
        handed = self.hand(x).unflatten(-1, (joints, -1))
        handed = torch.einsum("btjh,jhc->btjc", handed, self.to_token)
        return handed, self.say(x).unflatten(-1, (joints, _SAID))


def _joints(result: PoseResult) -> Tensor:
    assert result.joints3d is not None
    return result.joints3d


class _View(NamedTuple):
    """People as they are seen along the mean ray of what is known of them."""

    xy: Tensor  # (B, T, 31, 2) x/z, y/z over `size`; 0 where not known
    known: Tensor  # (B, T, 31) bool
    turn: Tensor  # (B, T, 3, 3) to that frame; its transpose leads back
    size: Tensor  # (B, T) root mean square of x/z, y/z
    person: Tensor  # (B, T, 5) what all tokens are told


def _all_places(joints2d: Tensor, confidence: Tensor | None) -> tuple[Tensor, Tensor]:
    """(B, T, 31, 2) px and (B, T, 31): of 17 joints, the other places are not known."""
    if confidence is None:
        confidence = torch.ones_like(joints2d[..., 0])
    more = _PLACES.num_joints - joints2d.shape[2]
    joints2d = torch.cat([joints2d, joints2d[..., :1, :].expand(-1, -1, more, -1)], 2)
    return joints2d, nn.functional.pad(confidence, (0, more))


def _look(
    joints2d: Tensor,  # (B, T, 31, 2) px
    camera: Camera,  # parameters (B, 10)
    known: Tensor,  # (B, T, 31) bool
) -> _View:
    rays = camera.to_rays(joints2d.flatten(1, 2), beyond="edge").view_as(joints2d)
    weight = known[..., None].to(rays)
    count = weight.sum(-2).clamp_min(1)
    mean = (rays * weight).sum(-2) / count
    turn = rotation_to_optical_axis(mean)
    turned = torch.cat([rays, torch.ones_like(weight)], -1) @ turn.transpose(-1, -2)
    xy = turned[..., :2] / turned[..., 2:].clamp_min(0.1) * weight
    size = (xy.square().sum((-1, -2)) / count[..., 0]).clamp_min(1e-6).sqrt()
    guessed = camera.guessed.to(rays)[:, None, None].expand_as(size[..., None])
    share = known.to(rays).mean(-1, keepdim=True)
    person = torch.cat([mean, size.log()[..., None], share, guessed], -1)
    return _View(xy / size[..., None, None], known, turn, size, person)


def _present(known: Tensor) -> Sequence[int]:
    """The 17 joints, and the other places that anybody has."""
    if torch.compiler.is_compiling() or known.is_meta:
        return range(known.shape[-1])
    return [*range(17), *(17 + known[..., 17:].flatten(0, -2).any(0).nonzero()[:, 0]).tolist()]
