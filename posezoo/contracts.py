"""What the six kinds of entries must offer; what travels between them is `posezoo.samples`.

Letters: B batch, T frames, J joints, C channels, H W image px, h w heatmap cells.
2D is in px of the picture that the network sees; the centre of the top-left pixel is (0, 0).
3D is in mm, camera frame (x right, y down, z forward), root-relative with the root exactly 0,
unless a name says `world` or `absolute`. Constructors are keyword-only and typed: an entry's
signature is its schema. No kind knows another; the pipeline puts them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.samples import Batch, PoseResult, Sample
from posezoo.skeleton import Skeleton

__all__ = [
    "Backbone",
    "Batch",
    "Dataset",
    "DetectedPerson",
    "Detector",
    "FeatureSpec",
    "Head",
    "Learner",
    "Lifter",
    "PoseHead",
    "PoseResult",
    "Sample",
    "Stage",
    "Strategy",
]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a backbone says of one feature map: its channels, and its stride in image px."""

    channels: int
    stride: int


@runtime_checkable
class Backbone(Protocol):
    """Picture to feature maps. Normalises by its own mean and std, held inside."""

    features: tuple[FeatureSpec, ...]

    def __call__(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # (B, C_i, H / s_i, W / s_i), as `features` declares
        """Compute the feature maps."""
        ...


@runtime_checkable
class Head(Protocol):
    """Feature maps to 2D joints, by way of raw maps on which it is trained.

    Built with `features: tuple[FeatureSpec, ...]` and `num_joints: int`, then its own parameters;
    `skeleton: Skeleton` is given too where the constructor asks for it. May also have
    `loss_of_features(features, batch)`, the loss of a head whose maps nobody else wants, and
    `decode_flipped(maps, flipped, mirror)`, which reads the mean of a picture's maps and its
    mirror image's, and `heatmaps(maps)`, what to draw of maps that are no heights. One made for
    pictures of a single size says it: `image_size`, (H, W) px.
    """

    output: Literal["joints2d"]
    stride: float  # image px per cell of the maps
    decoder: str  # how `decode` reads: "soft" if it is `decode_soft`, else an argmax
    # Times the loss, a head that sees nothing costs about 250, as the source report's maps of peak
    # 255 do: so that one lambda_2d of a strategy means the same for every head.
    loss_scale: float

    def __call__(
        self,
        features: tuple[Tensor, ...],  # (B, C_i, H / s_i, W / s_i)
    ) -> Tensor:  # raw maps, (B, J, h, w) for a heatmap head
        """Compute the raw maps."""
        ...

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # what perfect raw maps would be
        """The training target; `decode(encode(x))` gives x back, to the codec's accuracy."""
        ...

    def loss(
        self,
        maps: Tensor,  # raw maps
        batch: Batch,  # of single pictures; joints not labelled, or off the map, do not count
    ) -> Tensor:  # scalar
        """The training loss of the maps."""
        ...

    def decode(
        self,
        maps: Tensor,  # raw maps
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, and confidence (B, J) from 0 to 1
        """Read the joints off the maps, by the decoder that the head was built with."""
        ...

    def decode_soft(
        self,
        maps: Tensor,  # raw maps
    ) -> Tensor:  # (B, J, 2) px
        """Read the joints so that a gradient reaches the maps."""
        ...


@runtime_checkable
class PoseHead(Protocol):
    """Feature maps to 3D joints, without a lifter: the other form of a head.

    Built as a `Head` is. May have `fit_normalisation` as lifters do. One that measures in px must
    know the camera to give mm, so all are given it, as lifters are. Where joints say what perfect
    raw maps would be (they do not where the maps are a body's shape), it also has `encode(batch)`
    of single pictures with every joint labelled: `decode(encode(batch), batch.camera)` gives the
    joints back.
    """

    output: Literal["joints3d"]

    def __call__(
        self,
        features: tuple[Tensor, ...],  # (B, C_i, H / s_i, W / s_i)
    ) -> Tensor:  # raw maps, of whatever shape
        """Compute the raw maps."""
        ...

    def loss(
        self,
        maps: Tensor,  # raw maps
        batch: Batch,  # of single pictures; joints not labelled, or off the map, do not count
    ) -> Tensor:  # scalar
        """The training loss of the maps."""
        ...

    def decode(
        self,
        maps: Tensor,  # raw maps
        camera: Camera,  # parameters (B, 10): the camera of the pictures
    ) -> PoseResult:  # joints3d and confidence; joints2d too where the head sees them
        """Read the pose off the maps."""
        ...


@runtime_checkable
class Lifter(Protocol):
    """2D joints to 3D joints. Owns its normalisation, as buffers in its state dict.

    Built with `skeleton: Skeleton`, then its own parameters.
    One that has `joints2d`, the name of a joint set, is told those and not the skeleton's. One that
    has `joint_sets` too, names of sets, takes any part of any of them: as joints of `joints2d`, or
    of the skeleton if that is among them, with confidence 0 where they are not known. It answers
    from `fewest` known joints on.
    One that predicts a whole window at once has `lift_window`, called as the lifter itself with
    exactly `frames` frames, or fewer if it has `takes_shorter = True`, which gives them all: it
    then learns from all of them. One that says more than joints has `answer` and `answer_window`,
    the same with a `PoseResult`; one whose loss needs more has `loss_of_joints(joints2d, camera,
    confidence, batch)` of a window. One of clips that may start from weights of single frames names
    what these lack: `starts_without`, patterns.
    """

    frames: int  # how many frames it must see to predict one; 1 for a single picture
    future: int  # how many of them come after the predicted one; 0 if it is causal
    takes_confidence: bool  # it is called with the third argument, which others need not have

    def __call__(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10): the camera of those pixels
        *confidence: Tensor,  # (B, T, J), 0 to 1: how sure the detector is; 1 of true joints
    ) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
        """Lift every frame that has all the frames around it that it needs."""
        ...

    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take the statistics of training data, once, before the first step."""
        ...

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,  # of the predicted frames; joints not labelled do not count
    ) -> Tensor:  # scalar
        """The training loss."""
        ...


class Learner(Protocol):
    """What a strategy sees of a pipeline: its parts, and the ways through them."""

    spec: Any  # as text, its canonical string
    skeleton: Skeleton
    backbone: Any  # a `Backbone`, or None
    head: Any  # a `Head` or a `PoseHead`, or None
    lifter: Any  # a `Lifter`, or None

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """The parts that are there: "backbone", "head", "lifter"."""
        ...

    @property
    def has_image(self) -> bool:
        """Whether it starts from a picture."""
        ...

    def require(self, *parts: str) -> tuple[str, ...]:
        """The same names; a ValueError if one of those parts is missing."""
        ...

    def heatmaps(
        self,
        image: Tensor | None,  # (B, 3, H, W) RGB, uint8 or in [0, 1]
    ) -> Tensor:  # the head's raw maps
        """Backbone and head."""
        ...

    def head_loss(self, batch: Batch) -> Tensor:  # scalar
        """The head's own loss, where nobody else wants its maps."""
        ...

    def lift_loss(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, true or predicted
        batch: Batch,
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: true joints, so 1
    ) -> Tensor:  # scalar
        """The lifter's loss for the joints that it is given."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a training: which parts learn, from which losses, for how long."""

    name: str
    trains: tuple[str, ...]  # names of pipeline parts: "backbone", "head", "lifter"
    # The terms come weighted: their sum is minimised. The third argument is the share of this stage
    # that is done, 0 at its first step, for what changes as it goes on: a strategy that counted its
    # own steps would forget them when a run is resumed.
    losses: Callable[[Learner, Batch, float], dict[str, Tensor]]
    share: float = 1.0  # of the whole number of steps


@runtime_checkable
class Strategy(Protocol):
    """How a pipeline learns. The training loop runs its stages and knows nothing else of it."""

    settings: dict[str, Any]  # what it needs of the parts, e.g. {"head.decode": "soft"}

    def stages(self, pipeline: Learner) -> tuple[Stage, ...]:
        """The stages in their order; shares sum to 1.

        Raises:
            ValueError: the pipeline lacks a part that this strategy trains.
        """
        ...


@runtime_checkable
class Dataset(Protocol):
    """People with known poses.

    Built with `split: str`, `image_size: int` (px of a square crop; 0: the camera's whole picture,
    not drawn), `pictures: bool` (draw it at all) and `seed: int`, then its own parameters.
    Item i and item i + len(dataset) are the same item, seen anew where the dataset varies what it
    shows (viewpoint, crop, rendering). Each is a function of (seed, index) alone, in any process.
    One with sequences also takes `frames: int` and `future: int`, as a lifter says them: item i is
    then pose i with that much context, the first and last poses of a sequence repeated at its ends.
    One with detected 2D joints takes `joints2d: str`, whose, and has `told(skeleton)`: itself with
    these in another joint set, for the lifter that is told that one.
    May also offer `__getitems__(indices) -> Batch`, which loaders then use for whole batches, and
    `labels2d(indices)`, the (N, T, J) bool of which 2D joints are known: asked of every item before
    a lifter is given them, so the items themselves are not made for it.
    """

    skeleton: Skeleton
    subjects: tuple[str, ...]  # the people of this split

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedPerson:
    """One person whom a detector found, in px of the picture as it was given."""

    box_px: Tensor  # (4,) x, y of the top-left corner, width, height
    score: float  # how sure the detector is that somebody is there, 0 to 1
    joints2d: Tensor  # (J, 2) px, joints of the detector's `joint_set`
    confidence: Tensor  # (J,) 0 to 1
    # What else the detector knows, by name, such as "joints3d_mm" (J, 3): camera axes, around the
    # hips. What `follow` needs is here too, so that a detector keeps no state.
    extras: Mapping[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class Detector(Protocol):
    """A picture of any size in, people out.

    Weights are named in `posezoo/weights/index.toml`, or are a library's own. Pictures are given
    one by one: sizes differ. One that cannot look for people raises a ValueError that asks for
    boxes. A detector that has networks is a module, in eval mode from the start.
    One that can follow people through a video also has `follow(picture, people)`: the next frame
    and the people of the last one in, the same people in their order out, None for who is lost.
    It looks for nobody else. One whose networks can be exported has `networks()`: of each, by name,
    the module, two items of its input, and names of its outputs.
    """

    joint_set: str  # of its 2D joints, a name of skeletons.toml

    def __call__(
        self,
        picture: Tensor,  # (H, W, 3) uint8 RGB
        *,
        boxes: Tensor | None = None,  # (P, 4) px: one person in each; None: look for people
    ) -> list[DetectedPerson]:  # the surest first; of `boxes`, one each, in their order
        """Find people and their 2D joints; a picture without anybody gives an empty list."""
        ...
