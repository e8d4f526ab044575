"""One network, trained end to end: L = L_3d + lambda_2d * L_2d (the source report, section 3.3.2).

The heatmaps are supervised by the true 2D joints; the lifter sees the joints that the head reads
off its maps. How they are read decides whether the 3D loss can reach the heatmap network:
"hard" and "soft_detach" stop its gradient, "soft" lets it through, and "straight_through" gives
the lifter the hard reading and the network the soft one's gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from posezoo.contracts import Batch, Stage

if TYPE_CHECKING:
    from posezoo.pipeline import Pipeline


class Multitask:
    """Everything learns at once, in one stage."""

    def __init__(
        self,
        *,
        lambda_2d: float = 0.01,
        decode: Literal["hard", "soft", "soft_detach", "straight_through"] = "soft",
    ) -> None:
        self.lambda_2d = lambda_2d
        self.decode = decode
        # The lifter must meet at test time the kind of joints that it was trained on.
        soft = decode in ("soft", "soft_detach")
        self.settings: dict[str, Any] = {"head.decode": "soft" if soft else "argmax"}

    def stages(self, pipeline: Pipeline) -> tuple[Stage, ...]:
        """One stage for backbone, head and lifter."""
        trains = pipeline.require("backbone", "head", "lifter")
        if (self.decode in ("soft", "soft_detach")) != (pipeline.head.decoder == "soft"):
            raise ValueError(
                f"multitask:decode={self.decode} trains the lifter on "
                f"{self.settings['head.decode']} joints, but the head reads them by "
                f"'{pipeline.head.decoder}' at test time. Leave out the head's decode=, or change "
                "the strategy's"
            )
        return (Stage(name="multitask", trains=trains, losses=self.losses),)

    def losses(self, pipeline: Pipeline, batch: Batch) -> dict[str, Tensor]:
        """The weighted terms "3d" and "2d"."""
        maps = pipeline.heatmaps(batch.image)
        joints3d = pipeline.lift(self._joints(pipeline, maps)[:, None], batch.camera)
        return {
            "3d": pipeline.lifter.loss(joints3d, batch.joints3d),
            "2d": self.lambda_2d * pipeline.head.loss(maps, batch.joints2d[:, 0]),
        }

    def _joints(self, pipeline: Pipeline, maps: Tensor) -> Tensor:  # (B, J, 2) px
        match self.decode:
            case "hard":
                return pipeline.head.decode(maps)[0].detach()
            case "soft":
                return pipeline.head.decode_soft(maps)
            case "soft_detach":
                return pipeline.head.decode_soft(maps).detach()
            case _:
                hard, soft = pipeline.head.decode(maps)[0], pipeline.head.decode_soft(maps)
                return soft + (hard - soft).detach()
