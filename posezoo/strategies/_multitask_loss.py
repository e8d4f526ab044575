"""The losses of a network that learns from picture to 3D: L = L_3d + lambda_2d * L_2d.

The heatmaps are supervised by the true 2D joints; the lifter sees the joints that the head reads
off its maps. How they are read decides whether the 3D loss can reach the heatmap network:
"hard" and "soft_detach" stop its gradient, "soft" lets it through, and "straight_through" gives
the lifter the argmax and the network the soft-argmax's gradient.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from posezoo.contracts import Batch, Learner

Decode = Literal["hard", "soft", "soft_detach", "straight_through"]


class MultitaskLoss:
    """Called with a pipeline and a batch, gives the weighted terms.

    They are "3d" and "2d" where there is a lifter, else the head's own loss.
    """

    def __init__(self, *, lambda_2d: float, decode: Decode) -> None:
        self.lambda_2d = lambda_2d
        self.decode = decode
        # The lifter must meet at test time the kind of joints that it was trained on.
        self.decoder = "soft" if decode in ("soft", "soft_detach") else "argmax"
        self.settings: dict[str, Any] = {"head.decode": self.decoder}

    def check(self, pipeline: Learner) -> None:
        """See that the head reads its maps at test time as it does here.

        Raises:
            ValueError: it does not.
        """
        if pipeline.lifter is None:
            return
        if (self.decoder == "soft") != (pipeline.head.decoder == "soft"):
            raise ValueError(
                f"decode={self.decode} trains the lifter on {self.decoder} joints, but the head "
                f"reads them by '{pipeline.head.decoder}' at test time. Leave out the head's "
                "decode=, or change the strategy's"
            )

    def __call__(self, pipeline: Learner, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The terms; their sum is minimised. They are the same from the first step to the last."""
        del progress
        if pipeline.lifter is None:
            return head_term(pipeline, pipeline.head_loss(batch))
        maps = pipeline.heatmaps(batch.image)
        joints2d, confidence = self.joints2d(pipeline, maps)
        lifted = pipeline.lift_loss(joints2d[:, None], batch, confidence[:, None])
        return {"3d": lifted} | head_term(pipeline, pipeline.head.loss(maps, batch), self.lambda_2d)

    def joints2d(
        self,
        pipeline: Learner,
        maps: Tensor,  # the head's raw maps
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, and confidence (B, J) without a gradient
        """What the lifter is given."""
        hard, confidence = pipeline.head.decode(maps)  # "soft" where the head reads softly
        match self.decode:
            case "hard":
                joints2d = hard.detach()
            case "soft":
                joints2d = pipeline.head.decode_soft(maps)
            case "soft_detach":
                joints2d = pipeline.head.decode_soft(maps).detach()
            case _:
                soft = pipeline.head.decode_soft(maps)
                joints2d = soft + (hard - soft).detach()
        return joints2d, confidence.detach()


def head_term(
    pipeline: Learner,
    loss: Tensor,  # scalar, the head's own
    lambda_2d: float = 1.0,
) -> dict[str, Tensor]:
    """It as a named term: "3d" as it is, or "2d" in the scale that all heads share."""
    if pipeline.head.output == "joints3d":
        return {"3d": loss}
    return {"2d": lambda_2d * pipeline.head.loss_scale * loss}
