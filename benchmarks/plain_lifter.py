"""The textbook training of a 2D-to-3D lifter, as anybody writes it: what ours is measured against.

Martinez' network, squared error, Adam; arrays that lie z-scored in memory; nothing is logged,
checked or saved.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Linear, batch norm, ReLU, dropout, twice, beside a shortcut."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = layer(width, width, dropout), layer(width, width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


def layer(fan_in: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(fan_in, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
    )


def network(
    joints: int = 17, width: int = 1024, blocks: int = 2, dropout: float = 0.5
) -> nn.Module:
    """The published lifter."""
    return nn.Sequential(
        layer(2 * joints, width, dropout),
        *(Residual(width, dropout) for _ in range(blocks)),
        nn.Linear(width, 3 * joints),
    )


def z_scores(values: Tensor) -> Tensor:
    """Each column with mean 0 and deviation 1."""
    return (values - values.mean(0)) / values.std(0).clamp_min(1e-6)


class PlainTraining:
    """Steps on batches drawn from arrays.

    Args:
        joints2d: (N, J, 2) px.
        joints3d: (N, J, 3) mm, root-relative.
        batch_size: poses of a step.
        fused: Adam in one pass over the weights, which torch offers and textbooks leave out.
    """

    def __init__(
        self, joints2d: Tensor, joints3d: Tensor, *, batch_size: int, fused: bool, device: str
    ) -> None:
        self.inputs = z_scores(joints2d.flatten(1)).to(device)
        self.targets = z_scores(joints3d.flatten(1)).to(device)
        self.batch_size = batch_size
        self.model = network(joints2d.shape[1]).to(device).train()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=fused or None)
        self.order = torch.empty(0, dtype=torch.int64, device=device)

    def steps(self, count: int) -> None:
        """Train so many."""
        for _ in range(count):
            if len(self.order) < self.batch_size:
                self.order = torch.randperm(len(self.inputs), device=self.inputs.device)
            rows, self.order = self.order[: self.batch_size], self.order[self.batch_size :]
            loss = nn.functional.mse_loss(self.model(self.inputs[rows]), self.targets[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
