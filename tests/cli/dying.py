"""A plugin file: a lifter whose process signals itself at a step, once: DIE="RANK SIGNAL STEP"."""

import os

import posezoo
from posezoo.lifters.mixste import MixSte
from posezoo.normalisation import LossForm
from posezoo.skeleton import Skeleton


@posezoo.register("lifter", "dying", summary="One that ends itself.", licence="MIT")
class Dying(MixSte):
    """As mixste, of single poses."""

    def __init__(self, *, skeleton: Skeleton, loss: LossForm = "mpjpe") -> None:
        super().__init__(skeleton=skeleton, frames=1, width=16, depth=1, loss=loss)
        self.steps = 0

    def lift_window(self, joints2d, camera):
        self.steps += self.training
        rank, signum, step = map(int, os.environ.get("DIE", "-1 0 0").split())
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
        if self.training and first and self.steps == step and int(os.environ["RANK"]) == rank:
            os.kill(os.getpid(), signum)
        return super().lift_window(joints2d, camera)
