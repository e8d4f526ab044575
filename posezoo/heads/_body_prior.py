"""Networks that tell a body model's real parameters from a network's (HMR, arXiv:1712.06584).

One for each of the 23 joints' rotations, one for all of them together, one for the shape: 25
answers, 1 for a real body and 0 for a made one, by least squares.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from posezoo.losses import mean_of_items

_JOINTS = 23
_SHAPE = 10


class BodyPrior(nn.Module):
    """Judges bodies; what turns the person as a whole is not judged."""

    def __init__(self) -> None:
        super().__init__()
        self.joint = nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.each = nn.Parameter(torch.empty(_JOINTS, 32))
        self.each_bias = nn.Parameter(torch.zeros(_JOINTS))
        self.all = nn.Sequential(
            nn.Linear(_JOINTS * 32, 1024),
            nn.ReLU(),
            nn.Linear(1024, 1024),
            nn.ReLU(),
            nn.Linear(1024, 1),
        )
        self.shape = nn.Sequential(nn.Linear(_SHAPE, 5), nn.ReLU(), nn.Linear(5, 1))
        nn.init.xavier_uniform_(self.each)

    def forward(
        self,
        rotations: Tensor,  # (B, 23, 3, 3)
        shape: Tensor,  # (B, 10) standard deviations
    ) -> Tensor:  # (B, 25)
        """How real each joint, all joints together and the shape look."""
        seen = self.joint(rotations.flatten(-2))
        each = (seen * self.each).sum(-1) + self.each_bias
        return torch.cat([each, self.all(seen.flatten(1)), self.shape(shape)], -1)

    def terms(
        self,
        made: tuple[Tensor, Tensor],  # rotations (B, 23, 3, 3) and shape (B, 10) of a network
        real: tuple[Tensor, Tensor],  # the same of people
    ) -> dict[str, Tensor]:  # scalars, summed over the 25
        """What the network should lower, and what these judges should: neither sees the other's.

        "prior" has no gradient at the judges' weights and "discriminator" none at `made`, so their
        sum may be minimised at once.
        """
        frozen = {name: weight.detach() for name, weight in self.named_parameters()}
        fooled: Tensor = functional_call(self, frozen, made)
        apart = self(*(values.detach() for values in made))
        return {
            "prior": mean_of_items((fooled - 1).square().sum(-1)),
            "discriminator": mean_of_items(apart.square().sum(-1))
            + mean_of_items((self(*real) - 1).square().sum(-1)),
        }
