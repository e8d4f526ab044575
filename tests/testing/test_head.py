"""A small head that keeps its contract, and violations of it, each caught by its own check."""

import pytest
import torch
from torch import Tensor, nn

from posezoo import ops
from posezoo.contracts import Batch, FeatureSpec
from posezoo.geometry import cell_affine, cells_to_px, px_to_cells


class Head(nn.Module):
    """One heatmap per joint, by one convolution."""

    output, decoder, loss_scale = "joints2d", "soft", 65025.0

    def __init__(self, *, features: tuple[FeatureSpec, ...], num_joints: int) -> None:
        super().__init__()
        self.stride = features[-1].stride
        self.conv = nn.Conv2d(features[-1].channels, num_joints, 1)

    def forward(
        self,
        features: tuple[Tensor, ...],  # (B, C, h, w)
    ) -> Tensor:  # (B, J, h, w)
        return self.conv(features[-1])

    def encode(self, joints, size):
        cells = px_to_cells(joints, self.stride)
        return ops.gaussian_heatmaps(cells, size, sigma_cells=2.0, peak=1.0, centres="unbiased")

    def loss(self, maps: Tensor, batch: Batch) -> Tensor:
        error = (maps - self.encode(batch.joints2d[:, 0], maps.shape[-2:])).square().mean((-2, -1))
        return (error * self.counts(batch)).sum() / batch.labelled2d.sum()

    def counts(self, batch):
        return batch.labelled2d[:, 0]

    def decode(self, maps):
        return self.decode_soft(maps), maps.amax((-2, -1)).clamp(0, 1)

    def decode_soft(self, maps):
        scale, offset = cell_affine(self.stride)
        return ops.soft_argmax(maps, inverse_temperature=25.0, scale=scale, offset=offset)


def test_a_head_that_keeps_its_contract_fails_nothing(outcomes):
    found = outcomes("head", Head)
    assert {o.check: o.note for o in found if o.result == "failed"} == {}
    assert [o.check for o in found if o.result == "skipped"] == ["manifest facts equal code facts"]
    assert len(found) == 20


@pytest.mark.parametrize(
    ("name", "shift_px", "shift_cells"),
    [("half a cell", 8.0, "+0.500"), ("index times stride", -7.5, "-0.469")],
)
def test_a_shift_in_the_decoder(only_failure, name, shift_px, shift_cells):
    class Shifted(Head):
        """Forgets where the centre of a cell lies."""

        def decode(self, maps):
            joints, confidence = super().decode(maps)
            return joints + shift_px, confidence

    message = only_failure("head", Shifted, of="decode of encode has no bias")
    assert message.startswith(f"found mean errors of {shift_cells} in the left half")
    assert "from decode(encode(joints)); expected less than 0.05 cells" in message
    assert "posezoo.geometry" in message


def test_a_scale_that_errs_outwards_on_both_sides(only_failure):
    class Stretched(Head):
        """Spans 63 cells by 64, as align_corners does."""

        def decode(self, maps):
            joints, confidence = super().decode(maps)
            middle = cells_to_px(torch.tensor([31.5, 23.5]), self.stride)
            return (joints - middle) * 64 / 63 + middle, confidence

    message = only_failure("head", Stretched, of="decode of encode has no bias")
    assert "-0.175 in the left half, +0.175 in the right half" in message


def test_a_soft_reading_that_stops_the_gradient(only_failure):
    class Hard(Head):
        """Reads by argmax."""

        def decode_soft(self, maps):
            return super().decode_soft(maps).detach()

    message = only_failure("head", Hard, of="decode soft lets a gradient reach the maps")
    assert "found no gradient at the maps from decode_soft" in message
    assert "ops.soft_argmax" in message


def test_x_and_y_exchanged(failures):
    class Exchanged(Head):
        """Reads rows as x."""

        def decode_soft(self, maps):
            return super().decode_soft(maps).flip(-1)

    assert [*failures("head", Exchanged)] == [
        "decode of encode has no bias",
        "decode soft lets a gradient reach the maps",
    ]


def test_a_wrong_declared_stride(only_failure):
    class WrongStride(Head):
        """Says 8 px per cell, where a cell is 16."""

        def __init__(self, *, features: tuple[FeatureSpec, ...], num_joints: int) -> None:
            super().__init__(features=features, num_joints=num_joints)
            self.stride = 8

    message = only_failure("head", WrongStride, of="maps have the declared stride")
    assert "maps of 8 x 12 cells for a picture of 128 x 192 px; expected 16 x 24" in message


def test_joints_that_are_not_labelled_and_count(only_failure):
    class CountsAll(Head):
        """Looks at no label."""

        def counts(self, batch):
            return torch.ones_like(batch.labelled2d[:, 0])

    message = only_failure("head", CountsAll, of="unlabelled joints do not count")
    assert "when an unlabelled joint is elsewhere; expected the same" in message
    assert "batch.labelled2d" in message


def test_a_confidence_above_1(failures):
    class Sure(Head):
        """Gives raw scores."""

        def decode(self, maps):
            return self.decode_soft(maps), maps.amax((-2, -1)) + 1

    assert (
        "expected numbers from 0 to 1"
        in failures("head", Sure)["joints and confidence have their shapes"]
    )
